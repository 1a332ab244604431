//! `schema.registry` and `schema.files`: where plug-ins get schemas from.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Location;
use super::keys;
use super::reader::Reader;
use super::secret::Secret;
use super::url;

/// Where schemas come from.
#[derive(Clone, Debug)]
pub enum SchemasConfig {
    /// Nowhere: the plug-ins need none.
    None,
    /// A schema registry.
    Registry(RegistryConfig),
    /// Files.
    Files(Vec<SchemaFile>),
}

/// A schema registry.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// `http` or `https`, with no user, query or fragment; a path is a prefix.
    pub url: String,
    /// `user:password`.
    pub user_info: Option<Secret>,
    /// For one request as a whole.
    pub request_timeout: Duration,
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
    let url = reader.given(&keys::plugins::REGISTRY_URL);
    let files = reader.given(&keys::plugins::SCHEMA_FILES);
    if url.is_some() && files.is_some() {
        reader.contradiction(
            &keys::plugins::SCHEMA_FILES,
            "given beside `schema.registry.url`: keep one of the two",
        );
    }
    let registry = registry(reader);
    if url.is_none() {
        for key in [
            &keys::plugins::REGISTRY_USER_INFO,
            &keys::plugins::REGISTRY_TIMEOUT,
        ] {
            if reader.given(key).is_some() {
                reader.contradiction(key, "needs `schema.registry.url`");
            }
        }
    }
    match (url, files) {
        (Some(_), _) => SchemasConfig::Registry(registry),
        (None, Some(_)) => SchemasConfig::Files(schema_files(reader)),
        (None, None) => SchemasConfig::None,
    }
}

fn registry(reader: &mut Reader<'_>) -> RegistryConfig {
    let credentials = "`schema.registry.basic.auth.user.info: user:password`";
    let url = url::read(reader, &keys::plugins::REGISTRY_URL, credentials).unwrap_or_default();
    let user_info = reader.secret(&keys::plugins::REGISTRY_USER_INFO);
    if let Some(info) = &user_info {
        let (user, _) = info.reveal().split_once(':').unwrap_or_default();
        if user.is_empty() {
            let span = reader.place(&keys::plugins::REGISTRY_USER_INFO);
            let message = "not of the form user:password".to_owned();
            reader.invalid(&keys::plugins::REGISTRY_USER_INFO, span, message);
        }
    }
    RegistryConfig {
        url,
        user_info,
        request_timeout: reader.millis(&keys::plugins::REGISTRY_TIMEOUT),
    }
}

fn schema_files(reader: &mut Reader<'_>) -> Vec<SchemaFile> {
    let at = &keys::plugins::SCHEMA_FILES;
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
