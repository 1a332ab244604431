//! What columns there are to be, before they are laid out: the middle between what a user
//! declares, or a JSON Schema says, and a plan.

use crate::time::Unit;

/// The type of a value in JSON, as a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    /// Whether null and absence are values of it.
    pub(crate) nullable: bool,
    /// Whether a message that is written has to have it. Not said of what is read.
    pub(crate) required: bool,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// Of 8, 16, 32 or 64 bits.
    Integer {
        bits: u8,
        signed: bool,
    },
    Float32,
    Float64,
    Decimal {
        precision: u8,
        scale: u8,
        written: Written,
    },
    Text,
    /// Base64 in the text.
    Binary,
    /// 16 bytes.
    Uuid,
    Date(Written),
    Time(Unit, Written),
    Timestamp {
        unit: Unit,
        utc: bool,
        written: Written,
    },
    /// Any value, kept as its text.
    Json,
    List(Box<Type>),
    /// An object with names that are data.
    Map(Box<Type>),
    Struct(Vec<(String, Type)>),
}

/// How a value of a type that JSON does not have is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// As text: ISO 8601, or the digits of a decimal.
    Text,
    /// As a number in the unit of the column.
    Number,
    /// Either.
    Any,
    /// A decimal as Kafka Connect writes it: base64 of its unscaled value, big-endian.
    Base64,
}

impl Type {
    /// A type with null.
    pub(crate) fn nullable(kind: Kind) -> Self {
        Self {
            kind,
            nullable: true,
            required: false,
        }
    }
}

impl Written {
    pub(crate) fn text(self) -> bool {
        matches!(self, Self::Text | Self::Any)
    }

    pub(crate) fn number(self) -> bool {
        matches!(self, Self::Number | Self::Any)
    }
}
