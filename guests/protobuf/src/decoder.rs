//! Protobuf as a format of a schema registry.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use prost_reflect::MessageDescriptor;
use weir_guest::confluent::{self, Messages, PREFIX, schema_id};
use weir_guest::rows::{Field, MessageError};
use weir_guest::{Decoded, schemas};

use crate::{
    compile::compile,
    group::{Cursor, Group},
    indexes,
    plan::{Plan, TimeUnit},
    schema::{File, SchemaError},
};

/// Decodes batches of Protobuf in the Confluent wire format. Each message type of a schema has a
/// number of its own.
pub type Decoder = confluent::Decoder<ProtobufFormat>;

/// Decodes batches of Protobuf without any framing, all of one schema.
pub type RawDecoder = confluent::OneSchema<ProtobufFormat>;

/// How Protobuf schemas are compiled.
#[derive(Clone, Debug, Default)]
pub struct ProtobufFormat {
    /// Full name of the type of all messages, whatever their indexes say.
    pub message: Option<String>,
    /// Unit of timestamps and durations.
    pub unit: TimeUnit,
    /// Whether messages are bare, without prefix and indexes.
    pub raw: bool,
    /// The number of the next group.
    numbers: Rc<Cell<u32>>,
}

impl ProtobufFormat {
    /// With these options.
    #[must_use]
    pub fn new(message: Option<String>, unit: TimeUnit, raw: bool) -> Self {
        Self {
            message,
            unit,
            raw,
            numbers: Rc::default(),
        }
    }
}

impl confluent::Format for ProtobufFormat {
    type Compiled = FileRows;

    const HAS_INDEXES: bool = true;

    fn compile(&mut self, id: u32, schema: &schemas::Schema) -> Result<FileRows, String> {
        let file = File::parse(schema).map_err(|error| error.to_string())?;
        let mut rows = FileRows {
            id,
            file,
            format: self.clone(),
            groups: Vec::new(),
            by_path: HashMap::new(),
            every_path: None,
            path: Vec::new(),
            errors: Vec::new(),
        };
        if self.raw || self.message.is_some() {
            let message = match &self.message {
                Some(name) => rows.file.message(name),
                None => rows.file.only_message(),
            };
            let group = message.and_then(|message| rows.add(&message));
            rows.every_path = Some(group.map_err(|error| error.to_string())?);
        }
        Ok(rows)
    }
}

/// Compiles one message type, as a [`Decoder`] does when it meets it.
///
/// # Errors
/// It has no Arrow form.
pub fn compile_message(message: &MessageDescriptor, unit: TimeUnit) -> Result<Plan, SchemaError> {
    compile(message, unit).map_err(|why| SchemaError::Message {
        name: message.full_name().to_owned(),
        why: why.to_string(),
    })
}

/// A schema, and the rows of a batch that have it: a group for each message type.
pub struct FileRows {
    id: u32,
    file: File,
    format: ProtobufFormat,
    groups: Vec<Group>,
    /// Index of the group of a path of indexes, or why there is none.
    by_path: HashMap<Vec<i32>, Result<usize, String>>,
    /// The group of all paths, if the options say so.
    every_path: Option<usize>,
    path: Vec<i32>,
    errors: Vec<MessageError>,
}

impl confluent::Compiled for FileRows {
    fn begin(&mut self, _: &Messages<'_>) {
        self.errors.clear();
        self.groups.iter_mut().for_each(Group::begin);
    }

    fn decode_run(&mut self, messages: &Messages<'_>, first: u32) -> u32 {
        // The messages before one usually have the same type.
        let mut before: Option<(Vec<u8>, usize)> = None;
        for (message, [start, end]) in messages.ranges(first, messages.len()) {
            if !messages.is_valid(message) {
                continue;
            }
            let mut cursor = Cursor {
                message,
                start,
                fields: start,
                end,
            };
            if let (true, Some(group)) = (self.format.raw, self.every_path) {
                self.groups[group].add(messages, cursor, &mut self.errors);
                continue;
            }
            let framed = &messages.bytes()[start..end];
            if let Some((head, group)) = &before
                && starts_with(framed, head)
            {
                cursor.fields = start + head.len();
                self.groups[*group].add(messages, cursor, &mut self.errors);
                continue;
            }
            if schema_id(framed) != Ok(self.id) {
                return message;
            }
            match self.group(&framed[PREFIX..]) {
                Ok((group, len)) => {
                    cursor.fields = start + PREFIX + len;
                    self.groups[group].add(messages, cursor, &mut self.errors);
                    before = Some((framed[..PREFIX + len].to_vec(), group));
                }
                Err(reason) => self.errors.push(MessageError {
                    row: message,
                    reason,
                }),
            }
        }
        messages.len()
    }

    fn finish(&mut self, messages: &Messages<'_>, decoded: &mut Decoded) {
        for group in &mut self.groups {
            let rows = group.finish(messages, &mut self.errors);
            decoded.groups.extend(rows);
        }
        decoded.errors.append(&mut self.errors);
    }

    fn fields(&self, number: u32) -> Option<&[Field]> {
        self.groups.iter().find_map(|group| group.fields(number))
    }
}

impl FileRows {
    /// The group of a message that starts with its indexes, and how many bytes they take.
    fn group(&mut self, indexed: &[u8]) -> Result<(usize, usize), String> {
        let len = indexes::read(indexed, &mut self.path).map_err(|error| error.to_string())?;
        if let Some(group) = self.every_path {
            return Ok((group, len));
        }
        if let Some(known) = self.by_path.get(&self.path) {
            return known.clone().map(|group| (group, len));
        }
        let added = self.add_at_path();
        // Indexes that lead nowhere are the sender's choice, and are not kept.
        if added.is_ok() || self.file.message_at(&self.path).is_some() {
            self.by_path.insert(self.path.clone(), added.clone());
        }
        added.map(|group| (group, len))
    }

    fn add_at_path(&mut self) -> Result<usize, String> {
        let message = self.file.message_at(&self.path).ok_or_else(|| {
            format!(
                "the message indexes {:?} lead to no message of schema id {}",
                self.path, self.id
            )
        })?;
        let added = self.add(&message);
        added.map_err(|error| format!("schema id {} cannot be used: {error}", self.id))
    }

    /// Adds the group of a message type.
    fn add(&mut self, message: &MessageDescriptor) -> Result<usize, SchemaError> {
        let plan = compile_message(message, self.format.unit)?;
        let number = self.format.numbers.get();
        self.format.numbers.set(number.wrapping_add(1));
        self.groups.push(Group::new(number, plan));
        Ok(self.groups.len() - 1)
    }
}

/// Whether a message starts as another one did: nearly always with the index of the first message
/// of the file, one byte. A comparison of known length is no call.
#[inline(always)]
fn starts_with(framed: &[u8], head: &[u8]) -> bool {
    const ONE_INDEX: usize = PREFIX + 1;
    if head.len() == ONE_INDEX {
        return framed.first_chunk::<ONE_INDEX>() == head.first_chunk();
    }
    framed.starts_with(head)
}
