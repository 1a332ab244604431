//! Subjects, versions and schemas.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::{Request, Response};

/// A schema to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchema {
    /// The schema's text.
    pub schema: String,
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub kind: String,
    /// Other schemas that the text refers to.
    pub references: Vec<Reference>,
}

/// A schema that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name used in the referring schema.
    pub name: String,
    /// The subject that has the schema.
    pub subject: String,
    /// Its version under that subject, from 1.
    pub version: u32,
}

impl NewSchema {
    /// An Avro schema without references.
    #[must_use]
    pub fn avro(schema: &str) -> Self {
        Self::of_kind("AVRO", schema)
    }

    /// A Protobuf file without references.
    #[must_use]
    pub fn protobuf(schema: &str) -> Self {
        Self::of_kind("PROTOBUF", schema)
    }

    /// A JSON Schema without references.
    #[must_use]
    pub fn json(schema: &str) -> Self {
        Self::of_kind("JSON", schema)
    }

    /// Adds a reference.
    #[must_use]
    pub fn reference(mut self, name: &str, subject: &str, version: u32) -> Self {
        let (name, subject) = (name.to_owned(), subject.to_owned());
        self.references.push(Reference {
            name,
            subject,
            version,
        });
        self
    }

    fn of_kind(kind: &str, schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            kind: kind.to_owned(),
            references: Vec::new(),
        }
    }

    fn from_json(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let kind = body["schemaType"].as_str().unwrap_or("AVRO");
        let mut schema = Self::of_kind(kind, body["schema"].as_str()?);
        for reference in body["references"].as_array().into_iter().flatten() {
            let version = u32::try_from(reference["version"].as_u64()?).ok()?;
            let (name, subject) = (reference["name"].as_str()?, reference["subject"].as_str()?);
            schema = schema.reference(name, subject, version);
        }
        Some(schema)
    }

    /// As the registry writes it: the type is left out for Avro, references when there are none.
    fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("schema".to_owned(), json!(self.schema));
        if self.kind != "AVRO" {
            fields.insert("schemaType".to_owned(), json!(self.kind));
        }
        if !self.references.is_empty() {
            let references = self.references.iter().map(
                |Reference {
                     name,
                     subject,
                     version,
                 }| {
                    json!({ "name": name, "subject": subject, "version": version })
                },
            );
            fields.insert("references".to_owned(), references.collect());
        }
        fields
    }
}

#[derive(Debug, Default)]
pub(super) struct Store {
    /// The schema with id n is at n - 1.
    schemas: Vec<NewSchema>,
    /// The ids of each subject's versions; version n is at n - 1.
    subjects: BTreeMap<String, Vec<u32>>,
    /// Why no schema is compatible with what a subject has.
    refusals: BTreeMap<String, String>,
}

impl Store {
    pub(super) fn register(&mut self, subject: &str, schema: NewSchema) -> u32 {
        let known = self.schemas.iter().position(|other| *other == schema);
        let index = known.unwrap_or_else(|| {
            self.schemas.push(schema);
            self.schemas.len() - 1
        });
        let id = u32::try_from(index + 1).expect("few schemas");
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    pub(super) fn refuse(&mut self, subject: &str, why: &str) {
        self.refusals.insert(subject.to_owned(), why.to_owned());
    }

    pub(super) fn versions(&self, subject: &str) -> Vec<u32> {
        self.subjects.get(subject).cloned().unwrap_or_default()
    }

    pub(super) fn schema(&self, id: u32) -> Option<&NewSchema> {
        self.schemas.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    pub(super) fn answer(&mut self, request: &Request) -> Response {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["subjects"]) => Response::json(200, &self.subjects.keys().cloned().collect()),
            ("GET", ["schemas", "ids", id]) => self.by_id(id.parse().ok()),
            ("GET", ["schemas", "guids", guid]) => self.by_id(id_of(guid)),
            ("GET", ["subjects", subject, "versions"]) => match self.subjects.get(*subject) {
                Some(ids) => Response::json(200, &(1..=ids.len()).collect()),
                None => no_subject(),
            },
            ("GET", ["subjects", subject, "versions", version]) => self.version(subject, version),
            ("POST", ["subjects", subject, "versions"]) => {
                if let Some(why) = self.refusals.get(*subject) {
                    return error(409, 409, why);
                }
                match NewSchema::from_json(&request.body) {
                    Some(schema) => {
                        let id = self.register(subject, schema);
                        Response::json(200, &json!({ "id": id, "guid": guid_of(id) }))
                    }
                    None => error(422, 42201, "Invalid schema"),
                }
            }
            ("POST", ["subjects", subject]) => self.look_up(subject, &request.body),
            _ => error(404, 404, "HTTP 404 Not Found"),
        }
    }

    fn by_id(&self, id: Option<u32>) -> Response {
        let found = id.and_then(|id| Some((id, self.schema(id)?)));
        let Some((id, schema)) = found else {
            return error(404, 40403, "Schema not found");
        };
        let mut fields = schema.to_json();
        fields.insert("guid".to_owned(), json!(guid_of(id)));
        Response::json(200, &Value::Object(fields))
    }

    fn version(&self, subject: &str, version: &str) -> Response {
        let Some(ids) = self.subjects.get(subject) else {
            return no_subject();
        };
        let number = match version {
            "latest" => ids.len(),
            number => number.parse().unwrap_or(0),
        };
        match number.checked_sub(1).and_then(|index| ids.get(index)) {
            Some(id) => self.registered(subject, number, *id),
            None => error(404, 40402, "Version not found"),
        }
    }

    fn look_up(&self, subject: &str, body: &[u8]) -> Response {
        let Some(ids) = self.subjects.get(subject) else {
            return no_subject();
        };
        let wanted = NewSchema::from_json(body);
        let found = ids
            .iter()
            .position(|id| self.schema(*id) == wanted.as_ref());
        match found {
            Some(index) => self.registered(subject, index + 1, ids[index]),
            None => error(404, 40403, "Schema not found"),
        }
    }

    fn registered(&self, subject: &str, version: usize, id: u32) -> Response {
        let mut fields = self.schema(id).map(NewSchema::to_json).unwrap_or_default();
        fields.insert("subject".to_owned(), json!(subject));
        fields.insert("version".to_owned(), json!(version));
        fields.insert("id".to_owned(), json!(id));
        fields.insert("guid".to_owned(), json!(guid_of(id)));
        Response::json(200, &Value::Object(fields))
    }
}

/// An error in the registry's form; `code` begins with the status.
pub(super) fn error(status: u16, code: u32, message: &str) -> Response {
    let body = json!({ "error_code": code, "message": message });
    Response::json(status, &body)
}

fn no_subject() -> Response {
    error(404, 40401, "Subject not found")
}

/// The globally unique id of wire format v1, here made from the id.
fn guid_of(id: u32) -> String {
    format!("00000000-0000-4000-8000-{id:012x}")
}

fn id_of(guid: &str) -> Option<u32> {
    u32::from_str_radix(guid.strip_prefix("00000000-0000-4000-8000-")?, 16).ok()
}
