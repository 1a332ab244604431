//! `schema.registry` and `schema.files`: where plug-ins get schemas from.

use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use super::error::Location;
use super::keys;
use super::reader::{Given, Reader};
use super::secret::Secret;

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
    let url = reader.given(&keys::REGISTRY_URL);
    let files = reader.given(&keys::SCHEMA_FILES);
    if url.is_some() && files.is_some() {
        reader.contradiction(
            &keys::SCHEMA_FILES,
            "given beside `schema.registry.url`: keep one of the two",
        );
    }
    let registry = registry(reader);
    if url.is_none() {
        for key in [&keys::REGISTRY_USER_INFO, &keys::REGISTRY_TIMEOUT] {
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
    let url = reader.text(&keys::REGISTRY_URL);
    let url = url
        .map(|given| check_url(reader, &given))
        .unwrap_or_default();
    let user_info = reader.secret(&keys::REGISTRY_USER_INFO);
    if let Some(info) = &user_info {
        let (user, _) = info.reveal().split_once(':').unwrap_or_default();
        if user.is_empty() {
            let span = reader.place(&keys::REGISTRY_USER_INFO);
            let message = "not of the form user:password".to_owned();
            reader.invalid(&keys::REGISTRY_USER_INFO, span, message);
        }
    }
    RegistryConfig {
        url,
        user_info,
        request_timeout: reader.millis(&keys::REGISTRY_TIMEOUT),
    }
}

fn check_url(reader: &mut Reader<'_>, given: &Given) -> String {
    let problem = match given.value.parse::<Uri>() {
        _ if given.value.contains('#') => Some("has a fragment (`#…`)"),
        Err(_) => Some("is not a URL"),
        Ok(uri) => match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
                let message = "credentials in the URL would end up in logs: write them as \
                               `schema.registry.basic.auth.user.info: user:password`";
                reader.invalid(&keys::REGISTRY_URL, given.span, message.to_owned());
                None
            }
            (Some("http" | "https"), Some(_)) if uri.query().is_some() => {
                Some("has a query (`?…`)")
            }
            (Some("http" | "https"), Some(_)) => None,
            _ => Some("is not an http or https URL"),
        },
    };
    if let Some(problem) = problem {
        let shown = if given.value.contains('@') {
            "it"
        } else {
            &format!("`{}`", given.shown)
        };
        let message = format!("{shown} {problem}: write one such as http://localhost:8081");
        reader.invalid(&keys::REGISTRY_URL, given.span, message);
    }
    given.value.clone()
}

fn schema_files(reader: &mut Reader<'_>) -> Vec<SchemaFile> {
    let at = &keys::SCHEMA_FILES;
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
