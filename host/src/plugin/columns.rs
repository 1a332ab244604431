//! From what a plug-in returned to Arrow arrays. Everything is checked before it is
//! believed: the plug-in chose every number here.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayData, ArrayDataBuilder, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi::FFI_ArrowSchema;

use super::bindings::rows;

/// Fields that a schema may have, children included.
const FIELDS_MAX: usize = 10_000;
/// Levels of nesting that a schema may have.
const DEPTH_MAX: usize = 64;
/// Values that one array may have: types without buffers have no other bound.
const VALUES_MAX: u32 = 1 << 26;

/// The Arrow schema that a pre-order list of fields describes.
///
/// # Errors
/// A sentence that names the field and what is wrong with it.
pub(super) fn schema(fields: Vec<rows::Field>) -> Result<SchemaRef, String> {
    if fields.len() > FIELDS_MAX {
        return Err(format!(
            "the schema has {} fields, and {FIELDS_MAX} are the most",
            fields.len()
        ));
    }
    let mut rest = fields.into_iter();
    let mut columns = Vec::new();
    while let Some(column) = next_field(&mut rest, 0)? {
        columns.push(column);
    }
    Ok(Arc::new(Schema::new(columns)))
}

/// One row group as a record batch.
///
/// # Errors
/// A sentence that names the column and what is wrong with it.
pub(super) fn record_batch(
    schema: &SchemaRef,
    len: u32,
    arrays: Vec<rows::Array>,
) -> Result<RecordBatch, String> {
    let mut rest = arrays.into_iter();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let data = next_array(field, &mut rest)?;
        if data.len() != len as usize {
            return Err(format!(
                "column `{}` has {} values for {len} rows",
                field.name(),
                data.len()
            ));
        }
        columns.push(make_array(data));
    }
    if rest.len() > 0 {
        return Err(format!(
            "{} arrays more than the schema has fields",
            rest.len()
        ));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(len as usize));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(text)
}

fn next_field(
    rest: &mut std::vec::IntoIter<rows::Field>,
    depth: usize,
) -> Result<Option<FieldRef>, String> {
    let Some(field) = rest.next() else {
        return Ok(None);
    };
    let fault =
        |what: String| format!("field `{}`: {what}", super::imports::printable(&field.name));
    if depth >= DEPTH_MAX {
        return Err(fault(format!("is nested more than {DEPTH_MAX} deep")));
    }
    if field.children as usize > rest.len() {
        return Err(fault(format!(
            "has {} children, and {} fields follow",
            field.children,
            rest.len()
        )));
    }
    let mut children = Vec::with_capacity(field.children as usize);
    for _ in 0..field.children {
        match next_field(rest, depth + 1)? {
            Some(child) => children.push(child),
            None => return Err(fault("ends before its children".into())),
        }
    }
    let data_type = data_type(&field.format, children).map_err(fault)?;
    let metadata: HashMap<String, String> = field.metadata.iter().cloned().collect();
    Ok(Some(Arc::new(
        Field::new(&field.name, data_type, field.nullable).with_metadata(metadata),
    )))
}

fn data_type(format: &str, mut children: Vec<FieldRef>) -> Result<DataType, String> {
    let count = children.len();
    let unknown = || format!("format {format:?} is not one that weir takes");
    let mut only_child = || match count {
        1 => Ok(children.remove(0)),
        _ => Err(format!("format `{format}` has one child, not {count}")),
    };
    match format {
        "+l" => Ok(DataType::List(only_child()?)),
        "+L" => Ok(DataType::LargeList(only_child()?)),
        "+s" => Ok(DataType::Struct(Fields::from(children))),
        "+m" => {
            let entries = only_child()?;
            match entries.data_type() {
                DataType::Struct(pair)
                    if pair.len() == 2 && !pair[0].is_nullable() && !entries.is_nullable() =>
                {
                    Ok(DataType::Map(entries, false))
                }
                _ => Err(
                    "a map's child is a struct, not nullable, of a key, not nullable, and a value"
                        .into(),
                ),
            }
        }
        list if list.starts_with("+w:") => {
            let size = list[3..]
                .parse()
                .ok()
                .filter(|n| *n >= 1)
                .ok_or_else(unknown)?;
            Ok(DataType::FixedSizeList(only_child()?, size))
        }
        _ if count > 0 => Err(format!(
            "format {format:?} has no children, and {count} are given"
        )),
        leaf => leaf_type(leaf).ok_or_else(unknown),
    }
}

/// The type of a format without children, by arrow's own reading of the C data interface.
fn leaf_type(format: &str) -> Option<DataType> {
    let plausible = format.len() <= 64
        && format.bytes().all(|b| b.is_ascii_graphic())
        && !format.starts_with(['+', 'v']);
    if !plausible {
        return None;
    }
    let data_type =
        DataType::try_from(&FFI_ArrowSchema::try_new(format, vec![], None).ok()?).ok()?;
    let usable = match &data_type {
        DataType::FixedSizeBinary(size) => *size >= 1,
        // Offsets such as +02:00 besides: names of zones need a time zone database.
        DataType::Timestamp(_, Some(zone)) => &**zone == "UTC" || Tz::from_str(zone).is_ok(),
        DataType::Decimal32(p, s) => decimal_fits(*p, *s, 9),
        DataType::Decimal64(p, s) => decimal_fits(*p, *s, 18),
        DataType::Decimal128(p, s) => decimal_fits(*p, *s, 38),
        DataType::Decimal256(p, s) => decimal_fits(*p, *s, 76),
        _ => true,
    };
    usable.then_some(data_type)
}

fn decimal_fits(precision: u8, scale: i8, most: u8) -> bool {
    (1..=most).contains(&precision) && scale.unsigned_abs() <= precision
}

fn next_array(
    field: &Field,
    rest: &mut std::vec::IntoIter<rows::Array>,
) -> Result<ArrayData, String> {
    let fault = |what: String| format!("column `{}`: {what}", field.name());
    let array = rest
        .next()
        .ok_or_else(|| fault("its array is missing".into()))?;
    if array.len > VALUES_MAX {
        return Err(fault(format!(
            "{} values, and {VALUES_MAX} are the most",
            array.len
        )));
    }
    let children = match field.data_type() {
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::Map(child, _)
        | DataType::FixedSizeList(child, _) => {
            vec![next_array(child, rest)?]
        }
        DataType::Struct(fields) => fields
            .iter()
            .map(|f| next_array(f, rest))
            .collect::<Result<_, _>>()?,
        _ => vec![],
    };
    let mut buffers = array.buffers.into_iter().map(Buffer::from_vec);
    let mut builder = ArrayData::builder(field.data_type().clone())
        .len(array.len as usize)
        .child_data(children)
        .align_buffers(true);
    if *field.data_type() != DataType::Null {
        let validity = buffers
            .next()
            .ok_or_else(|| fault("its buffers are missing".into()))?;
        if !validity.is_empty() {
            if validity.len() < (array.len as usize).div_ceil(8) {
                return Err(fault(format!(
                    "a validity buffer of {} bytes for {} values",
                    validity.len(),
                    array.len
                )));
            }
            builder = builder.null_bit_buffer(Some(validity));
        } else if array.null_count > 0 {
            return Err(fault(format!(
                "{} nulls and no validity buffer",
                array.null_count
            )));
        }
    }
    let buffers: Vec<Buffer> = buffers.collect();
    if is_plain_text(field.data_type(), array.len as usize, &buffers) {
        builder = without_validation(builder);
    }
    let data = builder
        .buffers(buffers)
        .build()
        .map_err(|e| fault(text(e)))?;
    if data.null_count() != array.null_count as usize && *field.data_type() != DataType::Null {
        return Err(fault(format!(
            "says {} nulls, and its validity buffer has {}",
            array.null_count,
            data.null_count()
        )));
    }
    Ok(data)
}

/// Whether this is text whose offsets are right, and which is ASCII, so that they cannot but
/// lie between characters. Arrow's own check of each offset in turn takes longer than all the
/// rest that is done to a column of strings; whatever is not plain is left to it.
fn is_plain_text(data_type: &DataType, len: usize, buffers: &[Buffer]) -> bool {
    let (DataType::Utf8, [offsets, values]) = (data_type, buffers) else {
        return false;
    };
    let (offsets, rest) = offsets.as_chunks::<4>();
    let offset = |bytes: &[u8; 4]| i32::from_le_bytes(*bytes);
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return false;
    };
    // Without an early end, so that it is done by vectors.
    let rising = offsets
        .array_windows()
        .fold(true, |rising, [a, b]| rising & (offset(a) <= offset(b)));
    offsets.len() == len + 1
        && rest.is_empty()
        && rising
        && offset(first) == 0
        && usize::try_from(offset(last)).is_ok_and(|last| last == values.len())
        && values.is_ascii()
}

#[expect(unsafe_code, reason = "see is_plain_text")]
fn without_validation(builder: ArrayDataBuilder) -> ArrayDataBuilder {
    // SAFETY: what is asked of text holds: rising offsets within the values, at boundaries of
    // characters. The bitmap of nulls was checked before.
    unsafe { builder.skip_validation(true) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: ArrowError) -> String {
    super::imports::printable(&error.to_string())
}

#[cfg(test)]
mod tests;
