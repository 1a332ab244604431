//! Objects, arrays and maps.
//!
//! What is within is written with a comma before each. The first comma makes room for the brace,
//! since members may be left out, and nobody knows which one will be the first.

use weir_guest::arrays::Lists;
use weir_guest::lanes::{Lane, signed, store, unsigned};

use super::bind::{Keys, Node};
use super::fault::Stop;
use super::text;

/// Structs as objects, and rows.
pub(super) fn object(members: &[Node<'_>], lanes: &mut [Lane], out: &mut [u8]) -> Result<(), Stop> {
    within(*b"{}", lanes, out, |lanes, out| {
        members
            .iter()
            .try_for_each(|member| member.write(lanes, out))
    })
}

pub(super) fn list(
    lists: Lists<'_>,
    item: &Node<'_>,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Result<(), Stop> {
    within(*b"[]", lanes, out, |lanes, out| {
        items(lists, lanes, |lanes| item.write(lanes, out))
    })
}

/// Maps as objects.
pub(super) fn map(
    lists: Lists<'_>,
    keys: &Keys<'_>,
    value: &Node<'_>,
    lanes: &mut [Lane],
    out: &mut [u8],
) -> Result<(), Stop> {
    within(*b"{}", lanes, out, |lanes, out| {
        items(lists, lanes, |lanes| {
            for lane in &mut *lanes {
                lane.put(out, b",\"", 2);
                keys.write(lane, out);
                lane.put(out, b"\":", 2);
            }
            value.write(lanes, out)
        })
    })
}

/// Puts brackets around what is written.
fn within(
    [open, close]: [u8; 2],
    lanes: &mut [Lane],
    out: &mut [u8],
    write: impl FnOnce(&mut [Lane], &mut [u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let starts: Vec<usize> = lanes.iter().map(|lane| lane.at).collect();
    write(lanes, out)?;
    put_brackets([open, close], &starts, lanes, out);
    Ok(())
}

#[inline(never)]
fn put_brackets([open, close]: [u8; 2], starts: &[usize], lanes: &mut [Lane], out: &mut [u8]) {
    for (lane, start) in lanes.iter_mut().zip(starts) {
        store(out, *start, &[open]);
        lane.at = lane.at.max(start + 1);
        lane.put(out, &[close], 1);
    }
}

/// Writes the first items of all lists, then the second ones of those that have them, and so on.
fn items(
    lists: Lists<'_>,
    lanes: &mut [Lane],
    mut write: impl FnMut(&mut [Lane]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    /// A list with items that are not written yet.
    #[derive(Clone, Copy)]
    struct Rest {
        /// Which lane it is of.
        place: usize,
        end: usize,
    }
    let mut next = Vec::with_capacity(lanes.len());
    let mut rests = Vec::with_capacity(lanes.len());
    for (place, lane) in lanes.iter().enumerate() {
        let items = lists.get(lane.index);
        if !items.is_empty() {
            next.push(Lane {
                index: items.start,
                ..*lane
            });
            rests.push(Rest {
                place,
                end: items.end,
            });
        }
    }
    while !next.is_empty() {
        write(&mut next)?;
        let mut count = 0;
        for at in 0..next.len() {
            let (lane, Rest { place, end }) = (next[at], rests[at]);
            lanes[place].at = lane.at;
            next[count] = Lane {
                index: lane.index + 1,
                ..lane
            };
            rests[count] = Rest { place, end };
            count += usize::from(lane.index + 1 < end);
        }
        next.truncate(count);
        rests.truncate(count);
    }
    Ok(())
}

impl Keys<'_> {
    fn write(&self, lane: &mut Lane, out: &mut [u8]) {
        match self {
            Self::Text(keys) => text::escaped(lane, out, keys.get(lane.index)),
            Self::Boolean(keys) => {
                let value = keys.get(lane.index);
                let text = if value { b"true " } else { b"false" };
                lane.put(out, text, 5 - usize::from(value));
            }
            Self::Integer(keys) => match keys.get(lane.index) {
                Ok(key) => lane.with_room(out, |room| signed(room, key)),
                Err(large) => lane.with_room(out, |room| unsigned(room, large)),
            },
        }
    }
}
