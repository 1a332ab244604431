use super::column::{Column, Kind};
use super::store::{Data, Store};
use super::{Reason, Row, RowError};

/// What can be pushed to a column. Implement it for a type of your own by handing
/// on to one of these.
pub trait Value {
    /// Writes the value.
    ///
    /// # Errors
    /// [`RowError`] if the column cannot hold it.
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason>;
}

/// The place of one value: the end of a column.
pub struct Slot<'a> {
    column: &'a Column,
    store: &'a mut Store,
}

/// The items of a [`Column::list`].
pub struct List<I>(
    /// The items.
    pub I,
);

/// The fields of a [`Column::structure`], as a closure that pushes them.
pub struct Struct<F>(
    /// Pushes the fields.
    pub F,
);

impl<V: Value> Value for Option<V> {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match self {
            Some(value) => value.write(slot),
            None => slot.null(),
        }
    }
}

impl Value for bool {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.store.data() {
            Data::Bits(bits) => bits.push(self),
            _ => return slot.refuse("a boolean"),
        }
        slot.done()
    }
}

impl Value for i32 {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.column.kind() {
            Kind::Int32 => slot.fixed(&self.to_le_bytes()),
            _ => slot.refuse("a 32-bit integer"),
        }
    }
}

impl Value for i64 {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.column.kind() {
            Kind::Int64 | Kind::TimestampMillis => slot.fixed(&self.to_le_bytes()),
            _ => slot.refuse("a 64-bit integer"),
        }
    }
}

impl Value for f64 {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.column.kind() {
            Kind::Float64 => slot.fixed(&self.to_le_bytes()),
            _ => slot.refuse("a 64-bit float"),
        }
    }
}

impl Value for &str {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.column.kind() {
            Kind::Utf8 => slot.variable(self.as_bytes()),
            _ => slot.refuse("text"),
        }
    }
}

impl Value for String {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        self.as_str().write(slot)
    }
}

impl Value for &[u8] {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        match slot.column.kind() {
            Kind::Binary => slot.variable(self),
            _ => slot.refuse("bytes"),
        }
    }
}

impl Value for Vec<u8> {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        self.as_slice().write(slot)
    }
}

impl<I: IntoIterator<Item: Value>> Value for List<I> {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        let (Kind::List(column), Data::List { ends, items }) =
            (slot.column.kind(), slot.store.data())
        else {
            return slot.refuse("a list");
        };
        for item in self.0 {
            item.write(&mut Slot::new(column, items))?;
        }
        if !ends.push(items.len() as usize) {
            return slot.full();
        }
        slot.done()
    }
}

impl<F: FnOnce(&mut Row<'_>) -> Result<(), Reason>> Value for Struct<F> {
    fn write(self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        let (Kind::Struct(columns), Data::Struct(stores)) = (slot.column.kind(), slot.store.data())
        else {
            return slot.refuse("a struct");
        };
        let mut row = Row::new(columns, stores);
        self.0(&mut row)?;
        row.complete()?;
        slot.done()
    }
}

impl<'a> Slot<'a> {
    pub(super) fn new(column: &'a Column, store: &'a mut Store) -> Self {
        Self { column, store }
    }

    fn null(&mut self) -> Result<(), Reason> {
        if !self.column.is_nullable() {
            return Err(RowError::Null(self.name()).into());
        }
        self.store.push_null();
        Ok(())
    }

    fn fixed(&mut self, value: &[u8]) -> Result<(), Reason> {
        if let Data::Fixed { bytes, .. } = self.store.data() {
            bytes.extend_from_slice(value);
        }
        self.done()
    }

    fn variable(&mut self, value: &[u8]) -> Result<(), Reason> {
        if let Data::Variable { ends, bytes } = self.store.data() {
            bytes.extend_from_slice(value);
            if !ends.push(bytes.len()) {
                return self.full();
            }
        }
        self.done()
    }

    #[expect(clippy::unnecessary_wraps, reason = "every way to write ends in it")]
    fn done(&mut self) -> Result<(), Reason> {
        self.store.wrote();
        Ok(())
    }

    fn refuse(&self, given: &'static str) -> Result<(), Reason> {
        Err(RowError::Type {
            column: self.name(),
            holds: self.column.kind().holds(),
            given,
        }
        .into())
    }

    fn full(&self) -> Result<(), Reason> {
        Err(RowError::Full(self.name()).into())
    }

    fn name(&self) -> String {
        self.column.name().into()
    }
}
