//! What a writer schema is compiled to.
//!
//! A plan is one flat list of operations in the order in which the values lie in a
//! record, each naming the column that it appends to. A nested record is no operation
//! at all: its fields just follow. An operation with a body (a union, an array) is
//! followed by the body and says how long that is.
//!
//! Reading with a reader schema needs other operations of the same kind and nothing
//! else ([`resolve`](crate::resolve)): one that skips a value, leaves that widen it (`int` to
//! `long`), defaults at the end of a record; the order of the columns is free already.

use weir_guest::columns::{Layout, Symbol};
use weir_guest::rows::Field;

use crate::{decimal::Decimal, json::Grammar};

/// One step of decoding a record. `column` is an index into the plan's columns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Boolean {
        column: u32,
    },
    Int {
        column: u32,
    },
    Long {
        column: u32,
    },
    /// `float`: four bytes as they are.
    Float {
        column: u32,
    },
    /// `double`: eight bytes as they are.
    Double {
        column: u32,
    },
    /// `bytes` or `string`.
    Bytes {
        column: u32,
    },
    Fixed {
        column: u32,
        size: u32,
    },
    /// `symbols` is an index into [`Plan::symbols`].
    Enum {
        column: u32,
        symbols: u32,
    },
    /// `decimal` is an index into [`Plan::decimals`].
    Decimal {
        column: u32,
        decimal: u32,
    },
    Duration {
        column: u32,
    },
    /// A value as JSON text; `node` is one of [`Plan::grammar`].
    Json {
        column: u32,
        node: u32,
    },
    /// A union of one branch: its index, then the value.
    Single {
        column: u32,
    },
    /// A union of null and one other branch, whose operations are the next `body`.
    Optional {
        column: u32,
        null: u32,
        body: u32,
    },
    /// A wider union. The next `body` operations are those of all branches, each with a
    /// jump behind its last; `branches` is an index into [`Plan::unions`].
    Union {
        column: u32,
        branches: u32,
        body: u32,
    },
    /// A number in a wider type.
    Promote {
        column: u32,
        promotion: Promotion,
    },
    /// An enum with symbols that the reader does not have: `symbols` is an index into
    /// [`Plan::some_symbols`].
    SomeEnum {
        column: u32,
        symbols: u32,
    },
    /// A value that the reader does not have; `node` is one of [`Plan::grammar`].
    Skip {
        node: u32,
    },
    /// A writer's union, whose branches are the next `body` operations, each with a jump behind
    /// its last; `choices` is an index into [`Plan::choices`].
    Choose {
        column: u32,
        choices: u32,
        body: u32,
    },
    /// The next value of a nullable column is there.
    Present {
        column: u32,
    },
    /// A null, of which nothing is read.
    Absent {
        column: u32,
    },
    /// The next value of a wide union is of this branch, which is no null.
    Select {
        column: u32,
        branches: u32,
        branch: u32,
    },
    /// A default, which the next `body` operations read from [`Plan::constants`].
    Constant {
        constant: u32,
        body: u32,
    },
    /// A value that the reader schema cannot take.
    Refuse {
        column: u32,
    },
    /// Skips operations.
    Jump {
        by: u32,
    },
    /// An array, or a map as an array of keys and values. An item takes at least
    /// `item_bytes` and is decoded by the next `body` operations.
    List {
        column: u32,
        item_bytes: u32,
        body: u32,
    },
}

impl Op {
    /// The least number of bytes that the operation reads, without its body: that of
    /// unions and lists may be empty or absent.
    fn least_bytes(self) -> u32 {
        match self {
            Op::Float { .. }
            | Op::Promote {
                promotion: Promotion::FloatToDouble,
                ..
            } => 4,
            Op::Present { .. }
            | Op::Absent { .. }
            | Op::Select { .. }
            | Op::Constant { .. }
            | Op::Refuse { .. } => 0,
            Op::Double { .. } => 8,
            Op::Duration { .. } => 12,
            Op::Fixed { size, .. } => size,
            _ => 1,
        }
    }

    /// How many operations after this one belong to it.
    pub(crate) fn body(self) -> usize {
        match self {
            Op::Optional { body, .. }
            | Op::Union { body, .. }
            | Op::Choose { body, .. }
            | Op::Constant { body, .. }
            | Op::List { body, .. } => body as usize,
            _ => 0,
        }
    }
}

/// The least number of bytes that all of `ops` together read.
pub(crate) fn least_bytes(ops: &[Op]) -> u32 {
    let mut least: u32 = 0;
    let mut at = 0;
    while let Some(op) = ops.get(at) {
        least = least.saturating_add(op.least_bytes());
        at += 1 + op.body();
    }
    least
}

/// How a number of the writer becomes one of the reader (Avro 1.12, Schema Resolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promotion {
    IntToLong,
    IntToFloat,
    IntToDouble,
    LongToFloat,
    LongToDouble,
    FloatToDouble,
}

/// One branch of a wide union.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    /// The column of its values; `None` for null.
    pub(crate) column: Option<u32>,
    /// Where its operations start in the union's body.
    pub(crate) start: u32,
}

/// The symbols of an enum, by number.
#[derive(Debug)]
pub(crate) struct Symbols {
    all: Vec<Symbol>,
    longest: usize,
}

impl Symbols {
    #[inline(always)]
    pub(crate) fn get(&self, number: usize) -> Option<&Symbol> {
        self.all.get(number)
    }

    /// Bytes of the longest one.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }
}

impl FromIterator<Symbol> for Symbols {
    fn from_iter<I: IntoIterator<Item = Symbol>>(symbols: I) -> Self {
        let all: Vec<Symbol> = symbols.into_iter().collect();
        let longest = all.iter().map(Symbol::len).max().unwrap_or(0);
        Self { all, longest }
    }
}

/// A compiled writer schema.
#[derive(Debug, Default)]
pub struct Plan {
    pub(crate) layout: Layout,
    pub(crate) ops: Vec<Op>,
    pub(crate) symbols: Vec<Symbols>,
    pub(crate) decimals: Vec<Decimal>,
    pub(crate) unions: Vec<Vec<Branch>>,
    /// By symbol of the writer: that of the reader, if it has one.
    pub(crate) some_symbols: Vec<Vec<Option<Symbol>>>,
    /// Where the operations of each branch of a writer's union start in its body.
    pub(crate) choices: Vec<Vec<u32>>,
    /// Defaults of the reader, as Avro.
    pub(crate) constants: Vec<Vec<u8>>,
    pub(crate) grammar: Grammar,
}

impl Plan {
    /// The Arrow schema of the rows.
    pub fn fields(&self) -> &[Field] {
        &self.layout.fields
    }
}
