//! Growing Arrow columns, for decoders that measure nanoseconds: as low as
//! [`Table`](crate::Table) is high.
//!
//! Columns lie in pre-order, like the fields they belong to. The number of values of
//! each follows from the rows and the list offsets above it, so a record that failed
//! half-way is taken back without having kept any marks.
//!
//! A [`Layout`] is made once a schema; [`Columns`] are filled once a batch.

mod appended;
mod column;
mod layout;
mod rows;
mod symbol;

pub use appended::{Appended, Wide, append};
pub use column::{Column, ColumnFull, SHORT, Shape, Storage, push_absent, truncate};
pub use layout::{Layout, LayoutError, MAX_DEPTH, MAX_FIELDS};
pub use rows::{Columns, Rows};
pub use symbol::Symbol;
