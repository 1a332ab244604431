use super::column::{Column, Kind};
use crate::rows::Array;

/// The data of one column, in Arrow's layout.
pub(super) struct Store {
    len: u32,
    /// For nullable columns only.
    validity: Option<Bits>,
    data: Data,
}

pub(super) enum Data {
    Bits(Bits),
    Fixed { width: usize, bytes: Vec<u8> },
    Variable { ends: Offsets, bytes: Vec<u8> },
    List { ends: Offsets, items: Box<Store> },
    Struct(Vec<Store>),
}

impl Store {
    pub(super) fn new(column: &Column) -> Self {
        let bytes = Vec::new();
        let ends = Offsets::default();
        let data = match column.kind() {
            Kind::Bool => Data::Bits(Bits::default()),
            Kind::Int32 => Data::Fixed { width: 4, bytes },
            Kind::Int64 | Kind::Float64 | Kind::TimestampMillis => Data::Fixed { width: 8, bytes },
            Kind::Utf8 | Kind::Binary => Data::Variable { ends, bytes },
            Kind::List(item) => Data::List {
                ends,
                items: Box::new(Store::new(item)),
            },
            Kind::Struct(fields) => Data::Struct(fields.iter().map(Store::new).collect()),
        };
        Self {
            len: 0,
            validity: column.is_nullable().then(Bits::default),
            data,
        }
    }

    /// Number of values, nulls included.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn data(&mut self) -> &mut Data {
        &mut self.data
    }

    /// Counts the value that was just written to [`data`](Self::data).
    pub(super) fn wrote(&mut self) {
        self.len += 1;
        if let Some(bits) = &mut self.validity {
            bits.push(true);
        }
    }

    /// Appends a null or, for a field that has none below a null struct, a value
    /// that nobody reads.
    pub(super) fn push_null(&mut self) {
        match &mut self.data {
            Data::Bits(bits) => bits.push(false),
            Data::Fixed { width, bytes } => bytes.resize(bytes.len() + *width, 0),
            Data::Variable { ends, .. } | Data::List { ends, .. } => ends.repeat(),
            Data::Struct(fields) => fields.iter_mut().for_each(Store::push_null),
        }
        self.len += 1;
        if let Some(bits) = &mut self.validity {
            bits.push(false);
        }
    }

    /// Drops all values from `rows` on, those that are not counted yet included.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.data {
            Data::Bits(bits) => bits.truncate(rows),
            Data::Fixed { width, bytes } => bytes.truncate(rows * *width),
            Data::Variable { ends, bytes } => bytes.truncate(ends.truncate(rows)),
            Data::List { ends, items } => items.truncate(ends.truncate(rows)),
            Data::Struct(fields) => fields.iter_mut().for_each(|field| field.truncate(rows)),
        }
        if let Some(bits) = &mut self.validity {
            bits.truncate(rows);
        }
        self.len = u32::try_from(rows).map_or(self.len, |rows| self.len.min(rows));
    }

    /// Moves its array and those below it to `arrays`, in pre-order, and is empty
    /// then, with room for as much again.
    pub(super) fn take(&mut self, arrays: &mut Vec<Array>) {
        let validity = self.validity.as_mut().map(Bits::take).unwrap_or_default();
        let null_count = validity.zeros;
        let validity = if null_count == 0 {
            Vec::new()
        } else {
            validity.bytes
        };
        let at = arrays.len();
        arrays.push(Array {
            len: std::mem::take(&mut self.len),
            null_count,
            buffers: Vec::new(),
        });
        arrays[at].buffers = match &mut self.data {
            Data::Bits(bits) => vec![validity, bits.take().bytes],
            Data::Fixed { bytes, .. } => vec![validity, take(bytes)],
            Data::Variable { ends, bytes } => vec![validity, ends.take(), take(bytes)],
            Data::List { ends, items } => {
                items.take(arrays);
                vec![validity, ends.take()]
            }
            Data::Struct(fields) => {
                fields.iter_mut().for_each(|field| field.take(arrays));
                vec![validity]
            }
        };
    }
}

/// A bitmap, least significant bit first.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    len: usize,
    zeros: u32,
}

impl Bits {
    pub(super) fn push(&mut self, bit: bool) {
        let shift = self.len % 8;
        if shift == 0 {
            self.bytes.push(0);
        }
        self.bytes[self.len / 8] |= u8::from(bit) << shift;
        self.len += 1;
        self.zeros += u32::from(!bit);
    }

    fn truncate(&mut self, len: usize) {
        while self.len > len {
            self.len -= 1;
            let (byte, mask) = (self.len / 8, 1 << (self.len % 8));
            self.zeros -= u32::from(self.bytes[byte] & mask == 0);
            self.bytes[byte] &= !mask;
        }
        self.bytes.truncate(self.len.div_ceil(8));
    }

    fn take(&mut self) -> Self {
        let bytes = take(&mut self.bytes);
        Self {
            bytes,
            len: std::mem::take(&mut self.len),
            zeros: std::mem::take(&mut self.zeros),
        }
    }
}

/// Where each value ends, as Arrow's 32-bit offsets: one more than there are
/// values, the first of them 0.
pub(super) struct Offsets {
    bytes: Vec<u8>,
    last: i32,
}

impl Default for Offsets {
    fn default() -> Self {
        Self {
            bytes: vec![0; 4],
            last: 0,
        }
    }
}

impl Offsets {
    /// Ends a value at `end`; false if Arrow cannot count so far.
    #[must_use]
    pub(super) fn push(&mut self, end: usize) -> bool {
        let Ok(end) = i32::try_from(end) else {
            return false;
        };
        self.last = end;
        self.repeat();
        true
    }

    /// An empty value.
    fn repeat(&mut self) {
        self.bytes.extend_from_slice(&self.last.to_le_bytes());
    }

    /// Keeps this many values at most and says where the last of them ends.
    fn truncate(&mut self, values: usize) -> usize {
        self.bytes.truncate((values + 1) * 4);
        let mut last = [0; 4];
        last.copy_from_slice(&self.bytes[self.bytes.len() - 4..]);
        self.last = i32::from_le_bytes(last);
        usize::try_from(self.last).expect("offsets are never negative")
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = take(&mut self.bytes);
        self.bytes.extend_from_slice(&[0; 4]);
        self.last = 0;
        bytes
    }
}

fn take(bytes: &mut Vec<u8>) -> Vec<u8> {
    let room = Vec::with_capacity(bytes.len());
    std::mem::replace(bytes, room)
}
