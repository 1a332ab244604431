//! The decoded keys of messages, as a column beside those of their values.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};

use super::{RowOrigins, Rows, Widening};

/// What deserializers call the one column of what is no record.
const UNNAMED: &str = "value";
/// Types of keys that are known.
const TYPES_KEPT: usize = 64;

/// The keys of the messages of a batch.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Rows of one schema each.
    groups: Vec<RecordBatch>,
    /// Where the row of each message's key is; none where the key is null.
    rows: Vec<Option<(usize, u32)>>,
}

/// A message whose key became several rows, so that nobody could say which of them it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeveralRows {
    /// Number of the message in its batch.
    pub(crate) message: u32,
    /// How many rows.
    pub(crate) rows: usize,
}

/// Adds the column of the key to rows, after those of the value.
///
/// The column is a struct of the key's columns; a key that is no record, and so has one column
/// named `value`, is that column. A message without a key has null, of the type that
/// the column had last.
#[derive(Debug)]
pub(crate) struct KeyColumn {
    name: String,
    /// What adds a column of each type, in the order in which they were met.
    known: Vec<Widening>,
}

/// Why the column cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyColumnError {
    /// The value has a field of that name.
    #[error(
        "deserializer.key.column: the values have a field `{0}` of their own: give the column of \
         the key another name, as in `deserializer.key.column: kafka_{0}`"
    )]
    Taken(String),
    /// The keys, once for each row of their message, exceed what one column holds.
    #[error(
        "deserializer.key.column: the column of the key would be larger than 2 GiB: lower \
         `batch.max.rows`"
    )]
    TooLarge,
}

impl Keys {
    /// Sorts the rows that the keys of so many messages became.
    pub(crate) fn new(rows: Vec<Rows>, messages: usize) -> (Self, Vec<SeveralRows>) {
        let mut places = vec![None; messages];
        let mut several: Vec<SeveralRows> = Vec::new();
        for (group, rows) in rows.iter().enumerate() {
            for (row, message) in (0..).zip(rows.each_message()) {
                if places[message].replace((group, row)).is_none() {
                    continue;
                }
                let message = u32::try_from(message).expect("a batch has fewer messages");
                match several.last_mut() {
                    Some(last) if last.message == message => last.rows += 1,
                    _ => several.push(SeveralRows { message, rows: 2 }),
                }
            }
        }
        let keys = Self {
            groups: rows.into_iter().map(|rows| rows.rows).collect(),
            rows: places,
        };
        (keys, several)
    }

    /// The keys of these messages only, which are in ascending order.
    pub(crate) fn select(&mut self, messages: &[u32]) {
        let kept = messages.iter();
        self.rows = kept.map(|message| self.rows[*message as usize]).collect();
    }

    /// The rows cut where the schema of their keys changes, each part with the group that its
    /// keys are in. Null keys go with those before them, and the first ones with those behind.
    fn parts(&self, rows: &Rows) -> Vec<(Range<usize>, Option<usize>)> {
        let mut parts = Vec::with_capacity(1);
        let (mut start, mut current) = (0, None);
        for (row, message) in rows.each_message().enumerate() {
            let Some((group, _)) = self.rows[message] else {
                continue;
            };
            if current.is_some_and(|current| current != group) {
                parts.push((start..row, current));
                start = row;
            }
            current = Some(group);
        }
        parts.push((start..rows.len(), current));
        parts
    }

    /// The rows of a group for these messages, one for each; null for null keys.
    fn take(
        &self,
        group: usize,
        column: &ArrayRef,
        rows: &Rows,
    ) -> Result<ArrayRef, KeyColumnError> {
        let places = || rows.each_message().map(|message| self.rows[message]);
        let is_each = |(place, row)| place == Some((group, row));
        if column.len() == rows.len() && places().zip(0..).all(is_each) {
            return Ok(Arc::clone(column));
        }
        let indices = UInt32Array::from_iter(places().map(|place| place.map(|(_, row)| row)));
        take(column, &indices, None).map_err(|_| KeyColumnError::TooLarge)
    }
}

impl KeyColumn {
    /// What adds a column of this name.
    pub(crate) fn new(name: &str) -> Self {
        let unknown = Field::new(name, DataType::Null, true);
        Self {
            name: name.to_owned(),
            known: vec![Widening::new(vec![Arc::new(unknown)])],
        }
    }

    /// The rows with the column; they are cut where the type of the keys changes.
    ///
    /// # Errors
    /// See [`KeyColumnError`].
    pub(crate) fn add(&mut self, keys: &Keys, rows: &Rows) -> Result<Vec<Rows>, KeyColumnError> {
        let mut parts = Vec::with_capacity(1);
        for (range, group) in keys.parts(rows) {
            let mut part = slice(rows, range);
            let column = match group {
                Some(group) => {
                    let column = self.meet(&keys.groups[group]);
                    keys.take(group, &column, &part)?
                }
                None => new_null_array(self.last().added()[0].data_type(), part.len()),
            };
            let schema = self.last().widened(&part.rows.schema());
            let schema = schema.map_err(|taken| KeyColumnError::Taken(taken.name().clone()))?;
            let mut columns = part.rows.columns().to_vec();
            columns.push(column);
            part.rows = RecordBatch::try_new(schema, columns)
                .expect("the column has the type of its field, and a value for each row");
            parts.push(part);
        }
        Ok(parts)
    }

    /// The rows of keys as one column. Its type is now the last.
    fn meet(&mut self, keys: &RecordBatch) -> ArrayRef {
        let schema = keys.schema();
        let (field, column): (Field, ArrayRef) = match (&schema.fields()[..], keys.columns()) {
            ([only], [column]) if only.name() == UNNAMED => {
                let field = only.as_ref().clone().with_nullable(true);
                (field.with_name(&self.name), Arc::clone(column))
            }
            _ => {
                let column = Arc::new(StructArray::from(keys.clone()));
                let data_type = column.data_type().clone();
                (Field::new(&self.name, data_type, true), column)
            }
        };
        let known = self.known.iter();
        let at = known.clone().position(|known| *known.added()[0] == field);
        let widening = match at {
            Some(at) => self.known.remove(at),
            None => Widening::new(vec![Arc::new(field)]),
        };
        if self.known.len() == TYPES_KEPT {
            self.known.remove(0);
        }
        self.known.push(widening);
        column
    }

    fn last(&mut self) -> &mut Widening {
        self.known.last_mut().expect("it has one from the start")
    }
}

fn slice(rows: &Rows, range: Range<usize>) -> Rows {
    if range.len() == rows.len() {
        return rows.clone();
    }
    let messages = rows.each_message().skip(range.start).take(range.len());
    let messages = messages.map(|message| u32::try_from(message).expect("it was one"));
    Rows {
        rows: rows.rows.slice(range.start, range.len()),
        origins: RowOrigins::Messages(messages.collect()),
        ..rows.clone()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{Int64Type, Schema};

    use super::*;
    use crate::batch::{BatchBuilder, Capacity, TopicPartition};

    /// Rows of one column of numbers, each from its message of `messages`.
    fn rows(name: &str, messages: usize, of: &[(u32, i64)]) -> Rows {
        let numbers = Int64Array::from_iter_values(of.iter().map(|(_, number)| *number));
        with_column(
            name,
            messages,
            of.iter().map(|(m, _)| *m).collect(),
            Arc::new(numbers),
        )
    }

    fn with_column(name: &str, messages: usize, of: Vec<u32>, column: ArrayRef) -> Rows {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        for offset in (0..).take(messages) {
            assert!(batch.push(offset, -1, None, None));
        }
        let field = Field::new(name, column.data_type().clone(), false);
        Rows {
            rows: RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap(),
            messages: batch.finish().envelopes(),
            origins: RowOrigins::Messages(of),
            event_times: None,
            watermark: None,
            tombstones: None,
            encoded: Default::default(),
        }
    }

    fn numbers(column: &ArrayRef) -> Vec<Option<i64>> {
        column.as_primitive::<Int64Type>().iter().collect()
    }

    #[test]
    fn each_row_has_the_key_of_its_message() {
        let (keys, several) = Keys::new(vec![rows("id", 4, &[(0, 10), (2, 12), (3, 13)])], 4);
        assert_eq!(several, []);
        let mut column = KeyColumn::new("key");
        let values = rows("n", 4, &[(0, 1), (1, 2), (1, 3), (3, 4)]);
        let [out] = &column.add(&keys, &values).unwrap()[..] else {
            panic!("one part");
        };
        let key = out.rows.column_by_name("key").unwrap().as_struct();
        assert_eq!(
            [0, 1, 2, 3].map(|row| key.is_valid(row)),
            [true, false, false, true]
        );
        let ids = numbers(key.column_by_name("id").unwrap());
        assert_eq!((ids[0], ids[3]), (Some(10), Some(13)));
        assert_eq!(out.origins, values.origins);
    }

    #[test]
    fn a_key_that_is_no_record_is_the_column_itself_and_not_copied_in_vain() {
        let key = rows("value", 2, &[(0, 10), (1, 11)]);
        let (keys, _) = Keys::new(vec![key.clone()], 2);
        let out = KeyColumn::new("k")
            .add(&keys, &rows("n", 2, &[(0, 1), (1, 2)]))
            .unwrap();
        assert!(Arc::ptr_eq(out[0].rows.column(1), key.rows.column(0)));
        assert!(out[0].rows.schema().field(1).is_nullable());
    }

    #[test]
    fn rows_are_cut_where_the_type_of_keys_changes_and_nulls_go_with_those_before() {
        let text = Arc::new(StringArray::from(vec!["a"]));
        let groups = vec![
            rows("value", 6, &[(1, 10)]),
            with_column("value", 6, vec![3], text),
            rows("value", 6, &[(5, 11)]),
        ];
        let (keys, _) = Keys::new(groups, 6);
        let all: Vec<(u32, i64)> = (0..6).map(|m| (m, i64::from(m))).collect();
        let mut column = KeyColumn::new("key");
        let parts = column.add(&keys, &rows("n", 6, &all)).unwrap();
        let origins: Vec<_> = parts.iter().map(|part| part.origins.clone()).collect();
        let expected = [vec![0, 1, 2], vec![3, 4], vec![5]];
        assert_eq!(origins, expected.map(RowOrigins::Messages));
        assert_eq!(numbers(parts[0].rows.column(1)), [None, Some(10), None]);
        assert_eq!(parts[1].rows.column(1).as_string::<i32>().value(0), "a");
        // Equal schemas stay one.
        assert!(Arc::ptr_eq(
            &parts[0].rows.schema(),
            &parts[2].rows.schema()
        ));

        // Null keys alone have the last type.
        let (none, _) = Keys::new(vec![], 6);
        let parts = column.add(&none, &rows("n", 6, &all[..1])).unwrap();
        assert_eq!(numbers(parts[0].rows.column(1)), [None]);
        let first = KeyColumn::new("key").add(&none, &rows("n", 6, &all[..1]));
        assert_eq!(
            *first.unwrap()[0].rows.column(1).data_type(),
            DataType::Null
        );
    }

    #[test]
    fn keys_with_several_rows_are_named_and_a_taken_name_is_an_error() {
        let groups = vec![
            rows("id", 5, &[(1, 1), (1, 2), (1, 3)]),
            rows("other", 5, &[(3, 1)]),
            rows("id", 5, &[(3, 1), (4, 1)]),
        ];
        let (mut keys, several) = Keys::new(groups, 5);
        let expected = [(1, 3), (3, 2)].map(|(message, rows)| SeveralRows { message, rows });
        assert_eq!(several, expected);
        keys.select(&[0, 2, 4]);
        let values = rows("n", 3, &[(0, 1), (2, 2)]);
        let out = KeyColumn::new("key").add(&keys, &values).unwrap();
        let key = out[0].rows.column(1).as_struct();
        assert_eq!((key.is_null(0), key.is_null(1)), (true, false));

        let taken = KeyColumn::new("n").add(&keys, &values).unwrap_err();
        assert_eq!(taken, KeyColumnError::Taken("n".to_owned()));
    }
}
