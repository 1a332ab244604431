//! Schemas from a Confluent-compatible schema registry.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::cache::{Asked, Cache};
use super::http::{Client, encode_segment};
use super::{Reference, Schema, SchemaError, SchemaSource, SchemaType};
use crate::config::RegistryConfig;

/// How deep references may go.
const MAX_DEPTH: usize = 32;
/// How many references a schema may have, indirect ones included.
const MAX_REFERENCES: usize = 256;
/// How large a schema may be with all its references, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// How long a schema with all its references may take, in times of one request.
const MAX_REQUEST_TIMES: u32 = 4;

/// A schema registry, asked over HTTP. What it has answered once is kept: an id for
/// ever, a subject's latest schema for 5 minutes, an absence for 10 seconds; and while
/// it is down it is left in peace, for 200 ms at first and 5 s at most.
pub struct RegistrySource {
    client: Client,
    /// Not held during a request.
    cache: Mutex<Cache>,
}

impl RegistrySource {
    /// Makes ready to ask; nothing is sent yet.
    #[must_use]
    pub fn new(config: &RegistryConfig) -> Self {
        Self {
            client: Client::new(config),
            cache: Mutex::default(),
        }
    }

    fn ask(&self, asked: Asked) -> Result<Schema, SchemaError> {
        let started = Instant::now();
        if let Some(answer) = self.cache().get(&asked, started) {
            return answer.map(Arc::unwrap_or_clone);
        }
        let path = match &asked {
            Asked::Id(id) => format!("/schemas/ids/{id}"),
            Asked::Latest(subject) => {
                format!("/subjects/{}/versions/latest", encode_segment(subject))
            }
        };
        let answer = Fetch::new(&self.client, started).schema(&path);
        let (id, answer) = match answer {
            Ok((id, schema)) => (id, Ok(Arc::new(schema))),
            Err(error) => (None, Err(error)),
        };
        let now = Instant::now();
        let mut cache = self.cache();
        if let (Asked::Latest(_), Some(id)) = (&asked, id) {
            cache.put(Asked::Id(id), &answer, started, now);
        }
        cache.put(asked, &answer, started, now);
        drop(cache);
        answer.map(Arc::unwrap_or_clone)
    }

    /// A thread that panicked has left the cache whole: every change to it is one call.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SchemaSource for RegistrySource {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        self.ask(Asked::Id(id))
    }

    fn latest(&self, subject: &str) -> Result<Schema, SchemaError> {
        self.ask(Asked::Latest(subject.to_owned()))
    }
}

/// What a registry answers for a schema.
#[derive(Deserialize)]
struct Registered {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    references: Option<Vec<RegisteredReference>>,
    id: Option<u32>,
}

#[derive(Deserialize)]
struct RegisteredReference {
    name: String,
    subject: String,
    version: i64,
}

/// The fetching of one schema with everything that it names.
struct Fetch<'a> {
    client: &'a Client,
    deadline: Instant,
    /// Names that are resolved, or being resolved.
    names: HashSet<String>,
    /// The names that lead to the one being resolved.
    path: Vec<String>,
    references: Vec<Reference>,
    bytes: usize,
}

impl<'a> Fetch<'a> {
    fn new(client: &'a Client, now: Instant) -> Self {
        Self {
            client,
            deadline: now + client.timeout() * MAX_REQUEST_TIMES,
            names: HashSet::new(),
            path: Vec::new(),
            references: Vec::new(),
            bytes: 0,
        }
    }

    fn schema(mut self, path: &str) -> Result<(Option<u32>, Schema), SchemaError> {
        let root = self.get(path)?;
        let schema_type = schema_type(path, root.schema_type.as_deref())?;
        self.resolve(root.references.unwrap_or_default())?;
        let schema = Schema {
            schema_type,
            text: root.schema,
            references: self.references,
        };
        Ok((root.id, schema))
    }

    /// Adds what is named, each after all that it names itself. A name counts once, as
    /// for Confluent's own clients: the first schema by it is the one.
    fn resolve(&mut self, references: Vec<RegisteredReference>) -> Result<(), SchemaError> {
        for reference in references {
            let name = reference.name;
            if self.path.contains(&name) {
                let cycle = self.path.join(" → ");
                return Err(refused(format!(
                    "references go in a circle: {cycle} → {name}"
                )));
            }
            if !self.names.insert(name.clone()) {
                continue;
            }
            if self.path.len() >= MAX_DEPTH || self.names.len() > MAX_REFERENCES {
                return Err(refused(format!(
                    "more than {MAX_REFERENCES} references, or more than {MAX_DEPTH} in a row, \
                     at `{name}`"
                )));
            }
            let path = version_path(&reference.subject, reference.version);
            let registered = self.get(&path).map_err(|error| named(&name, error))?;
            self.path.push(name);
            self.resolve(registered.references.unwrap_or_default())?;
            if let Some(name) = self.path.pop() {
                let text = registered.schema;
                self.references.push(Reference { name, text });
            }
        }
        Ok(())
    }

    fn get(&mut self, path: &str) -> Result<Registered, SchemaError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(SchemaError::Unavailable(format!(
                "the registry is too slow for {} references: {path} was not asked for",
                self.references.len()
            )));
        }
        let registered: Registered = self.client.get(path, left.min(self.client.timeout()))?;
        self.bytes += registered.schema.len();
        if self.bytes > MAX_BYTES {
            return Err(refused(format!(
                "a schema of more than {MAX_BYTES} bytes, at {path}"
            )));
        }
        Ok(registered)
    }
}

/// A version that was deleted since is still what the schema was registered with.
fn version_path(subject: &str, version: i64) -> String {
    let subject = encode_segment(subject);
    if version == -1 {
        format!("/subjects/{subject}/versions/latest")
    } else {
        format!("/subjects/{subject}/versions/{version}?deleted=true")
    }
}

fn schema_type(path: &str, name: Option<&str>) -> Result<SchemaType, SchemaError> {
    match name {
        None | Some("AVRO") => Ok(SchemaType::Avro),
        Some("PROTOBUF") => Ok(SchemaType::Protobuf),
        Some("JSON") => Ok(SchemaType::Json),
        Some(other) => Err(refused(format!(
            "{path}: the schema type `{other}` is unknown"
        ))),
    }
}

/// The error of a schema that another one names. The records are not at fault when a
/// reference is not there: the registry is broken.
fn named(name: &str, error: SchemaError) -> SchemaError {
    let add = |message: String| format!("the referenced schema `{name}`: {message}");
    match error {
        SchemaError::Unavailable(message) => SchemaError::Unavailable(add(message)),
        SchemaError::NotFound(message) | SchemaError::Refused(message) => {
            SchemaError::Refused(add(message))
        }
    }
}

fn refused(message: String) -> SchemaError {
    SchemaError::Refused(message)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
