//! `schema.registry` and `schema.files`: where plug-ins get schemas from.

mod registry;

use std::path::PathBuf;

use super::error::Location;
use super::keys::schemas as keys;
use super::reader::Reader;
use super::yaml::Value;

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
    Files(SchemaFiles),
}

/// Schemas in files.
#[derive(Clone, Debug, Default)]
pub struct SchemaFiles {
    /// The schemas.
    pub files: Vec<SchemaFile>,
    /// Folders that imports and `$ref` are looked for in, before the folder of the file that
    /// has them.
    pub import_paths: Vec<PathBuf>,
}

/// One schema.
#[derive(Clone, Debug)]
pub struct SchemaFile {
    /// By what plug-ins ask for it.
    pub name: SchemaName,
    /// Its file, the last one; before it those of Avro types that it names, each before those
    /// that name it. The extension tells the language: one of [`SCHEMA_EXTENSIONS`].
    pub paths: Vec<PathBuf>,
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
pub const SCHEMA_EXTENSIONS: [&str; 7] =
    ["avsc", "proto", "json", "desc", "pb", "binpb", "protoset"];

/// The same, for people.
pub const SCHEMA_EXTENSIONS_SHOWN: &str = ".avsc, .proto, .json, .desc, .pb, .binpb or .protoset";

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
        (Some(_), _) => {
            if reader.given(&keys::IMPORT_PATHS).is_some() {
                reader.contradiction(&keys::IMPORT_PATHS, "needs `schema.files`");
            }
            SchemasConfig::Registry(Box::new(registry::read(reader)))
        }
        (None, files) => {
            registry::refuse_without_url(reader);
            match files {
                Some(_) => SchemasConfig::Files(schema_files(reader)),
                None => {
                    if reader.given(&keys::IMPORT_PATHS).is_some() {
                        reader.contradiction(&keys::IMPORT_PATHS, "needs `schema.files`");
                    }
                    SchemasConfig::None
                }
            }
        }
    }
}

fn schema_files(reader: &mut Reader<'_>) -> SchemaFiles {
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
        let nodes = match node.value {
            Value::List(nodes) => nodes,
            _ => vec![node],
        };
        let nothing = nodes.is_empty();
        let mut paths = Vec::with_capacity(nodes.len());
        let mut place = span;
        for node in nodes {
            let Some(given) = reader.entry(at, &node) else {
                continue;
            };
            let path = reader.outside.resolve(&given.value);
            let extension = path.extension().and_then(|extension| extension.to_str());
            if !extension.is_some_and(|extension| SCHEMA_EXTENSIONS.contains(&extension)) {
                let message = format!(
                    "`{}` does not end in {SCHEMA_EXTENSIONS_SHOWN}",
                    given.shown
                );
                reader.invalid(at, given.span, message);
            }
            paths.push(path);
            place = given.span;
        }
        if nothing {
            let message = "names no file: write for example `./orders.avsc`".to_owned();
            reader.invalid(at, span, message);
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
            paths,
            declared: reader.text.location(place),
        });
    }
    let folders = reader.list(&keys::IMPORT_PATHS).into_iter();
    SchemaFiles {
        files,
        import_paths: folders
            .map(|given| reader.outside.resolve(&given.value))
            .collect(),
    }
}
