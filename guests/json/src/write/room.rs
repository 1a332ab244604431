//! How long the text of a row can get.

use std::ops::Range;

use weir_guest::arrays::{Lists, Variable};
use weir_guest::lanes::{Rooms, SIGNED};

use super::bind::{Keys, Node, Values};
use crate::scan;
use crate::types::Written;

/// Of a float with its sign, all its digits and its exponent.
const FLOAT: u64 = 32;
/// Of a character that has to be escaped, beyond the one byte that it has.
const ESCAPED: u64 = 5;
/// Of the largest period.
const PERIOD: u64 = 80;
/// Of the digits of a number of 256 bits.
const DECIMAL: u64 = 80;

impl Node<'_> {
    /// What a value takes at most, but for texts and items.
    pub(super) fn fixed(&self) -> u64 {
        let value = match &self.values {
            Values::Null | Values::Boolean(_) => 5,
            Values::Plain(_) | Values::Integer(..) => SIGNED as u64,
            Values::Float32(_) | Values::Half(_) | Values::Float64(..) => FLOAT,
            Values::Decimal(_, scale, written) => match written {
                Written::Base64 => DECIMAL,
                _ => DECIMAL + 2 * u64::from(scale.unsigned_abs()),
            },
            Values::Clean(_) | Values::Text(_) | Values::Json(_) => 1,
            Values::Base64(_) => base64(0),
            Values::Base64Fixed(values) => base64(values.width() as u64),
            Values::Uuid(_) | Values::Date(..) | Values::Time(..) | Values::Timestamp(..) => 40,
            Values::Duration(..) | Values::Interval(..) => PERIOD,
            Values::List(..) | Values::Map(..) => 2,
            Values::Object(members) => 2 + members.iter().map(Node::fixed).sum::<u64>(),
        };
        let absent = self.absent.map_or(0, |absent| absent.len());
        self.before.len().max(absent) as u64 + value
    }

    /// Adds what the texts and items of the values of each row take.
    pub(super) fn add_variable(&self, bounds: &Bounds, rooms: &mut Rooms<'_>) {
        match &self.values {
            Values::Clean(values) | Values::Json(values) => {
                if let Bounds::Each(rows) = bounds {
                    add_lengths(*values, rows.clone(), rooms);
                } else {
                    rooms.add_each(bounds.ranges().map(|rows| values.span(rows).1.len() as u64));
                }
            }
            Values::Text(values) => {
                rooms.add_each(bounds.ranges().map(|rows| escaped(*values, rows)));
            }
            Values::Base64(values) => {
                let size = |rows| base64(values.span(rows).1.len() as u64);
                rooms.add_each(bounds.ranges().map(size));
            }
            Values::List(lists, item) => {
                let fixed = item.fixed();
                let bounds = bounds.below(*lists);
                let size = |items: Range<usize>| (items.len() as u64).saturating_mul(fixed);
                rooms.add_each(bounds.ranges().map(size));
                item.add_variable(&bounds, rooms);
            }
            Values::Map(lists, keys, value) => {
                /// A comma, two quotes and a colon.
                const AROUND: u64 = 4;
                let fixed = AROUND + SIGNED as u64 + value.fixed();
                let bounds = bounds.below(*lists);
                let size = |entries: Range<usize>| (entries.len() as u64).saturating_mul(fixed);
                rooms.add_each(bounds.ranges().map(size));
                if let Keys::Text(keys) = keys {
                    rooms.add_each(bounds.ranges().map(|rows| escaped(*keys, rows)));
                }
                value.add_variable(&bounds, rooms);
            }
            Values::Object(members) => {
                for member in members {
                    member.add_variable(bounds, rooms);
                }
            }
            _ => {}
        }
    }
}

/// Which values of a column each row has.
pub(super) enum Bounds {
    /// One each.
    Each(Range<usize>),
    /// Those from one bound to the next.
    Items(Vec<usize>),
}

impl Bounds {
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let (rows, items) = match self {
            Self::Each(rows) => (rows.clone(), &[][..]),
            Self::Items(items) => (0..0, &items[..]),
        };
        let items = items.windows(2).map(|ends| ends[0]..ends[1]);
        rows.map(|row| row..row + 1).chain(items)
    }

    /// Those of what is in the lists.
    fn below(&self, lists: Lists<'_>) -> Self {
        let before = |row: usize| lists.before(row);
        Self::Items(match self {
            Self::Each(rows) => (rows.start..=rows.end).map(before).collect(),
            Self::Items(items) => items.iter().map(|row| before(*row)).collect(),
        })
    }
}

#[inline(never)]
fn add_lengths(values: Variable<'_>, rows: Range<usize>, rooms: &mut Rooms<'_>) {
    rooms.add_each(values.lengths(rows).map(u64::from));
}

fn escaped(values: Variable<'_>, rows: Range<usize>) -> u64 {
    let (bytes, span) = values.span(rows);
    let text = &bytes[span];
    text.len() as u64 + ESCAPED * u64::from(scan::specials_of(text))
}

/// Four for three bytes, as often as there is one or more, and a quote.
fn base64(bytes: u64) -> u64 {
    bytes.saturating_mul(2) + 5
}
