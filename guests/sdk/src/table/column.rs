use crate::rows::Field;

/// The name and type of a column.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    kind: Kind,
    nullable: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Bool,
    Int32,
    Int64,
    Float64,
    TimestampMillis,
    Utf8,
    Binary,
    List(Box<Column>),
    Struct(Vec<Column>),
}

impl Column {
    /// `bool`.
    pub fn bool(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Bool)
    }

    /// `i32`.
    pub fn int32(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Int32)
    }

    /// `i64`.
    pub fn int64(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Int64)
    }

    /// `f64`.
    pub fn float64(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Float64)
    }

    /// An instant, pushed as the `i64` of ms since the epoch, in UTC.
    pub fn timestamp_millis(name: impl Into<String>) -> Self {
        Self::new(name, Kind::TimestampMillis)
    }

    /// Text.
    pub fn utf8(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Utf8)
    }

    /// Bytes.
    pub fn binary(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Binary)
    }

    /// Any number of items of one type, pushed as a [`List`](super::List). The
    /// item's name is conventionally `item`.
    pub fn list(name: impl Into<String>, item: Column) -> Self {
        Self::new(name, Kind::List(Box::new(item)))
    }

    /// A group of fields, pushed as a [`Struct`](super::Struct).
    pub fn structure(name: impl Into<String>, fields: Vec<Column>) -> Self {
        Self::new(name, Kind::Struct(fields))
    }

    /// The same column, with nulls allowed.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            nullable: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.nullable
    }

    pub(super) fn children(&self) -> &[Column] {
        match &self.kind {
            Kind::List(item) => std::slice::from_ref(item),
            Kind::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// Appends its field and those below it, in pre-order.
    pub(super) fn describe(&self, fields: &mut Vec<Field>) {
        let children = self.children();
        fields.push(Field {
            name: self.name.clone(),
            format: self.kind.format().into(),
            nullable: self.nullable,
            metadata: Vec::new(),
            children: u32::try_from(children.len()).expect("fewer than 2^32 fields"),
        });
        for child in children {
            child.describe(fields);
        }
    }
}

impl Kind {
    /// As in the Arrow C data interface.
    fn format(&self) -> &'static str {
        match self {
            Self::Bool => "b",
            Self::Int32 => "i",
            Self::Int64 => "l",
            Self::Float64 => "g",
            Self::TimestampMillis => "tsm:UTC",
            Self::Utf8 => "u",
            Self::Binary => "z",
            Self::List(_) => "+l",
            Self::Struct(_) => "+s",
        }
    }

    /// For people.
    pub(super) fn holds(&self) -> &'static str {
        match self {
            Self::Bool => "booleans",
            Self::Int32 => "32-bit integers",
            Self::Int64 => "64-bit integers",
            Self::Float64 => "64-bit floats",
            Self::TimestampMillis => "timestamps in ms",
            Self::Utf8 => "text",
            Self::Binary => "bytes",
            Self::List(_) => "lists",
            Self::Struct(_) => "structs",
        }
    }
}
