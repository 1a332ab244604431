//! Schemas from local files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Registered, Schema, SchemaError, SchemaSource, SchemaType, SourceError};
use crate::config::{SchemaFile, SchemaName};

/// The largest schema file, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// Schemas that were read from files, all at once. Each stands for itself: files name
/// no references.
#[derive(Debug)]
pub struct FileSource {
    schemas: HashMap<SchemaName, Schema>,
}

impl FileSource {
    /// Reads the files.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn open(files: &[SchemaFile]) -> Result<Self, SourceError> {
        let schemas = files
            .iter()
            .map(|file| {
                Ok((
                    file.name.clone(),
                    read_schema(&file.path).map_err(|message| SourceError {
                        key: "schema.files",
                        declared: Box::new(file.declared.clone()),
                        message,
                    })?,
                ))
            })
            .collect::<Result<_, SourceError>>()?;
        Ok(Self { schemas })
    }

    fn find(&self, name: &SchemaName, what: &str) -> Result<Schema, SchemaError> {
        self.schemas.get(name).cloned().ok_or_else(|| {
            let mut names: Vec<String> = self.schemas.keys().map(describe).collect();
            names.sort();
            SchemaError::NotFound(format!(
                "{what} is not in `schema.files`, which has {}",
                names.join(", ")
            ))
        })
    }
}

impl SchemaSource for FileSource {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        self.find(&SchemaName::Id(id), &format!("schema {id}"))
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        let name = SchemaName::Subject(subject.to_owned());
        Ok(Registered {
            id: None,
            guid: None,
            version: None,
            schema: self.find(&name, &format!("the subject `{subject}`"))?,
        })
    }
}

fn describe(name: &SchemaName) -> String {
    match name {
        SchemaName::Id(id) => id.to_string(),
        SchemaName::Subject(subject) => format!("`{subject}`"),
    }
}

fn read_schema(path: &Path) -> Result<Schema, String> {
    let schema_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("avsc") => SchemaType::Avro,
        Some("proto") => SchemaType::Protobuf,
        Some("json") => SchemaType::Json,
        _ => {
            return Err(format!(
                "{} does not end in .avsc, .proto or .json",
                path.display()
            ));
        }
    };
    let text = read(path).map_err(|source| format!("cannot read {}: {source}", path.display()))?;
    if schema_type != SchemaType::Protobuf {
        serde_json::from_str::<serde::de::IgnoredAny>(&text)
            .map_err(|source| format!("{} is not JSON: {source}", path.display()))?;
    }
    Ok(Schema {
        schema_type,
        text,
        references: Vec::new(),
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {

    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::Location;

    fn open(name: &str, text: &[u8]) -> Result<FileSource, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        open_path(SchemaName::Id(7), path)
            .map_err(|error| error.replace(folder.path().to_str().unwrap(), "DIR"))
    }

    fn open_path(name: SchemaName, path: PathBuf) -> Result<FileSource, String> {
        let declared = Location::default();
        let file = SchemaFile {
            name,
            path,
            declared,
        };
        FileSource::open(&[file]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_extension_tells_the_language() {
        for (name, text, schema_type) in [
            ("a.avsc", "\"string\"", SchemaType::Avro),
            ("a.proto", "syntax = \"proto3\";", SchemaType::Protobuf),
            ("a.json", "{}", SchemaType::Json),
        ] {
            let schema = open(name, text.as_bytes()).unwrap().by_id(7).unwrap();
            assert_eq!(
                (schema.schema_type, schema.text.as_str()),
                (schema_type, text)
            );
        }
    }

    #[test]
    fn what_is_not_there_is_named_beside_what_is() {
        let source = open("a.avsc", b"\"string\"").unwrap();
        assert_eq!(
            source.by_id(8).unwrap_err(),
            SchemaError::NotFound("schema 8 is not in `schema.files`, which has 7".to_owned())
        );
        assert!(matches!(source.latest("7"), Err(SchemaError::NotFound(_))));
    }

    #[test]
    fn a_bad_file_is_told_at_open() {
        let missing = open_path(SchemaName::Id(1), PathBuf::from("/nowhere/a.avsc"));
        assert_eq!(
            missing.unwrap_err(),
            "cannot read /nowhere/a.avsc: No such file or directory (os error 2)"
        );
        assert_eq!(
            open("a.avsc", b"{\n  \"type\":\n").unwrap_err(),
            "DIR/a.avsc is not JSON: EOF while parsing a value at line 3 column 0"
        );
        assert_eq!(
            open("a.txt", b"{}").unwrap_err(),
            "DIR/a.txt does not end in .avsc, .proto or .json"
        );
        assert_eq!(
            open("a.proto", b"\xff").unwrap_err(),
            "cannot read DIR/a.proto: stream did not contain valid UTF-8"
        );
    }
}
