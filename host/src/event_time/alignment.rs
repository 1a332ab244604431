//! Which partitions run too far ahead of the others in event time.

use super::edges::{Edge, Wrong};

/// A held partition goes on when it is this part of the drift below the limit, so that it is not
/// held and let go with every batch.
const HYSTERESIS: i64 = 4;

/// How far partitions, sources and pipelines may drift apart (FLIP-182, FLIP-217).
///
/// Looked at with each batch and not at intervals: were the limit raised only so often, nothing
/// could be read faster than the drift in that time, however long the backlog (FLINK-37399).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// How far the watermark of one may be ahead of the least, in ms.
    pub max_drift: i64,
    pub(super) wrong: Wrong,
}

impl Alignment {
    /// With this drift, in ms.
    #[must_use]
    pub fn new(max_drift: i64) -> Self {
        Alignment {
            max_drift,
            wrong: Wrong::NOTHING,
        }
    }

    /// The watermark up to which partitions are read, in ms since the epoch. `floor` is what all
    /// are held against: [`Tracker::floor`](super::Tracker::floor), and those of the group.
    #[must_use]
    pub fn limit(&self, floor: Option<i64>) -> Option<i64> {
        floor.map(|floor| floor.saturating_add(self.max_drift))
    }

    /// Whether a partition with this watermark is to be held, or held on.
    ///
    /// Whoever is at the floor is never held: so somebody always goes on, or is idle after a
    /// while and does not count.
    #[must_use]
    pub fn is_held(&self, was_held: bool, watermark: Option<i64>, floor: Option<i64>) -> bool {
        let (Some(watermark), Some(floor)) = (watermark, floor) else {
            return false;
        };
        let allowed = if !was_held || self.wrong.is(Edge::NoHysteresis) {
            self.max_drift
        } else if self.wrong.is(Edge::HeldForGood) {
            -1
        } else {
            self.max_drift - self.max_drift / HYSTERESIS
        };
        watermark > floor.saturating_add(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_above_the_drift_and_lets_go_well_below_it() {
        let alignment = Alignment::new(1_000);
        let held = |was, watermark| alignment.is_held(was, Some(watermark), Some(100));
        assert!(!held(false, 1_100));
        assert!(held(false, 1_101));
        assert!(held(true, 1_100), "let go, it would be held at once again");
        assert!(held(true, 851));
        assert!(!held(true, 850));
        assert_eq!(alignment.limit(Some(100)), Some(1_100));
    }

    #[test]
    fn nobody_waits_for_what_is_not_known() {
        let alignment = Alignment::new(0);
        for was_held in [false, true] {
            assert!(!alignment.is_held(was_held, None, Some(5)));
            assert!(!alignment.is_held(was_held, Some(5), None));
            assert!(!alignment.is_held(was_held, Some(5), Some(5)));
            assert!(alignment.is_held(was_held, Some(6), Some(5)));
        }
        assert_eq!(alignment.limit(None), None);
    }

    /// FLINK-31632: a limit past the end of time must not wrap around.
    #[test]
    fn the_ends_of_time_are_no_special_case() {
        let alignment = Alignment::new(i64::MAX);
        assert_eq!(alignment.limit(Some(i64::MAX)), Some(i64::MAX));
        assert!(!alignment.is_held(true, Some(i64::MAX), Some(i64::MAX)));
        assert!(!alignment.is_held(true, Some(i64::MIN), Some(i64::MIN)));
    }
}
