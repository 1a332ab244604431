//! A key that a map has twice keeps its last value, and entries whose value a closed enum does
//! not have are not entries at all.

use weir_guest::columns::Column;

use crate::{
    plan::{Enum, Finish, Plan, Slot},
    slots::{Slots, Staged, end_of, keep},
};

/// Up to this many entries are compared with each other; more are sorted.
const FEW: usize = 16;

/// Drops all but the last entry of each key, from each map of the block that column `map` has.
#[inline(never)]
pub(crate) fn keep_last(
    plan: &Plan,
    bytes: &[u8],
    columns: &mut [Column],
    slots: &mut Slots,
    map: u32,
) {
    let (list, key) = (map as usize, map as usize + 2);
    let first = slots.column(list).base;
    let lists = columns[list].offsets.len() / 4 - 1;
    let slots_of = &*slots;
    let closed = match plan.finish.get(key + 1) {
        Some(Finish::Enum(values)) if plan.enums[*values as usize].closed => Some(Values {
            values: &plan.enums[*values as usize],
            staged: slots_of.get(key + 1),
        }),
        _ => None,
    };
    let keys = Keys {
        kind: plan.kinds[key],
        numbers: &columns[key].data,
        staged: slots_of.get(key),
        bytes,
    };
    let (mut dropped, mut known) = (Vec::new(), Vec::new());
    for slot in first..lists {
        let entries = end_of(&columns[list], slot)..end_of(&columns[list], slot + 1);
        known.clear();
        match &closed {
            None => known.extend(entries),
            Some(values) => {
                for entry in entries {
                    match values.has(entry) {
                        true => known.push(entry),
                        false => dropped.push(entry),
                    }
                }
            }
        }
        if known.len() > 1 {
            keys.repeated(&mut known, &mut dropped);
        }
    }
    if dropped.is_empty() {
        return;
    }
    dropped.sort_unstable();
    let start = end_of(&columns[list], first);
    let is_kept = |entry: &usize| dropped.binary_search(entry).is_err();
    let kept: Vec<usize> = (start..columns[list].items()).filter(is_kept).collect();
    let counts: Vec<usize> = (first..lists)
        .map(|slot| {
            let entries = end_of(&columns[list], slot)..end_of(&columns[list], slot + 1);
            entries.filter(is_kept).count()
        })
        .collect();
    columns[list].cut_lists(first);
    for count in counts {
        // Fewer than there were, so they fit.
        let _ = columns[list].push_list(count);
    }
    keep(plan, columns, slots, map + 1, start, &kept);
}

/// The values of a map column that are of a closed enum.
struct Values<'a> {
    values: &'a Enum,
    staged: &'a Staged,
}

impl Values<'_> {
    fn has(&self, entry: usize) -> bool {
        let number = self.staged.spans[entry - self.staged.base].as_number();
        number.is_none_or(|number| self.values.name(number).is_some())
    }
}

/// The keys of a map column.
struct Keys<'a> {
    kind: Slot,
    numbers: &'a [u8],
    staged: &'a Staged,
    bytes: &'a [u8],
}

impl Keys<'_> {
    /// Adds the entries that have the key of a later one.
    fn repeated(&self, entries: &mut [usize], dropped: &mut Vec<usize>) {
        if entries.len() <= FEW {
            for (at, entry) in entries.iter().enumerate() {
                let mut later = entries[at + 1..].iter();
                if later.any(|later| self.get(*later) == self.get(*entry)) {
                    dropped.push(*entry);
                }
            }
            return;
        }
        // Stable, so that of equal keys the last stays last.
        entries.sort_by_key(|entry| self.get(*entry));
        let equal = entries.windows(2);
        dropped.extend(
            equal
                .filter(|pair| self.get(pair[0]) == self.get(pair[1]))
                .map(|pair| pair[0]),
        );
    }

    /// The bytes of a key.
    fn get(&self, entry: usize) -> &[u8] {
        match self.kind {
            Slot::Zeros(width) => &self.numbers[entry * width as usize..][..width as usize],
            _ => {
                let span = self.staged.spans[entry - self.staged.base];
                self.staged.bytes(self.bytes, span)
            }
        }
    }
}
