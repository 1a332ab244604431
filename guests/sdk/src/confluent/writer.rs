//! Batches of rows in, messages out; which schema they have is settled once for each target.

use std::collections::HashMap;

use super::payloads::PayloadBuilder;
use super::write_options::{SubjectNameStrategy, WriteFraming, WriteOptions, WriteValidation};
use super::{HostSchemas, prefix_of};
use crate::rows::Field;
use crate::schemas::{self, NewSchema, Schema, SchemaError, SchemaType};
use crate::{BatchError, Description, Encoded, Part, RowBatch, Serializer, Target};

/// How rows are written in one language of schemas.
pub trait WriteFormat: 'static {
    /// The language.
    const TYPE: SchemaType;

    /// Whether messages can be held against their schema once more.
    const VALIDATES: bool = false;

    /// Whether Avro's single-object encoding is one of its framings.
    const SINGLE_OBJECT: bool = false;

    /// How rows of one schema are written.
    type Plan: 'static;

    /// The plug-in that writes it: see [`Serializer::describe`].
    fn describe() -> Description;

    /// The text of a schema for these columns, in pre-order; `name` is the full name of the
    /// record, and `part` is what the payload will be.
    ///
    /// # Errors
    /// For people: a column, and why it has no place in a schema.
    fn derive(fields: &[Field], name: &str, part: Part) -> Result<String, String>;

    /// The full name of the record that the schema describes.
    ///
    /// # Errors
    /// For people: why it has none.
    fn record_name(schema: &Schema) -> Result<String, String>;

    /// How these columns are written by a schema. `name` is the record, where a schema has
    /// several; `validate` is given only where [`VALIDATES`](Self::VALIDATES) is true.
    ///
    /// # Errors
    /// For people: what does not fit.
    fn compile(
        schema: &Schema,
        fields: &[Field],
        part: Part,
        name: Option<&str>,
        validate: bool,
    ) -> Result<Self::Plan, String>;

    /// What follows the id of the schema: message indexes, for Protobuf.
    fn indexes(_plan: &Self::Plan) -> &[u8] {
        &[]
    }

    /// What Avro's single-object encoding begins with.
    ///
    /// # Errors
    /// For people.
    fn single_object(_schema: &Schema) -> Result<Vec<u8>, String> {
        Err("only Avro has single objects".to_owned())
    }

    /// Writes rows, each by one call of a method of `payloads`.
    fn write(plan: &Self::Plan, rows: &RowBatch, payloads: &mut PayloadBuilder);
}

/// Where schemas are looked for and registered: the host, or a map in tests.
///
/// # Errors
/// As the WIT interface `schemas` has them, for each method.
pub trait SchemaRegistry {
    /// The schema with this id.
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError>;
    /// The latest version of a subject.
    fn latest(&self, subject: &str) -> Result<schemas::Registered, SchemaError>;
    /// The version of a subject that is this very schema.
    fn look_up(
        &self,
        subject: &str,
        schema: &NewSchema,
    ) -> Result<schemas::Registered, SchemaError>;
    /// Registers a schema, or finds that it is registered already.
    fn register(
        &self,
        subject: &str,
        schema: &NewSchema,
    ) -> Result<schemas::Registration, SchemaError>;
}

impl SchemaRegistry for HostSchemas {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        schemas::by_id(id)
    }

    fn latest(&self, subject: &str) -> Result<schemas::Registered, SchemaError> {
        schemas::latest(subject)
    }

    fn look_up(
        &self,
        subject: &str,
        schema: &NewSchema,
    ) -> Result<schemas::Registered, SchemaError> {
        schemas::look_up(subject, schema)
    }

    fn register(
        &self,
        subject: &str,
        schema: &NewSchema,
    ) -> Result<schemas::Registration, SchemaError> {
        schemas::register(subject, schema)
    }
}

/// Writes rows for any number of targets.
pub struct Writer<F: WriteFormat> {
    part: Part,
    options: WriteOptions,
    targets: HashMap<u32, Prepared<F::Plan>>,
}

struct Prepared<P> {
    plan: P,
    payloads: PayloadBuilder,
    /// The value of the header that names the schema, where the framing has one.
    header: Option<Vec<u8>>,
}

/// A schema, and what it is known by in the registry.
struct Known {
    schema: Schema,
    id: Option<u32>,
    guid: Option<schemas::Guid>,
    /// Where it is from, for people.
    origin: String,
}

/// The plug-in, whose schemas the host has.
impl<F: WriteFormat> Serializer for Writer<F> {
    fn describe() -> Description {
        F::describe()
    }

    fn open(part: Part, options: &str) -> Result<Self, String> {
        Writer::open(part, WriteOptions::parse(options)?)
    }

    fn prepare(&mut self, number: u32, target: Target) -> Result<(), BatchError> {
        Writer::prepare(self, number, &target, &HostSchemas)
    }

    fn encode(&mut self, rows: &RowBatch) -> Result<Encoded, BatchError> {
        Writer::encode(self, rows)
    }
}

impl<F: WriteFormat> Writer<F> {
    /// A writer without targets.
    ///
    /// # Errors
    /// For people: an option that the format does not have.
    pub fn open(part: Part, options: WriteOptions) -> Result<Self, String> {
        if options.validation == WriteValidation::On && !F::VALIDATES {
            return Err("`validation`: only JSON Schema has rules beyond types".to_owned());
        }
        if options.framing == WriteFraming::SingleObject && !F::SINGLE_OBJECT {
            return Err(
                "`framing: single-object` is Avro's: take `prefix`, `header` or `raw`".to_owned(),
            );
        }
        Ok(Self {
            part,
            options,
            targets: HashMap::new(),
        })
    }

    /// Settles which schema the messages of a target have, and how its columns are written.
    ///
    /// # Errors
    /// [`BatchError::Unavailable`] while the registry is; [`BatchError::Failed`] for a schema
    /// that cannot be had, is refused, or does not fit the columns.
    pub fn prepare(
        &mut self,
        number: u32,
        target: &Target,
        registry: &impl SchemaRegistry,
    ) -> Result<(), BatchError> {
        let prepared = self.prepared(target, registry)?;
        self.targets.insert(number, prepared);
        Ok(())
    }

    /// Writes rows for a target.
    ///
    /// # Errors
    /// [`BatchError::Failed`] for a number that was never told.
    pub fn encode(&mut self, rows: &RowBatch) -> Result<Encoded, BatchError> {
        let Some(target) = self.targets.get_mut(&rows.number) else {
            let text = format!("nothing was told of target {}", rows.number);
            return Err(BatchError::Failed(text));
        };
        target.payloads.begin(rows.len);
        F::write(&target.plan, rows, &mut target.payloads);
        let header = target.header.as_deref().map(|header| (self.part, header));
        Ok(target.payloads.finish(header))
    }

    fn prepared(
        &self,
        target: &Target,
        registry: &impl SchemaRegistry,
    ) -> Result<Prepared<F::Plan>, BatchError> {
        let known = self.known(target, registry)?;
        let failed = |why: String| {
            BatchError::Failed(format!(
                "rows for topic `{}` cannot be written by {}: {why}",
                target.topic, known.origin
            ))
        };
        let name = self.options.record_name.as_deref();
        let validate = self.options.validation == WriteValidation::On;
        let plan = F::compile(&known.schema, &target.schema, self.part, name, validate);
        let plan = plan.map_err(failed)?;
        let indexes = F::indexes(&plan).to_vec();
        let (mut prefix, mut header) = (Vec::new(), None);
        match self.options.framing {
            WriteFraming::Raw => {}
            WriteFraming::SingleObject => {
                prefix = F::single_object(&known.schema).map_err(failed)?;
            }
            WriteFraming::Prefix => {
                let id = known.id.ok_or_else(|| {
                    failed(
                        "it has no id, which `framing: prefix` writes: take a schema from a \
                         registry, or `framing: raw`"
                            .to_owned(),
                    )
                })?;
                prefix = [&prefix_of(id)[..], &indexes].concat();
            }
            WriteFraming::Header => {
                let guid = known.guid.ok_or_else(|| {
                    failed(
                        "the registry gives it no GUID, which `framing: header` writes: take \
                         `framing: prefix`"
                            .to_owned(),
                    )
                })?;
                let guid = [guid.high.to_be_bytes(), guid.low.to_be_bytes()].concat();
                header = Some([&[1][..], &guid, &indexes].concat());
            }
        }
        Ok(Prepared {
            plan,
            payloads: PayloadBuilder::new(prefix),
            header,
        })
    }

    /// The schema that the messages of a target have.
    fn known(&self, target: &Target, registry: &impl SchemaRegistry) -> Result<Known, BatchError> {
        let options = &self.options;
        let topic = &target.topic;
        if let Some(id) = options.id {
            let origin = format!("schema {id}");
            let schema = registry.by_id(id).map_err(|why| stop(&origin, why))?;
            return Ok(Known {
                schema,
                id: Some(id),
                guid: None,
                origin,
            });
        }
        let derived_name = options.record_name(self.part, topic);
        if options.use_latest_version {
            let subject = options.subject(self.part, topic, &derived_name);
            let origin = format!("the latest version of `{subject}`");
            let found = registry
                .latest(&subject)
                .map_err(|why| stop(&origin, why))?;
            return Ok(Known {
                schema: found.schema,
                id: found.id,
                guid: found.guid,
                origin,
            });
        }
        let (text, origin) = match options.schema_text() {
            Some(text) => (text, "the schema of `schema`"),
            None => {
                let derived = F::derive(&target.schema, &derived_name, self.part);
                let failed = |why| {
                    BatchError::Failed(format!(
                        "no schema can be made from the rows for topic `{topic}`: {why}"
                    ))
                };
                (derived.map_err(failed)?, "the schema made from the columns")
            }
        };
        let mut known = Known {
            schema: Schema {
                schema_type: F::TYPE,
                text,
                references: Vec::new(),
            },
            id: None,
            guid: None,
            origin: origin.to_owned(),
        };
        if matches!(options.framing, WriteFraming::Prefix | WriteFraming::Header) {
            let record = if options.strategy == SubjectNameStrategy::TopicName {
                Ok(derived_name)
            } else {
                F::record_name(&known.schema)
            };
            let record = record.map_err(|why| BatchError::Failed(format!("{origin}: {why}")))?;
            let subject = options.subject(self.part, topic, &record);
            (known.id, known.guid) = registered::<F>(&known, &subject, registry)?;
            known.origin = format!("{origin}, registered as `{subject}`");
        }
        Ok(known)
    }
}

/// What a schema is known by, after it was registered where it was not yet. It is looked for
/// first: who may read subjects may not be allowed to write them.
fn registered<F: WriteFormat>(
    known: &Known,
    subject: &str,
    registry: &impl SchemaRegistry,
) -> Result<(Option<u32>, Option<schemas::Guid>), BatchError> {
    let new = NewSchema {
        schema_type: F::TYPE,
        text: known.schema.text.clone(),
        references: Vec::new(),
    };
    let origin = format!("{}, to be registered as `{subject}`", known.origin);
    match registry.look_up(subject, &new) {
        Ok(found) => Ok((found.id, found.guid)),
        Err(SchemaError::NotFound(_)) => {
            let registered = registry.register(subject, &new);
            let registered = registered.map_err(|why| stop(&origin, why))?;
            Ok((Some(registered.id), registered.guid))
        }
        Err(why) => Err(stop(&origin, why)),
    }
}

/// Why there is no schema.
fn stop(what: &str, error: SchemaError) -> BatchError {
    match error {
        SchemaError::Unavailable(why) => BatchError::Unavailable(format!("{what}: {why}")),
        SchemaError::NotFound(why) => BatchError::Failed(format!("{what}: not found: {why}")),
        SchemaError::Refused(why) => BatchError::Failed(format!("{what}: {why}")),
    }
}
