//! Editions of Protobuf, as the files of proto2 that mean the same on the wire.
//!
//! Neither protox nor prost-reflect has editions, so a file is lowered before they see it:
//!
//! ```text
//! text ─► proto2 ─► parse ─┐
//! encoded descriptor ──────┴► resolve ─► lower ─► descriptors
//! ```
//!
//! `resolve` is prost-reflect itself: in a pool that is thrown away it finds types and makes of
//! options what they are. `lower` then passes features down, from the file to its messages, oneofs
//! and fields, and says each in the way of proto2:
//!
//! | feature | becomes |
//! |---|---|
//! | `field_presence` | the label `required`; for `IMPLICIT` a mark that [`has_presence`] reads |
//! | `enum_type` | a mark that [`is_closed`] reads |
//! | `repeated_field_encoding` | the option `packed` |
//! | `message_encoding: DELIMITED` | the type group, which is the same on the wire |
//!
//! `utf8_validation` changes nothing, since Arrow's text is UTF-8 anyway, and `json_format` only
//! says which names may meet. Marks are the features themselves, as options of fields and enums.

mod options;
mod text;

use std::collections::HashMap;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, Syntax, Value,
};

use crate::schema::SchemaError;

pub(crate) use text::front;

/// The numbers of `google.protobuf.Edition` that are known, with their names.
const KNOWN: [(i32, &str); 2] = [(1000, "2023"), (1001, "2024")];

/// Files whose only use is to hold features for generators of one language.
pub(crate) fn is_for_generators(import: &str) -> bool {
    import.starts_with("google/protobuf/") && import.ends_with("_features.proto")
}

/// Whether an encoded `FileDescriptorProto` is of an edition, and says which.
pub(crate) fn edition(file: &[u8]) -> Option<i32> {
    /// The two fields that say it.
    #[derive(Clone, PartialEq, Message)]
    struct Head {
        #[prost(string, tag = "12")]
        syntax: String,
        #[prost(int32, tag = "14")]
        edition: i32,
    }
    let head = Head::decode(file).ok()?;
    (head.syntax == "editions").then_some(head.edition)
}

/// Says in an encoded `FileDescriptorProto` of proto2 that it is of an edition.
pub(crate) fn mark(file: &mut Vec<u8>, edition: i32) {
    // The last value counts.
    prost::encoding::string::encode(12, &"editions".to_owned(), file);
    prost::encoding::int32::encode(14, &edition, file);
}

/// The name of an edition's number.
fn name(number: i32) -> Option<&'static str> {
    let mut known = KNOWN.iter();
    known
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The number of an edition's name.
fn number(name: &str) -> Option<i32> {
    let mut known = KNOWN.iter();
    known
        .find(|(_, known)| *known == name)
        .map(|(number, _)| *number)
}

/// Which editions are known, for people.
fn unknown(edition: &str) -> String {
    let known = KNOWN.map(|(_, name)| name).join(" and ");
    format!("it is of the edition {edition}, and weir reads {known}")
}

/// An encoded file of an edition as one of proto2. What it imports is in the pool already.
///
/// # Errors
/// It does not hold together, or has features that nobody knows.
pub(crate) fn lower(
    pool: &DescriptorPool,
    file: &[u8],
    edition: i32,
) -> Result<Vec<u8>, SchemaError> {
    if name(edition).is_none() {
        return Err(SchemaError::Types(unknown(&format!("number {edition}"))));
    }
    let file = resolve(pool, file)?;
    let mut file = decode(&file)?;
    let base = Features::OF_EDITIONS.within(&file)?;
    let scope = text_of(&file, "package").map_or_else(String::new, |it| format!(".{it}"));
    for message in messages(&mut file, "message_type") {
        lower_message(message, &scope, base)?;
    }
    for values in messages(&mut file, "enum_type") {
        lower_enum(values, base)?;
    }
    for extension in messages(&mut file, "extension") {
        lower_field(extension, Place::Extension, base)?;
    }
    Ok(file.encode_to_vec())
}

/// The file with full names of types, and with options as what they are.
fn resolve(pool: &DescriptorPool, file: &[u8]) -> Result<Vec<u8>, SchemaError> {
    let mut file = decode(file)?;
    set(&mut file, &["syntax"], Value::String("proto2".to_owned()));
    options::plain(&mut file);
    let name = text_of(&file, "name").unwrap_or_default();
    let mut scratch = pool.clone();
    let added = scratch.decode_file_descriptor_proto(file.encode_to_vec().as_slice());
    added.map_err(|error| SchemaError::Types(format!("{error:?}")))?;
    let file = scratch.get_file_by_name(&name).ok_or(SchemaError::Empty)?;
    Ok(file.encode_to_vec())
}

/// What is passed down. The numbers are those of the enums of `google.protobuf.FeatureSet`.
#[derive(Clone, Copy, Debug)]
struct Features {
    field_presence: i32,
    enum_type: i32,
    repeated_field_encoding: i32,
    message_encoding: i32,
}

const EXPLICIT: i32 = 1;
const IMPLICIT: i32 = 2;
const LEGACY_REQUIRED: i32 = 3;
const OPEN: i32 = 1;
const CLOSED: i32 = 2;
const PACKED: i32 = 1;
const LENGTH_PREFIXED: i32 = 1;
const DELIMITED: i32 = 2;

impl Features {
    /// Those of editions 2023 and 2024 (`edition_defaults` in `descriptor.proto`).
    const OF_EDITIONS: Self = Self {
        field_presence: EXPLICIT,
        enum_type: OPEN,
        repeated_field_encoding: PACKED,
        message_encoding: LENGTH_PREFIXED,
    };

    /// Those of what has these options, and of what is within it.
    fn within(mut self, declared: &DynamicMessage) -> Result<Self, SchemaError> {
        let Some(options) = part(declared, "options") else {
            return Ok(self);
        };
        let Some(features) = part(&options, "features") else {
            return Ok(self);
        };
        for (name, feature, last) in [
            ("field_presence", &mut self.field_presence, LEGACY_REQUIRED),
            ("enum_type", &mut self.enum_type, CLOSED),
            (
                "repeated_field_encoding",
                &mut self.repeated_field_encoding,
                2,
            ),
            ("message_encoding", &mut self.message_encoding, DELIMITED),
        ] {
            match feature_of(&features, name) {
                0 => {}
                known if (0..=last).contains(&known) => *feature = known,
                other => {
                    let what = text_of(declared, "name").unwrap_or_default();
                    return Err(SchemaError::Types(format!(
                        "`{what}`: the feature {name} has the value {other}, which no edition that weir reads has"
                    )));
                }
            }
        }
        Ok(self)
    }
}

fn lower_message(
    message: &mut DynamicMessage,
    scope: &str,
    outer: Features,
) -> Result<(), SchemaError> {
    let features = outer.within(message)?;
    let scope = format!("{scope}.{}", text_of(message, "name").unwrap_or_default());
    let mut oneofs = Vec::new();
    for oneof in messages(message, "oneof_decl") {
        oneofs.push(features.within(oneof)?);
    }
    let mut entries = Vec::new();
    for nested in messages(message, "nested_type") {
        if is_entry(nested) {
            entries.push(format!(
                "{scope}.{}",
                text_of(nested, "name").unwrap_or_default()
            ));
        }
        lower_message(nested, &scope, features)?;
    }
    for values in messages(message, "enum_type") {
        lower_enum(values, features)?;
    }
    let in_entry = is_entry(message);
    for field in messages(message, "field") {
        let kind = text_of(field, "type_name").unwrap_or_default();
        let oneof = field.has_field_by_name("oneof_index").then(|| {
            let index = field.get_field_by_name("oneof_index")?.as_i32()?;
            oneofs.get(usize::try_from(index).ok()?).copied()
        });
        let place = match oneof {
            Some(_) => Place::Oneof,
            None if in_entry => Place::Entry,
            None if entries.contains(&kind) => Place::Map,
            None => Place::Message,
        };
        lower_field(field, place, oneof.flatten().unwrap_or(features))?;
    }
    for extension in messages(message, "extension") {
        lower_field(extension, Place::Extension, features)?;
    }
    Ok(())
}

fn is_entry(message: &DynamicMessage) -> bool {
    let entry = part(message, "options").and_then(|options| {
        let entry = options.get_field_by_name("map_entry")?.as_bool()?;
        Some(entry)
    });
    entry.unwrap_or_default()
}

fn lower_enum(values: &mut DynamicMessage, outer: Features) -> Result<(), SchemaError> {
    let features = outer.within(values)?;
    let mark = Value::EnumNumber(features.enum_type);
    set(values, &["options", "features", "enum_type"], mark);
    Ok(())
}

/// Where a field is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Message,
    Oneof,
    /// Key or value of a map's entry.
    Entry,
    /// It is a map.
    Map,
    Extension,
}

fn lower_field(
    field: &mut DynamicMessage,
    place: Place,
    outer: Features,
) -> Result<(), SchemaError> {
    use prost_types::field_descriptor_proto::{Label, Type};
    let features = outer.within(field)?;
    let is = |name: &str, value: i32, field: &DynamicMessage| {
        let found = field.get_field_by_name(name);
        found.and_then(|found| found.as_enum_number()) == Some(value)
    };
    let is_repeated = is("label", Label::Repeated.into(), field);
    let is_message = is("type", Type::Message.into(), field);
    let is_text = is("type", Type::String.into(), field) || is("type", Type::Bytes.into(), field);

    if is_message
        && features.message_encoding == DELIMITED
        && !matches!(place, Place::Map | Place::Entry)
    {
        set(field, &["type"], Value::EnumNumber(Type::Group.into()));
    }
    if is_repeated {
        if !is_message && !is_text {
            let packed = features.repeated_field_encoding == PACKED;
            set(field, &["options", "packed"], Value::Bool(packed));
        }
        return Ok(());
    }
    if place == Place::Message && features.field_presence == LEGACY_REQUIRED {
        set(field, &["label"], Value::EnumNumber(Label::Required.into()));
    }
    let implicit = place == Place::Message && !is_message && features.field_presence == IMPLICIT;
    let presence = if implicit { IMPLICIT } else { EXPLICIT };
    let mark = Value::EnumNumber(presence);
    set(field, &["options", "features", "field_presence"], mark);
    Ok(())
}

/// Whether a field that is not there differs from one that has its default.
pub(crate) fn has_presence(field: &FieldDescriptor) -> bool {
    let marked = || {
        // Most fields have no options, and reading them makes a message.
        field.field_descriptor_proto().options.is_some()
            && part(&field.options(), "features")
                .is_some_and(|features| feature_of(&features, "field_presence") == IMPLICIT)
    };
    field.supports_presence() && !marked()
}

/// Whether a number that the enum does not have is an unknown field. Without the mark of an
/// edition, enums are closed where they are defined in proto2.
pub(crate) fn is_closed(values: &EnumDescriptor) -> bool {
    let options = values.enum_descriptor_proto().options.as_ref();
    let mark = options.and_then(|_| part(&values.options(), "features"));
    match mark.map_or(0, |features| feature_of(&features, "enum_type")) {
        0 => values.parent_file().syntax() == Syntax::Proto2,
        mark => mark == CLOSED,
    }
}

/// Takes away what prost-reflect tells from nothing and others do not: defaults of fields without
/// presence, and numbers that a closed enum does not have.
pub(crate) fn tidy(message: &mut DynamicMessage) {
    let mut nothing = Vec::new();
    for (field, value) in message.fields_mut() {
        let kind = field.kind();
        let closed = kind.as_enum().filter(|values| is_closed(values));
        let known = |value: &Value| match (closed, value) {
            (Some(values), Value::EnumNumber(number)) => values.get_value(*number).is_some(),
            _ => true,
        };
        match value {
            Value::Message(below) => tidy(below),
            Value::List(items) => {
                items.retain(known);
                let below = items.iter_mut().filter_map(Value::as_message_mut);
                below.for_each(tidy);
            }
            Value::Map(entries) => tidy_entries(&kind, entries),
            value if !known(value) => nothing.push(field),
            value if value.is_default_for_field(&field) && !has_presence(&field) => {
                nothing.push(field);
            }
            _ => {}
        }
    }
    for field in nothing {
        message.clear_field(&field);
    }
}

fn tidy_entries(entry: &Kind, entries: &mut HashMap<MapKey, Value>) {
    let kind = entry
        .as_message()
        .map(|entry| entry.map_entry_value_field().kind());
    let closed = kind
        .as_ref()
        .and_then(Kind::as_enum)
        .filter(|values| is_closed(values));
    if let Some(values) = closed {
        entries.retain(|_, value| match value {
            Value::EnumNumber(number) => values.get_value(*number).is_some(),
            _ => true,
        });
    }
    let below = entries.values_mut().filter_map(Value::as_message_mut);
    below.for_each(tidy);
}

fn decode(file: &[u8]) -> Result<DynamicMessage, SchemaError> {
    let types = DescriptorPool::global();
    let descriptor = types
        .get_message_by_name("google.protobuf.FileDescriptorProto")
        .ok_or(SchemaError::Empty)?;
    DynamicMessage::decode(descriptor, file).map_err(|error| SchemaError::Types(error.to_string()))
}

/// The messages of a repeated field.
fn messages<'a>(
    message: &'a mut DynamicMessage,
    field: &str,
) -> impl Iterator<Item = &'a mut DynamicMessage> {
    let items = message
        .get_field_by_name_mut(field)
        .and_then(Value::as_list_mut);
    let items = items.map(Vec::as_mut_slice).unwrap_or_default();
    items.iter_mut().filter_map(Value::as_message_mut)
}

/// Sets a field of a message within messages, which are made where they are not there.
fn set(message: &mut DynamicMessage, path: &[&str], value: Value) {
    match path {
        [] => {}
        [field] => {
            let done = message.try_set_field_by_name(field, value);
            debug_assert!(done.is_ok(), "{field} is a field of descriptors");
        }
        [outer, rest @ ..] => {
            if let Some(Value::Message(below)) = message.get_field_by_name_mut(outer) {
                set(below, rest, value);
            }
        }
    }
}

/// A message within another one, if it is there.
fn part(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    if !message.has_field_by_name(field) {
        return None;
    }
    message.get_field_by_name(field)?.as_message().cloned()
}

fn text_of(message: &DynamicMessage, field: &str) -> Option<String> {
    if !message.has_field_by_name(field) {
        return None;
    }
    Some(message.get_field_by_name(field)?.as_str()?.to_owned())
}

fn feature_of(features: &DynamicMessage, name: &str) -> i32 {
    let feature = features.get_field_by_name(name);
    feature
        .and_then(|feature| feature.as_enum_number())
        .unwrap_or_default()
}
