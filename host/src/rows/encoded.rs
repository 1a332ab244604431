//! What serializers made of rows.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;

use crate::batch::{Headers, NullableColumn};

/// Keys and values of the messages that rows become; `None` where no serializer makes them.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// One for each row.
    pub keys: Option<Payloads>,
    /// One for each row.
    pub values: Option<Payloads>,
}

/// Payloads of consecutive rows, as a serializer answered.
#[derive(Clone, Debug)]
pub struct EncodedPart {
    /// The row of the first.
    pub start: usize,
    /// One for each row; a null value is a tombstone, and a null key is none.
    pub payloads: NullableColumn,
    /// Headers for the messages.
    pub headers: Option<Headers>,
}

/// The payload of each row, without a copy of it.
#[derive(Clone, Debug)]
pub struct Payloads {
    parts: Arc<Vec<EncodedPart>>,
    /// The part and the place in it of each row; `None` where row `i` is in place `i` of the only
    /// part.
    places: Option<Vec<(usize, usize)>>,
}

impl Payloads {
    /// The payloads of all rows, which are in one part.
    #[must_use]
    pub fn whole(part: EncodedPart) -> Self {
        Self {
            parts: Arc::new(vec![part]),
            places: None,
        }
    }

    /// Payloads in these parts, each row with its part and its place in that.
    #[must_use]
    pub fn placed(parts: Vec<EncodedPart>, places: Vec<(usize, usize)>) -> Self {
        Self {
            parts: Arc::new(parts),
            places: Some(places),
        }
    }

    /// The payload of a row, `None` where that is null.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let (part, place) = self.place(row);
        self.parts[part].payloads.get(place)
    }

    /// The headers of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn headers(&self, row: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let (part, place) = self.place(row);
        let headers = self.parts[part].headers.iter();
        headers.flat_map(move |headers| headers.each(place))
    }

    /// Those of the rows that are kept.
    #[must_use]
    pub fn filter(&self, kept: &BooleanBuffer) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            places: Some(kept.set_indices().map(|row| self.place(row)).collect()),
        }
    }

    fn place(&self, row: usize) -> (usize, usize) {
        match &self.places {
            None => (0, row),
            Some(places) => places[row],
        }
    }
}

impl Encoded {
    /// Those of the rows that are kept.
    #[must_use]
    pub fn filter(&self, kept: &BooleanBuffer) -> Self {
        let filter = |payloads: &Option<Payloads>| payloads.as_ref().map(|p| p.filter(kept));
        Self {
            keys: filter(&self.keys),
            values: filter(&self.values),
        }
    }
}
