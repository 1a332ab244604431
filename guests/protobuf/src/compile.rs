//! From a message type to a plan.
//!
//! | Protobuf | Arrow format |
//! |---|---|
//! | bool | `b` |
//! | int32, sint32, sfixed32; uint32, fixed32 | `i`; `I` |
//! | int64, sint64, sfixed64; uint64, fixed64 | `l`; `L` |
//! | float, double | `f`, `g` |
//! | string, enum | `u` |
//! | bytes | `z` |
//! | message, group | `+s`, nullable |
//! | repeated | `+l` with child `item` |
//! | map | `+m` with child `entries` of `key` and `value` |
//! | google.protobuf.Timestamp, Duration | `tsn:UTC`, `tDn`; `tsu:UTC`, `tDu` by option |
//! | google.protobuf.BoolValue and the other wrappers | their value, nullable |
//! | google.protobuf.Struct, Value, ListValue | `u`, extension `arrow.json` |
//! | a message inside of itself | `u`, extension `arrow.json` |
//! | an extension | as a field, named `[full.name]` |
//!
//! What has presence (proto2, `optional`, members of a oneof, messages) is nullable.

use prost_reflect::{
    Cardinality, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use thiserror::Error;
use weir_guest::columns::{Layout, LayoutError, Storage};

use crate::{
    editions::{has_presence, is_closed},
    plan::{Entry, Enum, Finish, NONE, Op, Plan, Scope, Slot, Table, Time, TimeUnit},
    run::wire_type,
    slots::kind_of,
};

/// Why a message type has no plan.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// It has no Arrow form.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// Compiles a message type.
pub(crate) fn compile(message: &MessageDescriptor, unit: TimeUnit) -> Result<Plan, CompileError> {
    let mut compiler = Compiler {
        layout: Layout::default(),
        plan: Plan::default(),
        unit,
        open: Vec::new(),
        scope: 0,
    };
    compiler.plan.scopes.push(Scope::default());
    compiler.plan.tables.push(Table::default());
    let (entries, _) = compiler.fields(message)?;
    let mut plan = compiler.plan;
    plan.tables[0] = Table::new(entries);
    plan.layout = compiler.layout;
    // Pushed outer ones first.
    plan.maps.reverse();
    Ok(plan)
}

struct Compiler {
    layout: Layout,
    plan: Plan,
    unit: TimeUnit,
    /// The messages around the current field, by full name.
    open: Vec<String>,
    /// That of the columns that are added.
    scope: usize,
}

/// A field or an extension.
struct Declared {
    name: String,
    number: u32,
    kind: Kind,
    is_list: bool,
    is_group: bool,
    nullable: bool,
    /// Whether numbers that its enum does not have are unknown fields.
    closed: bool,
    oneof: Option<String>,
}

impl Declared {
    fn field(field: &FieldDescriptor) -> Self {
        let oneof = field.containing_oneof();
        let oneof = oneof.filter(|oneof| !oneof.is_synthetic());
        Self {
            name: field.name().to_owned(),
            number: field.number(),
            kind: field.kind(),
            is_list: field.cardinality() == Cardinality::Repeated,
            is_group: field.is_group(),
            nullable: has_presence(field) && field.cardinality() != Cardinality::Repeated,
            closed: closed(&field.kind()),
            oneof: oneof.map(|oneof| oneof.full_name().to_owned()),
        }
    }

    fn extension(extension: &ExtensionDescriptor) -> Self {
        Self {
            name: format!("[{}]", extension.full_name()),
            number: extension.number(),
            kind: extension.kind(),
            is_list: extension.cardinality() == Cardinality::Repeated,
            is_group: extension.is_group(),
            nullable: extension.cardinality() != Cardinality::Repeated,
            closed: closed(&extension.kind()),
            oneof: None,
        }
    }
}

fn closed(kind: &Kind) -> bool {
    matches!(kind, Kind::Enum(values) if is_closed(values))
}

impl Compiler {
    /// Adds the columns of a message's fields, in the order of the file. Returns the fields, and
    /// how many they are.
    fn fields(&mut self, message: &MessageDescriptor) -> Result<(Vec<Entry>, u32), CompileError> {
        self.open.push(message.full_name().to_owned());
        let numbers = message.descriptor_proto().field.iter();
        let numbers = numbers.filter_map(|field| u32::try_from(field.number()).ok());
        let fields = numbers.filter_map(|number| message.get_field(number));
        let mut declared: Vec<Declared> = fields.map(|field| Declared::field(&field)).collect();
        let mut extensions: Vec<_> = message.extensions().collect();
        extensions.sort_by_key(ExtensionDescriptor::number);
        declared.extend(extensions.iter().map(Declared::extension));

        let mut entries = Vec::with_capacity(declared.len());
        let mut oneofs: Vec<(&str, u32)> = Vec::new();
        for field in &declared {
            let mut entry = self.declared(field)?;
            if let Some(name) = &field.oneof {
                let known = oneofs.iter().find(|(known, _)| known == name);
                entry.oneof = known.map_or_else(|| index(self.plan.oneofs.len()), |(_, it)| *it);
                if known.is_none() {
                    self.plan.oneofs.push(Vec::new());
                    oneofs.push((name, entry.oneof));
                }
                self.plan.oneofs[entry.oneof as usize].push(entry.column);
            }
            entries.push(entry);
        }
        self.open.pop();
        let count = index(entries.len());
        Ok((entries, count))
    }

    fn declared(&mut self, field: &Declared) -> Result<Entry, CompileError> {
        if !field.is_list {
            let op = self.value(field, &field.name, field.nullable)?;
            return Ok(entry(field, op));
        }
        let map = match &field.kind {
            Kind::Message(entry) if entry.is_map_entry() => Some(entry.clone()),
            _ => None,
        };
        let format = if map.is_some() { "+m" } else { "+l" };
        let list = self.column(&field.name, format, false, Storage::List)?;
        if map.is_some() {
            self.plan.maps.push(list);
        }
        self.layout.open();
        let outer = std::mem::replace(&mut self.scope, self.plan.scopes.len());
        self.plan.scopes.push(Scope::default());
        let scope = index(self.scope);
        let value = match map {
            Some(map) => self.entries(&map)?,
            None => self.value(field, "item", false)?,
        };
        self.scope = outer;
        self.layout.close(list, 1);
        let mut entry = entry(field, value);
        entry.list = list;
        entry.scope = scope;
        let is_scalar = !matches!(
            entry.op,
            Op::Bytes | Op::Message(_) | Op::Group(_) | Op::Json | Op::JsonGroup
        );
        entry.packable = is_scalar;
        Ok(entry)
    }

    /// The entries of a map: a message of key and value.
    fn entries(&mut self, map: &MessageDescriptor) -> Result<Value, CompileError> {
        let column = self.column("entries", "+s", false, Storage::Struct)?;
        self.layout.open();
        let mut entries = Vec::new();
        for (name, field) in [
            ("key", map.map_entry_key_field()),
            ("value", map.map_entry_value_field()),
        ] {
            let field = Declared::field(&field);
            let value = self.value(&field, name, false)?;
            entries.push(Entry {
                of_map: true,
                ..entry(&field, value)
            });
        }
        self.layout.close(column, 2);
        let table = self.table(entries);
        Ok(Value::new(Op::Message(table), column, false))
    }

    /// Adds the columns of one value.
    fn value(
        &mut self,
        field: &Declared,
        name: &str,
        nullable: bool,
    ) -> Result<Value, CompileError> {
        let message = match &field.kind {
            Kind::Message(message) => message.clone(),
            Kind::Enum(values) => {
                let column = self.column(name, "u", nullable, Storage::Variable)?;
                let values = self.enumeration(values, field.closed);
                self.plan.finish[column as usize] = Finish::Enum(values);
                return Ok(Value::new(Op::Enum(values), column, nullable));
            }
            scalar => return self.scalar(scalar, name, nullable),
        };
        if let Some(time) = time_of(&message) {
            return self.time(time, name, nullable);
        }
        if is_wrapper(&message)
            && let Some(wrapped) = message.get_field(1)
        {
            let inner = self.scalar(&wrapped.kind(), name, nullable)?;
            let inner_entry = entry(&Declared::field(&wrapped), inner.within());
            let table = self.table(vec![inner_entry]);
            return Ok(Value::new(Op::Message(table), inner.column, nullable));
        }
        if is_json(&message) || self.open.iter().any(|open| open == message.full_name()) {
            let column = self.column(name, "u", nullable, Storage::Variable)?;
            self.layout.extension(column, "arrow.json");
            self.plan.messages.push(message);
            self.plan.finish[column as usize] = Finish::Json(index(self.plan.messages.len() - 1));
            let op = if field.is_group {
                Op::JsonGroup
            } else {
                Op::Json
            };
            return Ok(Value::new(op, column, nullable));
        }
        let column = self.column(name, "+s", nullable, Storage::Struct)?;
        self.layout.open();
        let (entries, count) = self.fields(&message)?;
        self.layout.close(column, count);
        let table = self.table(entries);
        let op = if field.is_group {
            Op::Group(table)
        } else {
            Op::Message(table)
        };
        Ok(Value::new(op, column, nullable))
    }

    fn scalar(&mut self, kind: &Kind, name: &str, nullable: bool) -> Result<Value, CompileError> {
        let (format, op) = match kind {
            Kind::Bool => ("b", Op::Bool),
            Kind::Int32 => ("i", Op::Varint32),
            Kind::Sint32 => ("i", Op::Zigzag32),
            Kind::Sfixed32 => ("i", Op::Fixed32),
            Kind::Uint32 => ("I", Op::Varint32),
            Kind::Fixed32 => ("I", Op::Fixed32),
            Kind::Int64 => ("l", Op::Varint64),
            Kind::Sint64 => ("l", Op::Zigzag64),
            Kind::Sfixed64 => ("l", Op::Fixed64),
            Kind::Uint64 => ("L", Op::Varint64),
            Kind::Fixed64 => ("L", Op::Fixed64),
            Kind::Float => ("f", Op::Fixed32),
            Kind::Double => ("g", Op::Fixed64),
            Kind::String => ("u", Op::Bytes),
            // Messages and enums never come here.
            Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => ("z", Op::Bytes),
        };
        let storage = match op {
            Op::Bool => Storage::Boolean,
            Op::Varint32 | Op::Zigzag32 | Op::Fixed32 => Storage::Fixed(4),
            Op::Bytes => Storage::Variable,
            _ => Storage::Fixed(8),
        };
        let column = self.column(name, format, nullable, storage)?;
        if op == Op::Bytes {
            self.plan.finish[column as usize] = Finish::Bytes;
            self.layout.shapes[column as usize].text = *kind == Kind::String;
        }
        Ok(Value::new(op, column, nullable))
    }

    fn time(&mut self, time: Time, name: &str, nullable: bool) -> Result<Value, CompileError> {
        let format = match (time, self.unit) {
            (Time::Timestamp, TimeUnit::Nanoseconds) => "tsn:UTC",
            (Time::Timestamp, TimeUnit::Microseconds) => "tsu:UTC",
            (Time::Duration, TimeUnit::Nanoseconds) => "tDn",
            (Time::Duration, TimeUnit::Microseconds) => "tDu",
        };
        let column = self.column(name, format, nullable, Storage::Fixed(8))?;
        self.plan.finish[column as usize] = Finish::Time(self.unit, time);
        self.plan.kinds[column as usize] = Slot::Time;
        let scope = &mut self.plan.scopes[self.scope];
        if let Some(last) = scope.slots.last_mut() {
            last.1 = Slot::Time;
        }
        let part = |number, op| Entry {
            tag: number << 3 | wire_type(op),
            number,
            op,
            column,
            list: NONE,
            nullable: false,
            of_map: false,
            packable: false,
            scope: NONE,
            oneof: NONE,
        };
        let table = self.table(vec![part(1, Op::Seconds), part(2, Op::Nanos)]);
        Ok(Value::new(Op::Message(table), column, nullable))
    }

    fn enumeration(&mut self, values: &EnumDescriptor, closed: bool) -> u32 {
        let declared = &values.enum_descriptor_proto().value;
        let values = declared.iter().map(|value| (value.number(), value.name()));
        self.plan.enums.push(Enum::new(values, closed));
        index(self.plan.enums.len() - 1)
    }

    fn table(&mut self, entries: Vec<Entry>) -> u32 {
        self.plan.tables.push(Table::new(entries));
        index(self.plan.tables.len() - 1)
    }

    fn column(
        &mut self,
        name: &str,
        format: &str,
        nullable: bool,
        storage: Storage,
    ) -> Result<u32, CompileError> {
        let column = self.layout.field(name, format, nullable, storage)?;
        let kind = kind_of(storage);
        self.plan.kinds.push(kind);
        self.plan.finish.push(Finish::Nothing);
        let scope = &mut self.plan.scopes[self.scope];
        scope.slots.push((column, kind, nullable));
        if kind == Slot::List {
            scope.lists.push(column);
        }
        Ok(column)
    }
}

/// A value whose columns are there.
#[derive(Clone, Copy)]
struct Value {
    op: Op,
    column: u32,
    nullable: bool,
}

impl Value {
    fn new(op: Op, column: u32, nullable: bool) -> Self {
        Self {
            op,
            column,
            nullable,
        }
    }

    /// The same column, filled by a field of a message that says whether it is there.
    fn within(self) -> Self {
        Self {
            nullable: false,
            ..self
        }
    }
}

fn entry(field: &Declared, value: Value) -> Entry {
    Entry {
        tag: field.number << 3 | wire_type(value.op),
        number: field.number,
        op: value.op,
        column: value.column,
        list: NONE,
        nullable: value.nullable,
        of_map: false,
        packable: false,
        scope: NONE,
        oneof: NONE,
    }
}

pub(crate) fn time_of(message: &MessageDescriptor) -> Option<Time> {
    match message.full_name() {
        "google.protobuf.Timestamp" => Some(Time::Timestamp),
        "google.protobuf.Duration" => Some(Time::Duration),
        _ => None,
    }
}

pub(crate) fn is_wrapper(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.BoolValue"
            | "google.protobuf.Int32Value"
            | "google.protobuf.UInt32Value"
            | "google.protobuf.Int64Value"
            | "google.protobuf.UInt64Value"
            | "google.protobuf.FloatValue"
            | "google.protobuf.DoubleValue"
            | "google.protobuf.StringValue"
            | "google.protobuf.BytesValue"
    )
}

pub(crate) fn is_json(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue"
    )
}

/// Positions within a plan, which the field limit keeps far below `u32::MAX`.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
