//! How long the text of a row can get.

use weir_guest::arrays::Variable;
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

    /// Adds what the texts and items of values take, which for each row are those from one bound
    /// to the next.
    pub(super) fn add_variable(&self, bounds: &[usize], rooms: &mut Rooms<'_>) {
        match &self.values {
            Values::Clean(values) | Values::Json(values) => {
                rooms.add_each(bounds, |rows| values.span(rows).1.len() as u64);
            }
            Values::Text(values) => rooms.add_each(bounds, |rows| escaped(*values, rows)),
            Values::Base64(values) => {
                rooms.add_each(bounds, |rows| base64(values.span(rows).1.len() as u64));
            }
            Values::List(lists, item) => {
                let fixed = item.fixed();
                let bounds: Vec<usize> = bounds.iter().map(|row| lists.before(*row)).collect();
                rooms.add_each(&bounds, |items| (items.len() as u64).saturating_mul(fixed));
                item.add_variable(&bounds, rooms);
            }
            Values::Map(lists, keys, value) => {
                /// A comma, two quotes and a colon.
                const AROUND: u64 = 4;
                let fixed = AROUND + SIGNED as u64 + value.fixed();
                let bounds: Vec<usize> = bounds.iter().map(|row| lists.before(*row)).collect();
                rooms.add_each(&bounds, |entries| (entries.len() as u64).saturating_mul(fixed));
                if let Keys::Text(keys) = keys {
                    rooms.add_each(&bounds, |rows| escaped(*keys, rows));
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

fn escaped(values: Variable<'_>, rows: std::ops::Range<usize>) -> u64 {
    let (bytes, span) = values.span(rows);
    let text = &bytes[span];
    text.len() as u64 + ESCAPED * u64::from(scan::specials_of(text))
}

/// Four for three bytes, as often as there is one or more, and a quote.
fn base64(bytes: u64) -> u64 {
    bytes.saturating_mul(2) + 5
}
