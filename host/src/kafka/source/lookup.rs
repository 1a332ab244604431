//! Which of the assigned partitions a message is of.

use std::collections::HashMap;

/// A topic's handle, and the number of a partition.
type Key = (usize, i32);

/// Indexes of partitions by what their messages have. What librdkafka fetched at once is of one
/// partition, so most messages are of the one before.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    last: Option<(Key, usize)>,
    known: HashMap<Key, usize>,
}

impl Lookup {
    /// The index of a partition; `find` is asked where it is not known.
    pub(super) fn get(&mut self, key: Key, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
        if let Some((last, index)) = self.last
            && last == key
        {
            return Some(index);
        }
        let index = match self.known.get(&key) {
            Some(index) => *index,
            None => {
                let index = find()?;
                self.known.insert(key, index);
                index
            }
        };
        self.last = Some((key, index));
        Some(index)
    }

    /// Forgets all: the handles or the indexes are others now.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_looked_for_once() {
        let mut lookup = Lookup::default();
        let unknown = || panic!("it is known");
        assert_eq!(lookup.get((1, 0), || None), None);
        assert_eq!(lookup.get((1, 0), || Some(7)), Some(7));
        assert_eq!(lookup.get((1, 1), || Some(8)), Some(8));
        assert_eq!(lookup.get((1, 1), unknown), Some(8));
        assert_eq!(lookup.get((1, 0), unknown), Some(7));
        lookup.clear();
        assert_eq!(lookup.get((1, 0), || Some(3)), Some(3));
    }
}
