//! Made-up rows: each partition has a pace, a disorder, and bad rows of its own.

use super::super::random::Random;
use super::super::scan::Times;

/// The wall clock of all simulations, in ms since the epoch; it stands still. Event times beyond
/// it by more than [`MAX_FUTURE`] are not believed.
pub(super) const WALL: i64 = 1_000_000;
pub(super) const MAX_FUTURE: i64 = 1_000;

/// The rows that a partition has and will have.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// No event time so far was later, but for those that are not to be believed.
    pub(super) front: i64,
    /// No row is further behind the front.
    pub(super) disorder: i64,
    pace: i64,
    dirty: bool,
}

impl Rows {
    /// Rows that begin at `front`, and that keep `bound` or do not.
    pub(super) fn new(random: &mut Random, front: i64, bound: i64) -> Self {
        let disorder = match random.below(4) {
            0 => 0,
            1 | 2 => random.between(0, bound),
            _ => bound * 3,
        };
        Rows {
            front,
            disorder,
            pace: random.between(0, 60),
            dirty: random.one_in(2),
        }
    }

    /// The next batch: possibly without rows, as when all of it was tombstones.
    pub(super) fn batch(&mut self, random: &mut Random) -> Times {
        let none = if self.dirty { -1 } else { Times::NONE };
        let values = (0..random.below(5))
            .map(|_| match random.below(12) {
                0 if self.dirty => WALL + MAX_FUTURE + random.between(1, 1_000_000),
                1 | 2 if self.dirty => none,
                _ => {
                    self.front += random.between(0, self.pace);
                    self.front - random.between(0, self.disorder)
                }
            })
            .collect();
        Times {
            none,
            ..Times::new(values)
        }
    }
}
