//! Schemas from local files, each with the files that it names.

mod avro;
mod descriptors;
mod json;
mod load;
mod proto;

use std::collections::HashMap;

use super::{Reference, Registered, Schema, SchemaError, SchemaSource, SchemaType, SourceError};
use crate::config::{SchemaFile, SchemaFiles, SchemaName};
use load::Loader;

/// Schemas that were read from files, all at once.
#[derive(Debug)]
pub struct FileSource {
    schemas: HashMap<SchemaName, Schema>,
    /// By the CRC-64-AVRO fingerprints of those in Avro.
    fingerprints: HashMap<u64, SchemaName>,
}

impl FileSource {
    /// Reads the files, and those that they name.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn open(files: &SchemaFiles) -> Result<Self, SourceError> {
        let mut schemas = HashMap::new();
        let mut fingerprints = HashMap::new();
        for file in &files.files {
            let schema = read(file, files).map_err(|message| SourceError {
                key: "schema.files",
                declared: Box::new(file.declared.clone()),
                message,
            })?;
            if schema.schema_type == SchemaType::Avro {
                match avro::fingerprint(&schema) {
                    Ok(fingerprint) => {
                        fingerprints.insert(fingerprint, file.name.clone());
                    }
                    // Who reads it may be more lenient, and says so otherwise.
                    Err(error) => {
                        tracing::debug!("{}: no fingerprint: {error}", describe(&file.name));
                    }
                }
            }
            schemas.insert(file.name.clone(), schema);
        }
        Ok(Self {
            schemas,
            fingerprints,
        })
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

    fn by_fingerprint(&self, fingerprint: u64) -> Result<Schema, SchemaError> {
        let found = self.fingerprints.get(&fingerprint);
        let found = found.and_then(|name| self.schemas.get(name));
        found.cloned().ok_or_else(|| {
            let mut known: Vec<String> = self
                .fingerprints
                .iter()
                .map(|(fingerprint, name)| format!("{fingerprint:016x} ({})", describe(name)))
                .collect();
            known.sort();
            SchemaError::NotFound(match known.len() {
                0 => "`schema.files` has no Avro schema".to_owned(),
                _ => format!(
                    "no Avro schema in `schema.files` has the fingerprint {fingerprint:016x}; \
                     there are {}",
                    known.join(", ")
                ),
            })
        })
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

/// The last file is the schema; those before it are what it names, in the order of the list.
fn read(file: &SchemaFile, files: &SchemaFiles) -> Result<Schema, String> {
    let mut loader = Loader::new(&files.import_paths);
    let Some((own, named)) = file.paths.split_last() else {
        return Err("names no file".to_owned());
    };
    let extension = |path: &std::path::Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.unwrap_or_default().to_owned()
    };
    let kind = extension(own);
    if let Some(other) = named.iter().find(|path| extension(path) != kind) {
        return Err(format!(
            "{} and {} are of two languages",
            other.display(),
            own.display()
        ));
    }
    match kind.as_str() {
        "avsc" => avro::read(&mut loader, named, own),
        "proto" | "json" | "desc" | "pb" | "binpb" | "protoset" if !named.is_empty() => {
            Err(format!(
                "a list of files is for Avro: {} names what else it needs itself",
                own.display()
            ))
        }
        "proto" => proto::read(&mut loader, own),
        "json" => json::read(&mut loader, own),
        "desc" | "pb" | "binpb" | "protoset" => descriptors::read(&mut loader, own),
        _ => Err(format!(
            "{} does not end in {}",
            own.display(),
            crate::config::SCHEMA_EXTENSIONS_SHOWN
        )),
    }
}

#[cfg(test)]
mod tests;
