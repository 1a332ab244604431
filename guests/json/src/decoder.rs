//! Batches of messages in, groups of rows out.

use serde_json::Value;
use weir_guest::confluent::{self, Compiled, Messages, PREFIX, SchemaKey, SchemaLookup, schema_id};
use weir_guest::rows::{Field, MessageError};
use weir_guest::schemas::{self, SchemaType};
use weir_guest::{Batch, BatchError, Decoded};

use crate::{
    group::Group,
    options::{Framing, Options, Source},
    plan::{Plan, UnknownFields},
    schema::{self, Documents, SchemaError},
    types::{Kind, Type},
    validate::{Validation, Validator},
};

/// Decodes batches of JSON. Between batches it keeps compiled schemas and nothing else.
pub struct Decoder {
    columns: Columns,
    framing: Framing,
}

/// Where the columns come from.
enum Columns {
    /// Each message says which schema it has; the number of a group's schema is its id.
    OfMessages(Box<confluent::Decoder<JsonSchema>>),
    /// All messages have the same, number 0.
    Same(Box<Group>),
    /// All messages have the latest schema of a subject, which is yet to be asked for.
    OfSubject(String, JsonSchema),
}

/// How JSON Schemas are compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonSchema {
    unknown: UnknownFields,
    validation: Validation,
}

impl confluent::Format for JsonSchema {
    type Compiled = Group;

    fn compile(&mut self, id: u32, schema: &schemas::Schema) -> Result<Group, String> {
        self.group(id, schema).map_err(|error| error.to_string())
    }
}

impl JsonSchema {
    fn group(&self, number: u32, schema: &schemas::Schema) -> Result<Group, SchemaError> {
        match schema.schema_type {
            SchemaType::Json => {}
            SchemaType::Avro => return Err(SchemaError::Language("an Avro")),
            SchemaType::Protobuf => return Err(SchemaError::Language("a Protobuf")),
        }
        let documents = Documents::parse(schema)?;
        let row = schema::type_of(&documents, self.validation == Validation::On)?;
        let plan =
            Plan::new(&row, self.unknown).map_err(|error| SchemaError::Plan(error.to_string()))?;
        let validator = match self.validation {
            Validation::Off => None,
            validation => Some((Validator::new(&documents)?, validation)),
        };
        Ok(Group::new(number, plan, validator))
    }
}

impl Decoder {
    /// A decoder for messages as the options say they are.
    ///
    /// # Errors
    /// For the person who wrote the pipeline file.
    pub fn new(options: Options) -> Result<Self, String> {
        let Options {
            framing,
            source,
            unknown,
            validation,
        } = options;
        let format = JsonSchema {
            unknown,
            validation,
        };
        let plan =
            |row: &Type| Plan::new(row, unknown).map_err(|error| format!("`columns`: {error}"));
        let same = |group| Columns::Same(Box::new(group));
        let columns = match source {
            Source::Message => Columns::OfMessages(Box::new(confluent::Decoder::new(format))),
            Source::Columns(row) => same(Group::new(0, plan(&row)?, None)),
            Source::Nothing => same(Group::new(0, plan(&Type::nullable(Kind::Json))?, None)),
            Source::Schema(schema) => {
                let group = format.group(0, &as_registered(&schema));
                same(group.map_err(|error| format!("`schema` cannot be used: {error}"))?)
            }
            Source::Subject(subject) => Columns::OfSubject(subject, format),
        };
        Ok(Self { columns, framing })
    }

    /// Decodes one batch. Where messages say which schema they have, they do so in a header or
    /// in the prefix.
    ///
    /// # Errors
    /// As for [`decode_batch`](Self::decode_batch).
    pub fn decode(
        &mut self,
        batch: &Batch<'_>,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        if let Columns::OfMessages(decoder) = &mut self.columns {
            let framing = confluent::Framing::Auto;
            let mut decoded = decoder.decode_framed(batch, &framing, lookup)?;
            if !decoded.errors.is_empty() {
                let payloads = batch.payloads();
                let column = payloads.column();
                name_the_way_out(&mut decoded.errors, &column.offsets, &column.bytes);
            }
            return Ok(decoded);
        }
        let payloads = batch.payloads();
        let column = payloads.column();
        self.decode_batch(&column.offsets, &column.bytes, payloads.validity(), lookup)
    }

    /// Decodes one batch: see [`confluent::Decoder::decode_batch`], whose shapes and errors
    /// these are.
    ///
    /// # Errors
    /// Also [`BatchError::Failed`] when the subject of the options has no usable schema.
    pub fn decode_batch(
        &mut self,
        offsets: &[u32],
        bytes: &[u8],
        validity: Option<&[u8]>,
        lookup: &impl SchemaLookup,
    ) -> Result<Decoded, BatchError> {
        if let Columns::OfSubject(subject, format) = &self.columns {
            let group = latest(subject, *format, lookup)?;
            self.columns = Columns::Same(Box::new(group));
        }
        match &mut self.columns {
            Columns::OfMessages(decoder) => {
                let mut decoded = decoder.decode_batch(offsets, bytes, validity, lookup)?;
                name_the_way_out(&mut decoded.errors, offsets, bytes);
                Ok(decoded)
            }
            Columns::Same(group) => {
                let messages = Messages::new(offsets, bytes, validity)
                    .map_err(|error| BatchError::Failed(error.to_string()))?;
                Ok(decode_all(group, &messages, self.framing))
            }
            Columns::OfSubject(..) => Ok(Decoded {
                groups: Vec::new(),
                errors: Vec::new(),
            }),
        }
    }

    /// The Arrow fields behind a schema number, in pre-order.
    #[must_use]
    pub fn schema(&self, number: u32) -> Option<&[Field]> {
        match &self.columns {
            Columns::OfMessages(decoder) => decoder.schema(number),
            Columns::Same(group) => group.fields(number),
            Columns::OfSubject(..) => None,
        }
    }
}

fn decode_all(group: &mut Group, messages: &Messages<'_>, framing: Framing) -> Decoded {
    let mut decoded = Decoded {
        groups: Vec::new(),
        errors: Vec::new(),
    };
    group.begin(messages);
    for message in (0..messages.len()).filter(|message| messages.is_valid(*message)) {
        match framing {
            Framing::Raw => group.decode_message(messages, message, 0),
            Framing::Confluent => match schema_id(messages.message(message)) {
                Ok(_) => group.decode_message(messages, message, PREFIX),
                Err(error) => group.refuse(message, error.to_string()),
            },
        }
    }
    group.finish(messages, &mut decoded);
    decoded
}

/// Plain JSON where the prefix is expected is what happens first: say what to do.
fn name_the_way_out(errors: &mut [MessageError], offsets: &[u32], bytes: &[u8]) {
    for error in errors {
        let row = error.row as usize;
        let message = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
        if matches!(message.first(), Some(b'{' | b'[' | b'"')) {
            error
                .reason
                .push_str("; for plain JSON set the option `framing: raw`");
        }
    }
}

fn latest(
    subject: &str,
    format: JsonSchema,
    lookup: &impl SchemaLookup,
) -> Result<Group, BatchError> {
    let failed = |why: String| BatchError::Failed(format!("schema.subject `{subject}`: {why}"));
    let schema = lookup
        .by_key(&SchemaKey::Subject(subject.to_owned()))
        .map_err(|error| match error {
            schemas::SchemaError::Unavailable(why) => {
                BatchError::Unavailable(format!("subject `{subject}`: {why}"))
            }
            schemas::SchemaError::NotFound(why) => failed(format!("not found: {why}")),
            schemas::SchemaError::Refused(why) => failed(format!("refused: {why}")),
        })?;
    let group = format.group(0, &schema);
    group.map_err(|error| failed(format!("its schema cannot be used: {error}")))
}

/// A schema that stands in the options.
fn as_registered(schema: &Value) -> schemas::Schema {
    schemas::Schema {
        schema_type: SchemaType::Json,
        text: schema.to_string(),
        references: Vec::new(),
    }
}
