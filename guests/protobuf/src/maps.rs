//! A key that a map has twice keeps its last value.

use std::ops::Range;

use weir_guest::columns::Column;

use crate::{
    plan::{Plan, Slot},
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
    let keys = Keys {
        kind: plan.kinds[key],
        numbers: &columns[key].data,
        staged: slots.column(key),
        bytes,
    };
    let mut dropped = Vec::new();
    for slot in first..lists {
        let entries = end_of(&columns[list], slot)..end_of(&columns[list], slot + 1);
        if entries.len() > 1 {
            keys.repeated(entries, &mut dropped);
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

/// The keys of a map column.
struct Keys<'a> {
    kind: Slot,
    numbers: &'a [u8],
    staged: &'a Staged,
    bytes: &'a [u8],
}

impl Keys<'_> {
    /// Adds the entries that have the key of a later one.
    fn repeated(&self, entries: Range<usize>, dropped: &mut Vec<usize>) {
        if entries.len() <= FEW {
            for entry in entries.clone() {
                if (entry + 1..entries.end).any(|later| self.get(later) == self.get(entry)) {
                    dropped.push(entry);
                }
            }
            return;
        }
        let mut sorted: Vec<usize> = entries.collect();
        sorted.sort_by_key(|entry| self.get(*entry));
        let equal = sorted.windows(2);
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
