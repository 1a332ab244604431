//! `${env:NAME}`, `${file:PATH}` and `${dir:PATH:KEY}` inside values.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that a value may come from, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The environment, by name.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Where the values of `${…}` come from.
pub(super) struct Outside<'a> {
    /// The environment.
    pub(super) env: Env<'a>,
    /// The folder that paths are relative to.
    pub(super) folder: &'a Path,
}

impl Outside<'_> {
    /// The text with every `${…}` replaced; `$${` stands for `${` itself.
    ///
    /// # Errors
    /// What is missing, by name and never by value.
    pub(super) fn substitute(&self, text: &str) -> Result<String, String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let before = &rest[..start];
            let after = &rest[start + 2..];
            if let Some(before) = before.strip_suffix('$') {
                result.push_str(before);
                result.push_str("${");
                rest = after;
                continue;
            }
            result.push_str(before);
            let Some(end) = after.find('}') else {
                return Err(
                    "`${` without its `}`; write `$${` for the characters themselves".into(),
                );
            };
            result.push_str(&self.value(&after[..end])?);
            rest = &after[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }

    /// A path of the pipeline file, from where the process runs.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path).components().collect()
    }

    fn value(&self, reference: &str) -> Result<String, String> {
        match reference.split_once(':') {
            Some(("env", name)) => (self.env)(name)
                .ok_or_else(|| format!("the environment variable `{name}` is not set")),
            Some(("file", path)) => {
                let path = self.resolve(path);
                read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
            Some(("dir", path)) => {
                let (folder, key) = path.rsplit_once(':').ok_or_else(|| {
                    format!("`${{{reference}}}` lacks its key: write ${{dir:PATH:KEY}}")
                })?;
                if key.is_empty() || key.contains(['/', '\\']) || key == ".." {
                    return Err(format!("`{key}` is not the name of a file in {folder}"));
                }
                let path = self.resolve(folder).join(key);
                read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
            _ => Err(format!(
                "`${{{reference}}}` is unknown: write ${{env:NAME}}, ${{file:PATH}} or \
                 ${{dir:PATH:KEY}}, or `$${{` for the characters themselves"
            )),
        }
    }
}

/// A file's text, without the line end that editors add.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!(
            "larger than {MAX_FILE_BYTES} bytes"
        )));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}
