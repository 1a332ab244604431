//! Rows as JSON objects, one a line.
//!
//! | Arrow | JSON |
//! |---|---|
//! | null | `null`: a field is never left out |
//! | bool, integers, strings | themselves |
//! | floats | numbers; NaN and the infinities are `null`, since JSON has no such numbers |
//! | decimals | numbers with all their digits |
//! | binary, fixed-size binary | base64, as in Kafka Connect and proto3 |
//! | dates, times | `"2024-02-29"`, `"23:59:59.999"` |
//! | timestamps | `"2024-02-29T23:59:59.999"`; an instant (a type with a zone) is in UTC and ends in `Z` |
//! | durations, intervals | ISO 8601: `"P1M2DT3.500S"` |
//! | lists, structs, maps | arrays, objects, objects |
//! | dictionaries, runs | their values |
//!
//! Every date and time that the column can hold is written, also those outside the years
//! 0 to 9999 (as in `"+292278994-08-17"`) and times of day past 24 hours. Unions, and maps
//! whose keys are not strings, are errors.

mod temporal;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

/// The rows of one batch as JSON: all lines in one buffer, and where each ends.
///
/// Meant to be kept and filled again, batch after batch.
#[derive(Debug)]
pub struct JsonRows {
    options: EncoderOptions,
    lines: Vec<u8>,
    /// For each row, the position of its newline in `lines`.
    ends: Vec<usize>,
}

impl Default for JsonRows {
    fn default() -> Self {
        Self {
            options: options(),
            lines: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl JsonRows {
    /// Replaces the content with the rows of `batch`.
    ///
    /// # Errors
    /// A column of a type that JSON cannot hold; the message names the column and the type.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.lines.clear();
        self.ends.clear();
        let root: FieldRef = Arc::new(Field::new_struct(
            "",
            batch.schema().fields().clone(),
            false,
        ));
        let rows = StructArray::from(batch.clone());
        let mut encoder = make_encoder(&root, &rows, &self.options)
            .map_err(|error| self.name_the_column(batch, error))?;
        for row in 0..batch.num_rows() {
            encoder.encode(row, &mut self.lines);
            self.ends.push(self.lines.len());
            self.lines.push(b'\n');
        }
        Ok(())
    }

    /// All rows, each with its newline.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Each row without its newline.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|row| self.get(row))
    }

    /// One row without its newline.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.lines[start..self.ends[row]]
    }

    fn name_the_column(&self, batch: &RecordBatch, error: ArrowError) -> ArrowError {
        let schema = batch.schema();
        let culprit = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .find(|(field, column)| make_encoder(field, column, &self.options).is_err());
        match culprit {
            Some((field, _)) => {
                ArrowError::JsonError(format!("column {:?}: {error}", field.name()))
            }
            None => error,
        }
    }
}

/// The values of one column, each as JSON.
#[derive(Debug, Default)]
pub struct JsonCells {
    cells: Vec<u8>,
    /// Where each ends in `cells`.
    ends: Vec<usize>,
}

impl JsonCells {
    /// # Errors
    /// A type that JSON cannot hold.
    pub fn encode(field: &FieldRef, values: &ArrayRef) -> Result<Self, ArrowError> {
        let options = options();
        let mut encoder = make_encoder(field, values, &options)?;
        let mut cells = Self::default();
        for row in 0..values.len() {
            if encoder.is_null(row) {
                cells.cells.extend(b"null");
            } else {
                encoder.encode(row, &mut cells.cells);
            }
            cells.ends.push(cells.cells.len());
        }
        Ok(cells)
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.cells[start..self.ends[row]]
    }
}

fn options() -> EncoderOptions {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Encoders))
}

/// `2024-02-29T23:59:59Z`, from seconds since the epoch.
pub(super) fn utc_seconds(seconds: i64) -> String {
    let mut text = Vec::with_capacity(20);
    temporal::utc_seconds(seconds, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The types that arrow-json writes in another way than the table above says.
#[derive(Debug)]
struct Encoders;

impl EncoderFactory for Encoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        Ok(match array.data_type() {
            DataType::Binary => Some(base64(array.as_binary::<i32>(), nulls)),
            DataType::LargeBinary => Some(base64(array.as_binary::<i64>(), nulls)),
            DataType::BinaryView => Some(base64(array.as_binary_view(), nulls)),
            DataType::FixedSizeBinary(_) => Some(base64(array.as_fixed_size_binary(), nulls)),
            DataType::Dictionary(_, _) => null_values(field, array, options)?,
            _ => temporal::encoder(array)
                .map(|write| NullableEncoder::new(Box::new(Cells(write)), nulls)),
        })
    }
}

/// An encoder that is a function from the row and the output.
struct Cells<F>(F);

impl<F: FnMut(usize, &mut Vec<u8>)> Encoder for Cells<F> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        (self.0)(row, out);
    }
}

fn base64<'a, A>(array: A, nulls: Option<NullBuffer>) -> NullableEncoder<'a>
where
    A: arrow::array::ArrayAccessor<Item = &'a [u8]> + 'a,
{
    let write = move |row, out: &mut Vec<u8>| {
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "\"{}\"",
            Base64Display::new(array.value(row), &STANDARD)
        );
    };
    NullableEncoder::new(Box::new(Cells(write)), nulls)
}

/// arrow-json looks for nulls among a dictionary's keys only; nulls among its values
/// would come out as empty strings or zeros.
fn null_values<'a>(
    field: &'a FieldRef,
    array: &'a dyn Array,
    options: &'a EncoderOptions,
) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
    let dictionary = array.as_any_dictionary();
    if dictionary.values().logical_null_count() == 0 {
        return Ok(None);
    }
    let keys = dictionary.normalized_keys();
    let mut values = make_encoder(field, dictionary.values().as_ref(), options)?;
    let write = move |row: usize, out: &mut Vec<u8>| values.encode(keys[row], out);
    Ok(Some(NullableEncoder::new(
        Box::new(Cells(write)),
        array.logical_nulls(),
    )))
}

#[cfg(test)]
mod tests;
