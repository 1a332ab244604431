//! Reading the columns that a serializer is lent, as low as [`columns`](crate::columns) writes
//! them: typed slices of Arrow's buffers, found once a batch.

mod number;
pub mod text;

use crate::rows::{Array, Field};

pub use number::{NumberFault, Scale, exact_double, half};

/// The field after those below field `index`, in pre-order.
///
/// # Panics
/// If there is no such field.
#[must_use]
pub fn end_of(fields: &[Field], index: usize) -> usize {
    let mut end = index + 1;
    for _ in 0..fields[index].children {
        end = end_of(fields, end);
    }
    end
}

/// The direct children of field `index`.
///
/// # Panics
/// If there is no such field.
pub fn children(fields: &[Field], index: usize) -> impl Iterator<Item = usize> {
    let mut next = index + 1;
    (0..fields[index].children).map(move |_| {
        let child = next;
        next = end_of(fields, child);
        child
    })
}

/// The fields that are not below another.
pub fn roots(fields: &[Field]) -> impl Iterator<Item = usize> {
    let from = |at: usize| (at < fields.len()).then_some(at);
    std::iter::successors(from(0), move |at| from(end_of(fields, *at)))
}

/// The names from a top-level field down to this one, such as `items.item.sku`.
///
/// # Panics
/// If there is no such field.
#[must_use]
pub fn path(fields: &[Field], index: usize) -> String {
    let names: Vec<&str> = (0..=index)
        .filter(|above| index < end_of(fields, *above))
        .map(|above| fields[above].name.as_str())
        .collect();
    names.join(".")
}

/// What the Arrow extension type of a field is called, if it has one.
#[must_use]
pub fn extension(field: &Field) -> Option<&str> {
    let mut metadata = field.metadata.iter();
    metadata
        .find(|(key, _)| key == "ARROW:extension:name")
        .map(|(_, name)| name.as_str())
}

/// Which values of an array are there.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a>(&'a [u8]);

impl<'a> Validity<'a> {
    /// Of an array that has a validity buffer; `None` where nothing is null.
    #[must_use]
    pub fn of(array: &'a Array) -> Option<Self> {
        let bits = array.buffers.first()?;
        (array.null_count > 0).then_some(Self(bits))
    }

    /// Whether value `row` is there.
    #[inline(always)]
    #[must_use]
    pub fn is_valid(self, row: usize) -> bool {
        bit(self.0, row)
    }
}

/// The bit of a row, least significant first.
#[inline(always)]
fn bit(bits: &[u8], row: usize) -> bool {
    bits[row / 8] >> (row % 8) & 1 == 1
}

/// Booleans.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    /// The values of a boolean array.
    #[must_use]
    pub fn of(array: &'a Array) -> Self {
        Self(buffer(array, 1))
    }

    /// Value `row`.
    #[inline(always)]
    #[must_use]
    pub fn get(self, row: usize) -> bool {
        bit(self.0, row)
    }
}

/// The values of an array whose values have `N` bytes, little-endian.
#[must_use]
pub fn fixed<const N: usize>(array: &Array) -> &[[u8; N]] {
    buffer(array, 1).as_chunks().0
}

/// Values of a width that only the schema knows.
#[derive(Clone, Copy, Debug)]
pub struct Wide<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Wide<'a> {
    /// The values of an array of format `w:` and this width.
    #[must_use]
    pub fn of(array: &'a Array, width: usize) -> Self {
        let bytes = buffer(array, 1);
        Self { bytes, width }
    }

    /// Bytes of each value.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// Value `row`.
    #[inline(always)]
    #[must_use]
    pub fn get(self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.width..(row + 1) * self.width]
    }
}

/// Values of variable length.
#[derive(Clone, Copy, Debug)]
pub struct Variable<'a> {
    offsets: &'a [[u8; 4]],
    bytes: &'a [u8],
}

impl<'a> Variable<'a> {
    /// All values end to end, and where those of these rows lie in them.
    ///
    /// # Panics
    /// If there are not as many rows.
    #[inline(always)]
    #[must_use]
    pub fn span(self, rows: std::ops::Range<usize>) -> (&'a [u8], std::ops::Range<usize>) {
        if rows.is_empty() {
            // An array without values may have no offsets at all.
            return (self.bytes, 0..0);
        }
        let span = offset(self.offsets, rows.start)..offset(self.offsets, rows.end);
        (self.bytes, span)
    }

    /// The values of an array of format `u` or `z`.
    #[must_use]
    pub fn of(array: &'a Array) -> Self {
        Self {
            offsets: buffer(array, 1).as_chunks().0,
            bytes: buffer(array, 2),
        }
    }

    /// All values end to end, and where value `row` lies in them.
    #[inline(always)]
    #[must_use]
    pub fn value(self, row: usize) -> (&'a [u8], std::ops::Range<usize>) {
        let value = offset(self.offsets, row)..offset(self.offsets, row + 1);
        (self.bytes, value)
    }

    /// The lengths of the values of these rows.
    ///
    /// # Panics
    /// If there are not as many rows.
    #[inline(always)]
    pub fn lengths(self, rows: std::ops::Range<usize>) -> impl Iterator<Item = u32> {
        let offsets = match rows.is_empty() {
            true => &[],
            false => &self.offsets[rows.start..=rows.end],
        };
        let offsets = offsets.iter().map(|offset| u32::from_le_bytes(*offset));
        // They never decrease.
        offsets
            .clone()
            .skip(1)
            .zip(offsets)
            .map(|(end, start)| end.wrapping_sub(start))
    }

    /// All values end to end.
    #[must_use]
    pub fn all(self) -> &'a [u8] {
        self.bytes
    }

    /// Value `row`.
    #[inline(always)]
    #[must_use]
    pub fn get(self, row: usize) -> &'a [u8] {
        &self.bytes[offset(self.offsets, row)..offset(self.offsets, row + 1)]
    }
}

/// Where the items of lists, or the entries of maps, are.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a>(&'a [[u8; 4]]);

impl<'a> Lists<'a> {
    /// The lists of an array of format `+l` or `+m`.
    #[must_use]
    pub fn of(array: &'a Array) -> Self {
        Self(buffer(array, 1).as_chunks().0)
    }

    /// How many items the lists before this one have.
    #[inline(always)]
    #[must_use]
    pub fn before(self, row: usize) -> usize {
        // An array without values may have no offsets at all.
        if row == 0 { 0 } else { offset(self.0, row) }
    }

    /// The items of list `row`, as values of the child.
    #[inline(always)]
    #[must_use]
    pub fn get(self, row: usize) -> std::ops::Range<usize> {
        offset(self.0, row)..offset(self.0, row + 1)
    }
}

#[inline(always)]
fn offset(offsets: &[[u8; 4]], row: usize) -> usize {
    u32::from_le_bytes(offsets[row]) as usize
}

/// The zone of the format of a timestamp: empty where it has none, and is what a clock on a wall
/// shows.
#[must_use]
pub fn zone(format: &str) -> Option<&str> {
    format.strip_prefix("ts")?.get(2..)
}

/// How many ns the unit of a time, a timestamp or a duration has.
#[must_use]
pub fn unit_ns(format: &str) -> Option<i64> {
    let unit = ["tt", "ts", "tD"]
        .iter()
        .find_map(|kind| format.strip_prefix(kind));
    Some(match unit?.get(..1)? {
        "s" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        _ => return None,
    })
}

/// Precision and scale of the format of a decimal, and the bytes of a value.
#[must_use]
pub fn decimal(format: &str) -> Option<(usize, i32, usize)> {
    let mut numbers = format.strip_prefix("d:")?.split(',');
    let (precision, scale) = (numbers.next()?, numbers.next()?);
    let width = match numbers.next() {
        None | Some("128") => 16,
        Some("32") => 4,
        Some("64") => 8,
        Some("256") => 32,
        Some(_) => return None,
    };
    Some((precision.parse().ok()?, scale.parse().ok()?, width))
}

/// The width of the format of binary values of a fixed size.
#[must_use]
pub fn width(format: &str) -> Option<usize> {
    format.strip_prefix("w:")?.parse().ok()
}

/// Whole numbers of any width.
#[derive(Clone, Copy, Debug)]
pub enum Integers<'a> {
    /// Format `c`.
    I8(&'a [[u8; 1]]),
    /// Format `s`.
    I16(&'a [[u8; 2]]),
    /// Format `i`, and dates and times of 32 bits.
    I32(&'a [[u8; 4]]),
    /// Format `l`, and dates, times, timestamps and durations of 64 bits.
    I64(&'a [[u8; 8]]),
    /// Format `C`.
    U8(&'a [[u8; 1]]),
    /// Format `S`.
    U16(&'a [[u8; 2]]),
    /// Format `I`.
    U32(&'a [[u8; 4]]),
    /// Format `L`.
    U64(&'a [[u8; 8]]),
}

impl<'a> Integers<'a> {
    /// The values of an array of this format, if that is one of whole numbers or of times.
    #[must_use]
    pub fn of(format: &str, array: &'a Array) -> Option<Self> {
        Some(match format {
            "c" => Self::I8(fixed(array)),
            "s" => Self::I16(fixed(array)),
            "C" => Self::U8(fixed(array)),
            "S" => Self::U16(fixed(array)),
            "I" => Self::U32(fixed(array)),
            "L" => Self::U64(fixed(array)),
            "i" | "tdD" | "tts" | "ttm" | "tiM" => Self::I32(fixed(array)),
            "l" | "tdm" | "ttu" | "ttn" => Self::I64(fixed(array)),
            time if time.starts_with("ts") || time.starts_with("tD") => Self::I64(fixed(array)),
            _ => return None,
        })
    }

    /// Value `row`.
    ///
    /// # Errors
    /// One above [`i64::MAX`].
    #[inline(always)]
    pub fn get(self, row: usize) -> Result<i64, u64> {
        Ok(match self {
            Self::I8(values) => i8::from_le_bytes(values[row]).into(),
            Self::I16(values) => i16::from_le_bytes(values[row]).into(),
            Self::I32(values) => i32::from_le_bytes(values[row]).into(),
            Self::I64(values) => i64::from_le_bytes(values[row]),
            Self::U8(values) => u8::from_le_bytes(values[row]).into(),
            Self::U16(values) => u16::from_le_bytes(values[row]).into(),
            Self::U32(values) => u32::from_le_bytes(values[row]).into(),
            Self::U64(values) => {
                let value = u64::from_le_bytes(values[row]);
                return i64::try_from(value).map_err(|_| value);
            }
        })
    }
}

/// A buffer; an empty one where an array without values has none.
fn buffer(array: &Array, index: usize) -> &[u8] {
    array.buffers.get(index).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, children: u32) -> Field {
        Field {
            name: name.to_owned(),
            format: "+s".to_owned(),
            nullable: false,
            metadata: Vec::new(),
            children,
        }
    }

    #[test]
    fn fields_in_pre_order() {
        let fields = [("a", 2), ("b", 1), ("c", 0), ("d", 0), ("e", 0)];
        let fields = fields.map(|(name, children)| field(name, children));
        assert_eq!(roots(&fields).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(children(&fields, 0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(children(&fields, 4).count(), 0);
        assert_eq!(path(&fields, 2), "a.b.c");
        assert_eq!(path(&fields, 4), "e");
    }
}
