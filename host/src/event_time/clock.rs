//! The clock by which partitions are idle: it stands still while nothing is read.

use std::time::{Duration, Instant};

use super::edges::{Edge, Wrong};

/// The most that one look at the clock lets pass. Whoever looks less often has been held up, by
/// a slow broker or because the machine slept, and has not read meanwhile.
const STEP_MAX: Duration = Duration::from_secs(1);

/// Time in which the source was reading, from the start of the pipeline.
///
/// A partition whose records nobody fetches says nothing, and is not idle for that (FLIP-471).
/// What holds up a single partition is for [`Tracker::pause`](super::Tracker::pause).
#[derive(Clone, Copy, Debug)]
pub struct ReadingClock {
    reading: Duration,
    looked: Instant,
    pub(super) wrong: Wrong,
}

impl ReadingClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        ReadingClock {
            reading: Duration::ZERO,
            looked: now,
            wrong: Wrong::NOTHING,
        }
    }

    /// Looks at the clock. `reading` says whether the source has been reading since the last
    /// look, or was blocked. To be called more often than once a second.
    pub fn look(&mut self, now: Instant, reading: bool) -> Duration {
        let passed = now.saturating_duration_since(self.looked);
        self.looked = self.looked.max(now);
        if self.wrong.is(Edge::RunsWhileBlocked) {
            self.reading += passed;
        } else if reading {
            self.reading += passed.min(STEP_MAX);
        }
        self.reading
    }

    /// What it showed at the last look.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_still_while_blocked_and_after_a_long_silence() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = ReadingClock::new(start);
        assert_eq!(clock.look(at(300), true), Duration::from_millis(300));
        assert_eq!(clock.look(at(900), false), Duration::from_millis(300));
        assert_eq!(clock.look(at(1_000), true), Duration::from_millis(400));
        assert_eq!(clock.look(at(90_000), true), Duration::from_millis(1_400));
        assert_eq!(clock.look(at(80_000), true), clock.now());
        assert_eq!(clock.now(), Duration::from_millis(1_400));
    }
}
