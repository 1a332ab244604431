//! From Arrow arrays to what a plug-in is lent: the way back of [`columns`](super::columns), with
//! buffers as they lie wherever that can be.

use std::collections::HashMap;

use arrow::array::{Array, ArrayData, MutableArrayData, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::ffi::FFI_ArrowSchema;

use wasmtime::component::{ComponentType, Lower};

/// `target` of the WIT interface `serializer`, by reference: what `bindgen!` makes of it would
/// be copied first.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Target<'a> {
    pub(super) topic: &'a str,
    pub(super) schema: &'a [LentField<'a>],
}

/// `field` of the WIT interface `rows`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct LentField<'a> {
    name: &'a str,
    format: &'a str,
    nullable: bool,
    metadata: &'a [(&'a str, &'a str)],
    children: u32,
}

/// `array` of the WIT interface `rows`: buffers go from Arrow's memory to the plug-in's at once.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct LentArray<'a> {
    len: u32,
    #[component(name = "null-count")]
    null_count: u32,
    buffers: &'a [&'a [u8]],
}

/// A type in which lists and values of variable length have 32-bit offsets.
fn narrowed(data_type: &DataType) -> DataType {
    let child = |field: &FieldRef| {
        let data_type = narrowed(field.data_type());
        FieldRef::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(child(item))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(child).collect()),
        DataType::Map(entries, sorted) => DataType::Map(child(entries), *sorted),
        other => other.clone(),
    }
}

/// A schema in pre-order, as its columns will be lent.
///
/// # Errors
/// A sentence about a column that the C data interface has no format for.
pub(super) fn schema(schema: &Schema) -> Result<Vec<OwnedField>, String> {
    let mut fields = Vec::new();
    for field in schema.fields() {
        push_field(field, &mut fields)?;
    }
    Ok(fields)
}

/// A field as it will be lent.
#[derive(Debug)]
pub(super) struct OwnedField {
    name: String,
    format: String,
    nullable: bool,
    metadata: HashMap<String, String>,
    children: u32,
}

fn push_field(field: &Field, fields: &mut Vec<OwnedField>) -> Result<(), String> {
    let data_type = narrowed(field.data_type());
    let children: &[FieldRef] = match &data_type {
        DataType::List(item) | DataType::Map(item, _) => std::slice::from_ref(item),
        DataType::Struct(fields) => fields,
        _ => &[],
    };
    let format = FFI_ArrowSchema::try_from(&data_type)
        .map_err(|error| format!("column `{}`: {error}", field.name()))?
        .format()
        .to_owned();
    if matches!(
        data_type,
        DataType::Union(..) | DataType::Dictionary(..) | DataType::RunEndEncoded(..)
    ) {
        return Err(format!(
            "column `{}`: a plug-in cannot be lent values of type {data_type}",
            field.name()
        ));
    }
    fields.push(OwnedField {
        name: field.name().clone(),
        format,
        nullable: field.is_nullable(),
        metadata: field.metadata().clone().into(),
        children: u32::try_from(children.len()).unwrap_or(u32::MAX),
    });
    for child in children {
        push_field(child, fields)?;
    }
    Ok(())
}

/// Calls with the fields as the plug-in gets them.
pub(super) fn with_fields<T>(fields: &[OwnedField], call: impl FnOnce(&[LentField<'_>]) -> T) -> T {
    let metadata: Vec<Vec<(&str, &str)>> = fields
        .iter()
        .map(|field| {
            let mut pairs: Vec<(&str, &str)> = field
                .metadata
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            pairs.sort_unstable();
            pairs
        })
        .collect();
    let lent: Vec<LentField<'_>> = fields
        .iter()
        .zip(&metadata)
        .map(|(field, metadata)| LentField {
            name: &field.name,
            format: &field.format,
            nullable: field.nullable,
            metadata,
            children: field.children,
        })
        .collect();
    call(&lent)
}

/// Rows as arrays in pre-order, whose offsets start at 0.
///
/// # Errors
/// Lists or values too long for 32-bit offsets.
pub(super) fn arrays(rows: &RecordBatch) -> Result<Vec<ArrayData>, ArrowError> {
    let mut arrays = Vec::with_capacity(rows.num_columns());
    for column in rows.columns() {
        let narrow = narrowed(column.data_type());
        let data = if narrow == *column.data_type() {
            column.to_data()
        } else {
            cast(column, &narrow)?.to_data()
        };
        push_array(&data, &mut arrays)?;
    }
    Ok(arrays)
}

fn push_array(data: &ArrayData, arrays: &mut Vec<ArrayData>) -> Result<(), ArrowError> {
    let data = if starts_at_zero(data) {
        data.clone()
    } else {
        let mut copy = MutableArrayData::new(vec![data], false, data.len());
        copy.try_extend(0, 0, data.len())?;
        copy.freeze()
    };
    let below = data.child_data().to_vec();
    arrays.push(data);
    for child in &below {
        push_array(child, arrays)?;
    }
    Ok(())
}

/// Whether its buffers are those of its values, from the first byte and bit on. What lies behind
/// the last does no harm, but for children, whose length says where they end.
fn starts_at_zero(data: &ArrayData) -> bool {
    let offsets = |count: usize| {
        let bytes = data.buffers().first().map(|buffer| buffer.as_slice());
        let (offsets, _) = bytes.unwrap_or_default().as_chunks::<4>();
        let at = |index: usize| offsets.get(index).map_or(0, |end| i32::from_le_bytes(*end));
        (at(0), usize::try_from(at(count)).unwrap_or(0))
    };
    let own = data.offset() == 0 && data.nulls().is_none_or(|nulls| nulls.offset() == 0);
    own && match data.data_type() {
        DataType::Utf8 | DataType::Binary => offsets(data.len()).0 == 0,
        DataType::List(_) | DataType::Map(..) => {
            offsets(data.len()) == (0, data.child_data()[0].len())
        }
        DataType::Struct(_) => {
            let mut children = data.child_data().iter();
            children.all(|child| child.len() == data.len())
        }
        _ => true,
    }
}

/// Calls with the arrays as the plug-in gets them.
pub(super) fn with_arrays<T>(arrays: &[ArrayData], call: impl FnOnce(&[LentArray<'_>]) -> T) -> T {
    let buffers: Vec<Vec<&[u8]>> = arrays.iter().map(buffers).collect();
    let lent: Vec<LentArray<'_>> = arrays
        .iter()
        .zip(&buffers)
        .map(|(array, buffers)| LentArray {
            len: count(array.len()),
            null_count: count(match array.data_type() {
                DataType::Null => array.len(),
                _ => array.null_count(),
            }),
            buffers,
        })
        .collect();
    call(&lent)
}

fn count(values: usize) -> u32 {
    u32::try_from(values).unwrap_or(u32::MAX)
}

/// The buffers of one array, validity first, each as long as its values need.
fn buffers(data: &ArrayData) -> Vec<&[u8]> {
    if *data.data_type() == DataType::Null {
        return Vec::new();
    }
    let len = data.len();
    let validity = match data.nulls() {
        Some(nulls) if nulls.null_count() > 0 => cut(nulls.validity(), len.div_ceil(8)),
        _ => &[],
    };
    let mut buffers = vec![validity];
    let own: Vec<&[u8]> = data
        .buffers()
        .iter()
        .map(|buffer| buffer.as_slice())
        .collect();
    match (data.data_type(), &own[..]) {
        (DataType::Utf8 | DataType::Binary, [offsets, bytes]) => {
            let offsets = cut(offsets, (len + 1) * 4);
            let end = offsets
                .last_chunk()
                .map_or(0, |end| i32::from_le_bytes(*end));
            buffers.push(offsets);
            buffers.push(cut(bytes, usize::try_from(end).unwrap_or(0)));
        }
        (DataType::List(_) | DataType::Map(..), [offsets]) => {
            buffers.push(cut(offsets, (len + 1) * 4));
        }
        (DataType::Boolean, [bits]) => buffers.push(cut(bits, len.div_ceil(8))),
        (data_type, [values]) => {
            let width = match data_type {
                DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
                other => other.primitive_width(),
            };
            buffers.push(width.map_or(values, |width| cut(values, len * width)));
        }
        _ => {}
    }
    buffers
}

fn cut(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, FixedSizeListArray, Int32Array, Int64Array, LargeStringArray,
        ListArray, StringArray, StructArray,
    };
    use arrow::datatypes::Int32Type;

    use super::super::bindings::rows;
    use super::super::columns;
    use super::*;

    /// What comes back of rows that are lent, through the checks of what plug-ins return.
    fn there_and_back(rows: &RecordBatch) -> RecordBatch {
        let fields = schema(&rows.schema()).unwrap();
        let fields = with_fields(&fields, |fields| {
            let fields = fields.iter().map(|field| rows::Field {
                name: field.name.to_owned(),
                format: field.format.to_owned(),
                nullable: field.nullable,
                metadata: field
                    .metadata
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
                children: field.children,
            });
            fields.collect::<Vec<_>>()
        });
        let arrays = arrays(rows).unwrap();
        let arrays = with_arrays(&arrays, |arrays| {
            let arrays = arrays.iter().map(|array| rows::Array {
                len: array.len,
                null_count: array.null_count,
                buffers: array.buffers.iter().map(|buffer| buffer.to_vec()).collect(),
            });
            arrays.collect::<Vec<_>>()
        });
        let schema = columns::schema(fields).unwrap();
        columns::record_batch(&schema, count(rows.num_rows()), arrays).unwrap()
    }

    fn sample() -> RecordBatch {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![Some(2), Some(3), Some(4)]),
            Some(vec![Some(5)]),
        ]);
        let inner: ArrayRef = Arc::new(StringArray::from(vec!["a", "bc", "", "d", "ef"]));
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "number",
                Arc::new(Int64Array::from(vec![
                    Some(1),
                    None,
                    Some(3),
                    Some(4),
                    None,
                ])),
            ),
            (
                "text",
                Arc::new(StringArray::from(vec![
                    None,
                    Some("x"),
                    Some("yz"),
                    Some(""),
                    Some("ä"),
                ])),
            ),
            (
                "truth",
                Arc::new(BooleanArray::from(vec![true, false, true, true, false])),
            ),
            ("lists", Arc::new(lists)),
            (
                "struct",
                Arc::new(StructArray::try_from(vec![("inner", inner)]).unwrap()),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = sample();
        assert_eq!(there_and_back(&rows), rows);
        for start in 0..5 {
            for len in 0..=5 - start {
                let part = rows.slice(start, len);
                assert_eq!(there_and_back(&part), part, "{start} {len}");
            }
        }
    }

    #[test]
    fn buffers_of_whole_arrays_are_not_copied() {
        let rows = sample();
        let arrays = arrays(&rows).unwrap();
        let original = rows.column(0).to_data().buffers()[0].as_ptr();
        assert_eq!(arrays[0].buffers()[0].as_ptr(), original);
    }

    #[test]
    fn offsets_have_32_bits() {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let pairs =
            FixedSizeListArray::new(item, 2, Arc::new(Int32Array::from(vec![1, 2, 3, 4])), None);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("text", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
            ("pairs", Arc::new(pairs)),
        ];
        let back = there_and_back(&RecordBatch::try_from_iter(columns).unwrap());
        assert_eq!(back.column(0).data_type(), &DataType::Utf8);
        assert!(matches!(back.column(1).data_type(), DataType::List(_)));
        assert_eq!(back.num_rows(), 2);
    }
}
