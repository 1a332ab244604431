//! Columns by name, also those inside of structs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef};

/// A column by its name, or a field inside of structs by the names on the way to it, joined
/// with dots. A name that has dots itself is found first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPath(String);

impl ColumnPath {
    /// The path as written.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The column and its values; null where a struct on the way is null. `None` where the
    /// rows have no such column.
    #[must_use]
    pub fn find(&self, rows: &RecordBatch) -> Option<(FieldRef, ArrayRef)> {
        find(&StructArray::from(rows.clone()), &self.0)
    }
}

impl std::fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn find(columns: &StructArray, path: &str) -> Option<(FieldRef, ArrayRef)> {
    let named = |name: &str| {
        let (at, field) = columns.fields().find(name)?;
        let values = columns.column(at);
        let nulls = NullBuffer::union(columns.nulls(), values.logical_nulls().as_ref());
        Some((Arc::clone(field), with_nulls(values, nulls)))
    };
    named(path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| {
            let (_, values) = named(&path[..dot])?;
            match values.data_type() {
                DataType::Struct(_) => find(values.as_struct(), &path[dot + 1..]),
                _ => None,
            }
        })
    })
}

/// The values with other nulls; those that have no bitmap, as unions, stay as they are.
fn with_nulls(values: &ArrayRef, nulls: Option<NullBuffer>) -> ArrayRef {
    if nulls.as_ref() == values.nulls() {
        return Arc::clone(values);
    }
    let data = values.to_data().into_builder().nulls(nulls);
    match data.build() {
        Ok(data) => make_array(data),
        Err(_) => Arc::clone(values),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{Field, Fields};

    use super::*;

    fn rows() -> RecordBatch {
        let inner: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
        let fields = Fields::from(vec![Field::new("id", DataType::Int64, true)]);
        let nulls = Some(NullBuffer::from(vec![true, false, true]));
        let customer: ArrayRef = Arc::new(StructArray::new(fields, vec![inner], nulls));
        let dotted: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 9]));
        RecordBatch::try_from_iter([("customer", customer), ("key.text", dotted)]).unwrap()
    }

    fn numbers(path: &str) -> Option<Vec<Option<i64>>> {
        let (_, values) = ColumnPath::new(path).find(&rows())?;
        Some(
            values
                .as_primitive::<arrow::datatypes::Int64Type>()
                .iter()
                .collect(),
        )
    }

    #[test]
    fn what_is_in_a_null_struct_is_null() {
        assert_eq!(numbers("customer.id"), Some(vec![Some(1), None, None]));
    }

    #[test]
    fn a_name_with_dots_is_found() {
        assert_eq!(numbers("key.text"), Some(vec![Some(7), Some(8), Some(9)]));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for path in [
            "",
            "id",
            "customer.",
            "customer.name",
            "customer.id.x",
            "key",
        ] {
            assert!(ColumnPath::new(path).find(&rows()).is_none(), "{path}");
        }
    }
}
