//! One schema with everything that it names, from a registry.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::http::{Client, encode_segment};
use super::{
    Guid, NewSchema, Reference, Registered, Registration, Schema, SchemaError, SchemaType,
};

/// How deep references may go.
const MAX_DEPTH: usize = 32;
/// How many references a schema may have, indirect ones included.
const MAX_REFERENCES: usize = 256;
/// How large a schema may be with all its references, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// How long a schema with all its references may take, in times of one request.
const MAX_REQUEST_TIMES: u32 = 4;

/// What a registry answers for a schema.
#[derive(Deserialize)]
struct Answered {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    references: Option<Vec<AnsweredReference>>,
    id: Option<u32>,
    guid: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct AnsweredReference {
    name: String,
    subject: String,
    version: i64,
}

/// What a registry answers when a schema is registered.
#[derive(Deserialize)]
struct AnsweredRegistration {
    id: u32,
    guid: Option<String>,
}

/// The fetching of one schema with everything that it names.
pub(super) struct Fetch<'a> {
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
    pub(super) fn new(client: &'a Client, now: Instant) -> Self {
        Self {
            client,
            deadline: now + client.timeout() * MAX_REQUEST_TIMES,
            names: HashSet::new(),
            path: Vec::new(),
            references: Vec::new(),
            bytes: 0,
        }
    }

    /// What is at a path.
    pub(super) fn schema(mut self, path: &str) -> Result<Registered, SchemaError> {
        let root = self.get(path)?;
        self.whole(path, root)
    }

    /// The version of a subject that is this very schema.
    pub(super) fn look_up(
        mut self,
        subject: &str,
        schema: &NewSchema,
    ) -> Result<Registered, SchemaError> {
        let path = format!("/subjects/{}", encode_segment(subject));
        let root: Answered = self.client.post(&path, &body(schema), self.deadline)?;
        self.count(&path, root.schema.len())?;
        self.whole(&path, root)
    }

    fn whole(mut self, path: &str, root: Answered) -> Result<Registered, SchemaError> {
        let schema_type = schema_type(path, root.schema_type.as_deref())?;
        self.resolve(root.references.unwrap_or_default())?;
        Ok(Registered {
            id: root.id,
            guid: root.guid.and_then(|guid| guid.parse().ok()),
            version: root.version,
            schema: Schema {
                schema_type,
                text: root.schema,
                references: self.references,
            },
        })
    }

    /// Adds what is named, each after all that it names itself. A name counts once, as
    /// for Confluent's own clients: the first schema by it is the one.
    fn resolve(&mut self, references: Vec<AnsweredReference>) -> Result<(), SchemaError> {
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
            let path = reference_path(&reference.subject, reference.version);
            let answered = self.get(&path).map_err(|error| named(&name, error))?;
            self.path.push(name);
            self.resolve(answered.references.unwrap_or_default())?;
            if let Some(name) = self.path.pop() {
                let text = answered.schema;
                self.references.push(Reference { name, text });
            }
        }
        Ok(())
    }

    fn get(&mut self, path: &str) -> Result<Answered, SchemaError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Err(SchemaError::Unavailable(format!(
                "the registry is too slow for {} references: {path} was not asked for",
                self.references.len()
            )));
        }
        let answered: Answered = self.client.get(path, self.deadline)?;
        self.count(path, answered.schema.len())?;
        Ok(answered)
    }

    fn count(&mut self, path: &str, bytes: usize) -> Result<(), SchemaError> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(refused(format!(
                "a schema of more than {MAX_BYTES} bytes, at {path}"
            )));
        }
        Ok(())
    }
}

/// Registers a schema under a subject.
pub(super) fn register(
    client: &Client,
    subject: &str,
    schema: &NewSchema,
    now: Instant,
) -> Result<Registration, SchemaError> {
    let path = format!("/subjects/{}/versions", encode_segment(subject));
    let deadline = now + client.timeout() * MAX_REQUEST_TIMES;
    let answered: AnsweredRegistration = client.post(&path, &body(schema), deadline)?;
    Ok(Registration {
        id: answered.id,
        guid: answered.guid.and_then(|guid| guid.parse::<Guid>().ok()),
    })
}

/// As Confluent's clients write it: without the type for Avro, which registries before
/// 5.5 do not know.
fn body(schema: &NewSchema) -> Value {
    let mut body = Map::new();
    body.insert("schema".to_owned(), json!(schema.text));
    let name = match schema.schema_type {
        SchemaType::Avro => None,
        SchemaType::Protobuf => Some("PROTOBUF"),
        SchemaType::Json => Some("JSON"),
    };
    if let Some(name) = name {
        body.insert("schemaType".to_owned(), json!(name));
    }
    if !schema.references.is_empty() {
        let references = schema.references.iter().map(|named| {
            json!({ "name": named.name, "subject": named.subject, "version": named.version })
        });
        body.insert("references".to_owned(), references.collect());
    }
    Value::Object(body)
}

/// A version that was deleted since is still what the schema was registered with.
fn reference_path(subject: &str, version: i64) -> String {
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
