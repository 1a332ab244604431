//! Columns of messages that a plug-in returned, checked before they are believed.

use std::sync::Arc;

use super::bindings::{messages as wit, types};
use crate::batch::{BinaryColumn, Headers, NullableColumn};

/// Headers of so many messages.
///
/// # Errors
/// A sentence about what does not hold together.
pub(super) fn headers(headers: wit::Headers, rows: usize) -> Result<Headers, String> {
    let count = headers.names.offsets.len().saturating_sub(1);
    check_offsets(&headers.row_offsets, rows, count).map_err(|e| format!("row offsets: {e}"))?;
    Ok(Headers {
        row_offsets: Arc::new(headers.row_offsets),
        names: nullable(headers.names, None, count)
            .map_err(|e| format!("names: {e}"))?
            .column,
        values: nullable(headers.values, headers.value_validity, count)
            .map_err(|e| format!("values: {e}"))?,
    })
}

/// A column of so many values.
///
/// # Errors
/// A sentence about what does not hold together.
pub(super) fn nullable(
    column: types::BinaryColumn,
    validity: Option<Vec<u8>>,
    rows: usize,
) -> Result<NullableColumn, String> {
    check_offsets(&column.offsets, rows, column.bytes.len())?;
    if let Some(bits) = &validity
        && bits.len() < rows.div_ceil(8)
    {
        return Err(format!(
            "a validity bitmap of {} bytes for {rows} values",
            bits.len()
        ));
    }
    Ok(NullableColumn {
        column: BinaryColumn {
            offsets: Arc::new(column.offsets),
            bytes: Arc::new(column.bytes),
        },
        validity: validity.map(Arc::new),
    })
}

/// Offsets of `count` values start at 0, never decrease, and end at `end`.
fn check_offsets(offsets: &[u32], count: usize, end: usize) -> Result<(), String> {
    if offsets.len() != count + 1 {
        return Err(format!(
            "{} offsets for {count} values, which have one more",
            offsets.len()
        ));
    }
    if offsets[0] != 0 || offsets[count] as usize != end || !offsets.is_sorted() {
        return Err(format!(
            "offsets have to start at 0, never decrease and end at {end}"
        ));
    }
    Ok(())
}
