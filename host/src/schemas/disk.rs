//! Schemas of a registry on disk, for a start while it is down.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::Asked;
use super::{Reference, Registered, Schema, SchemaType};

/// The most schemas of a registry that are kept; those written longest ago go first.
const MAX_FILES: usize = 10_000;
/// The most bytes of schemas of a registry that are kept.
const MAX_BYTES: u64 = 256 << 20;
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// A folder with a file for each schema: the SHA-256 of what follows in hexadecimal, a line
/// feed, and JSON. Files are renamed into their place, so that several processes can share
/// the folder and a crash leaves no half of one.
pub(super) struct DiskCache {
    folder: PathBuf,
    /// Files written since the folder was last tidied up.
    written: Mutex<usize>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    kind: KeptKind,
    schema: String,
    references: Vec<KeptReference>,
    id: Option<u32>,
    guid: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum KeptKind {
    Avro,
    Protobuf,
    Json,
}

#[derive(Serialize, Deserialize)]
struct KeptReference {
    name: String,
    schema: String,
}

impl DiskCache {
    /// The schemas of one registry, below the cache's folder. Nothing is made yet.
    /// `identity` tells registries apart.
    pub(super) fn new(folder: &Path, identity: &str) -> Self {
        let name = hex(&Sha256::digest(identity)[..16]);
        Self {
            folder: folder.join("schemas").join(name),
            // The first write looks after what other processes have left.
            written: Mutex::new(MAX_FILES),
        }
    }

    /// What is kept by this name. A file that is not whole counts as none, with a warning.
    pub(super) fn read(&self, asked: &Asked) -> Option<Registered> {
        let path = self.folder.join(file_name(asked)?);
        let kept = match read(&path) {
            Ok(kept) => kept?,
            Err(why) => {
                tracing::warn!("{}: ignored: {why}", path.display());
                return None;
            }
        };
        Some(Registered {
            id: kept.id,
            guid: kept.guid.and_then(|guid| guid.parse().ok()),
            version: None,
            schema: Schema {
                schema_type: match kept.kind {
                    KeptKind::Avro => SchemaType::Avro,
                    KeptKind::Protobuf => SchemaType::Protobuf,
                    KeptKind::Json => SchemaType::Json,
                },
                text: kept.schema,
                references: kept
                    .references
                    .into_iter()
                    .map(|named| Reference {
                        name: named.name,
                        text: named.schema,
                    })
                    .collect(),
            },
        })
    }

    /// Keeps a schema by what was asked, its id and its GUID. A disk that is full or may not
    /// be written costs a warning.
    pub(super) fn write(&self, asked: &Asked, registered: &Registered) {
        let schema = &registered.schema;
        let kept = Kept {
            kind: match schema.schema_type {
                SchemaType::Avro => KeptKind::Avro,
                SchemaType::Protobuf => KeptKind::Protobuf,
                SchemaType::Json => KeptKind::Json,
            },
            schema: schema.text.clone(),
            references: schema
                .references
                .iter()
                .map(|named| KeptReference {
                    name: named.name.clone(),
                    schema: named.text.clone(),
                })
                .collect(),
            id: registered.id,
            guid: registered.guid.map(|guid| guid.to_string()),
        };
        let Ok(json) = serde_json::to_string(&kept) else {
            return;
        };
        let contents = format!("{}\n{json}", hex(&Sha256::digest(&json)));
        let mut names = vec![file_name(asked)];
        names.push(registered.id.and_then(|id| file_name(&Asked::Id(id))));
        names.push(
            registered
                .guid
                .and_then(|guid| file_name(&Asked::Guid(guid))),
        );
        names.sort();
        names.dedup();
        for name in names.into_iter().flatten() {
            if let Err(error) = self.put(&name, contents.as_bytes()) {
                tracing::warn!("{}: not kept: {error}", self.folder.join(name).display());
            }
        }
    }

    fn put(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == contents) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        let Ok(mut written) = self.written.lock() else {
            return Ok(());
        };
        // One writer a process at a time, so the process number makes the name its own.
        let partial = self
            .folder
            .join(format!("{name}.{}.partial", std::process::id()));
        let done = File::create(&partial).and_then(|mut file| {
            file.write_all(contents)?;
            fs::rename(&partial, &path)
        });
        if done.is_err() {
            let _ = fs::remove_file(&partial);
        }
        *written += 1;
        if *written > MAX_FILES / 10 {
            *written = 0;
            tidy_up(&self.folder, MAX_FILES, MAX_BYTES)?;
        }
        done
    }
}

/// Removes what was written longest ago until the rest is within the bounds.
fn tidy_up(folder: &Path, most: usize, most_bytes: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may have removed it meanwhile.
        if let Ok(metadata) = entry.metadata() {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    let mut count = files.len();
    for (_, size, path) in files {
        if count <= most && bytes <= most_bytes {
            break;
        }
        let _ = fs::remove_file(path);
        count -= 1;
        bytes -= size;
    }
    Ok(())
}

/// Only what never changes is kept.
fn file_name(asked: &Asked) -> Option<String> {
    match asked {
        Asked::Id(id) => Some(format!("id-{id}.json")),
        Asked::Guid(guid) => Some(format!("guid-{guid}.json")),
        Asked::Latest(_) | Asked::Version(..) => None,
    }
}

fn read(path: &Path) -> Result<Option<Kept>, String> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let (digest, json) = text.split_once('\n').ok_or("it has no checksum")?;
    if hex(&Sha256::digest(json)) != digest {
        return Err("its checksum is another: it was damaged".to_owned());
    }
    serde_json::from_str(json)
        .map(Some)
        .map_err(|error| format!("it is of another version of weir: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas::Guid;

    const GUID: Guid = Guid([7; 16]);

    fn registered(text: &str) -> Registered {
        Registered {
            id: Some(5),
            guid: Some(GUID),
            version: None,
            schema: Schema {
                schema_type: SchemaType::Protobuf,
                text: text.to_owned(),
                references: vec![Reference {
                    name: "a.proto".to_owned(),
                    text: "A\n".to_owned(),
                }],
            },
        }
    }

    #[test]
    fn another_process_reads_what_one_has_written() {
        let folder = tempfile::tempdir().unwrap();
        let schema = registered("text");
        DiskCache::new(folder.path(), "here").write(&Asked::Id(5), &schema);
        let later = DiskCache::new(folder.path(), "here");
        assert_eq!(later.read(&Asked::Id(5)), Some(schema.clone()));
        assert_eq!(later.read(&Asked::Guid(GUID)), Some(schema));
        assert_eq!(later.read(&Asked::Id(6)), None);
        let elsewhere = DiskCache::new(folder.path(), "elsewhere");
        assert_eq!(elsewhere.read(&Asked::Id(5)), None, "another registry");
    }

    #[test]
    fn what_is_not_whole_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path(), "here");
        cache.write(&Asked::Id(5), &registered("text"));
        let path = cache.folder.join("id-5.json");
        let whole = fs::read(&path).unwrap();
        for damage in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[damage] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(cache.read(&Asked::Id(5)), None, "byte {damage}");
            fs::write(&path, &whole[..damage]).unwrap();
            assert_eq!(cache.read(&Asked::Id(5)), None, "cut at {damage}");
        }
        cache.write(&Asked::Id(5), &registered("text"));
        assert_eq!(cache.read(&Asked::Id(5)), Some(registered("text")));
    }

    #[test]
    fn what_was_written_longest_ago_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let at = |second| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
        let write = |name: &str, second| {
            let file = File::create(folder.path().join(name)).unwrap();
            (&file).write_all(b"12345678").unwrap();
            file.set_modified(at(second)).unwrap();
        };
        for (name, second) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
            write(name, second);
        }
        let names = || {
            let mut names: Vec<_> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        tidy_up(folder.path(), 3, 1_000).unwrap();
        assert_eq!(names(), ["b", "c", "d"]);
        tidy_up(folder.path(), 3, 16).unwrap();
        assert_eq!(names(), ["c", "d"]);
    }

    #[test]
    fn a_folder_that_cannot_be_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = DiskCache::new(&file, "here");
        cache.write(&Asked::Id(5), &registered("text"));
        assert_eq!(cache.read(&Asked::Id(5)), None);
    }
}
