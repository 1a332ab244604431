//! `schema.registry` and `schema.files`: where plug-ins get schemas from.

mod registry;

use std::path::PathBuf;

use super::error::Location;
use super::keys::schemas as keys;
use super::reader::Reader;

pub use registry::{
    BearerSource, Declared, OauthConfig, Pem, RegistryAuth, RegistryConfig, RegistryTls, Retries,
};

/// Where schemas come from.
#[derive(Clone, Debug)]
pub enum SchemasConfig {
    /// Nowhere: the plug-ins need none.
    None,
    /// A schema registry.
    Registry(Box<RegistryConfig>),
    /// Files.
    Files(Vec<SchemaFile>),
}

/// One schema in a file.
#[derive(Clone, Debug)]
pub struct SchemaFile {
    /// By what plug-ins ask for it.
    pub name: SchemaName,
    /// Its extension tells the language: `.avsc`, `.proto` or `.json`.
    pub path: PathBuf,
    /// Where the pipeline file names it.
    pub declared: Location,
}

/// By what plug-ins ask for a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SchemaName {
    /// The id in the Confluent wire format.
    Id(u32),
    /// A subject, for which this is the latest schema.
    Subject(String),
}

/// The extensions of schema files.
pub const SCHEMA_EXTENSIONS: [&str; 3] = ["avsc", "proto", "json"];

pub(super) fn read(reader: &mut Reader<'_>) -> SchemasConfig {
    let url = reader.given(&keys::URL);
    let files = reader.given(&keys::FILES);
    if url.is_some() && files.is_some() {
        reader.contradiction(
            &keys::FILES,
            "given beside `schema.registry.url`: keep one of the two",
        );
    }
    match (url, files) {
        (Some(_), _) => SchemasConfig::Registry(Box::new(registry::read(reader))),
        (None, files) => {
            registry::refuse_without_url(reader);
            match files {
                Some(_) => SchemasConfig::Files(schema_files(reader)),
                None => SchemasConfig::None,
            }
        }
    }
}

fn schema_files(reader: &mut Reader<'_>) -> Vec<SchemaFile> {
    let at = &keys::FILES;
    let mut files = Vec::new();
    let entries = reader.map(at);
    if entries.is_empty() {
        let span = reader.place(at);
        let message = "names no file: write for example `{ 1: ./orders.avsc }`".to_owned();
        reader.invalid(at, span, message);
    }
    for (name, span, node) in entries {
        if name.is_empty() {
            reader.invalid(at, span, "a schema needs an id or a subject".to_owned());
        }
        if name.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && name
                .trim_start_matches('-')
                .bytes()
                .all(|b| b.is_ascii_digit())
            && name.parse::<u32>().is_err()
        {
            let message = format!("`{name}` is not a schema id: those are 0 to {}", u32::MAX);
            reader.invalid(at, span, message);
        }
        let Some(given) = reader.entry(at, &node) else {
            continue;
        };
        let path = reader.outside.resolve(&given.value);
        let extension = path.extension().and_then(|extension| extension.to_str());
        if !extension.is_some_and(|extension| SCHEMA_EXTENSIONS.contains(&extension)) {
            let message = format!("`{}` does not end in .avsc, .proto or .json", given.shown);
            reader.invalid(at, given.span, message);
        }
        let name = match name.parse() {
            Ok(id) => SchemaName::Id(id),
            Err(_) => SchemaName::Subject(name),
        };
        if files.iter().any(|file: &SchemaFile| file.name == name) {
            let message = "the same id is there twice: remove one".to_owned();
            reader.invalid(at, span, message);
        }
        files.push(SchemaFile {
            name,
            path,
            declared: reader.text.location(given.span),
        });
    }
    files
}
