//! Reading a schema's files: within bounds, each once, each before those that name it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Reference;

/// The largest schema with all that it names, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// How many files a schema may name, through others too.
const MAX_FILES: usize = 256;
/// How deep files may name others.
const MAX_DEPTH: usize = 32;

/// The files of one schema.
pub(super) struct Loader<'a> {
    import_paths: &'a [PathBuf],
    bytes: u64,
    /// The names that lead to the one being read.
    path: Vec<String>,
    /// What has been read by each name.
    found: Vec<(String, PathBuf)>,
    pub(super) references: Vec<Reference>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(import_paths: &'a [PathBuf]) -> Self {
        Self {
            import_paths,
            bytes: 0,
            path: Vec::new(),
            found: Vec::new(),
            references: Vec::new(),
        }
    }

    pub(super) fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let left = MAX_BYTES - self.bytes;
        File::open(path)
            .and_then(|file| file.take(left + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(format!(
                "{}: larger than {MAX_BYTES} bytes, with what else was read for this schema",
                path.display()
            ));
        }
        Ok(bytes)
    }

    pub(super) fn text(&mut self, path: &Path) -> Result<String, String> {
        String::from_utf8(self.bytes(path)?)
            .map_err(|error| format!("{} is not UTF-8: {error}", path.display()))
    }

    /// Where a file is that another one names: in the first import path that has it, or
    /// beside the one that names it.
    pub(super) fn look_for(
        &self,
        written: &str,
        beside: &Path,
        place: &str,
    ) -> Result<PathBuf, String> {
        let own = beside.parent().unwrap_or(Path::new(""));
        let folders = self.import_paths.iter().map(PathBuf::as_path).chain([own]);
        let candidates: Vec<PathBuf> = folders.map(|folder| folder.join(written)).collect();
        if let Some(found) = candidates.iter().find(|path| path.is_file()) {
            return Ok(found.clone());
        }
        let looked: Vec<String> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Err(format!(
            "{place} names `{written}`, which is not there: looked for {}; \
             `schema.import.paths` names more folders",
            looked.join(", ")
        ))
    }

    /// Adds a file under the name that others have for it, after `read` has added all that it
    /// names itself and given its text. A name counts once.
    pub(super) fn add(
        &mut self,
        name: String,
        path: &Path,
        place: &str,
        read: impl FnOnce(&mut Self) -> Result<String, String>,
    ) -> Result<(), String> {
        if self.path.contains(&name) {
            return Err(format!(
                "files name each other in a circle: {} → {name}",
                self.path.join(" → ")
            ));
        }
        if let Some((_, other)) = self.found.iter().find(|(known, _)| *known == name) {
            if is_same(other, path) {
                return Ok(());
            }
            return Err(format!(
                "{place} means {} by `{name}`, which is {} elsewhere: name the folder that \
                 imports are relative to in `schema.import.paths`",
                path.display(),
                other.display()
            ));
        }
        if self.path.len() >= MAX_DEPTH || self.found.len() >= MAX_FILES {
            return Err(format!(
                "more than {MAX_FILES} files, or more than {MAX_DEPTH} that name each other in a \
                 row, at `{name}`"
            ));
        }
        self.found.push((name.clone(), path.to_owned()));
        self.path.push(name);
        let text = read(self)?;
        if let Some(name) = self.path.pop() {
            self.references.push(Reference { name, text });
        }
        Ok(())
    }

    /// Makes the schema's own file the beginning of every circle.
    pub(super) fn begin(&mut self, name: String) {
        self.path.push(name);
    }
}

/// Whether two paths lead to one file, whatever dots and links are in them.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    one == other || whole(one).is_some_and(|one| Some(one) == whole(other))
}
