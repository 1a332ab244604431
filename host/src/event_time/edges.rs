//! The edges of event time, each of which a test can turn to the wrong way, to see that the
//! simulator notices. In a build that is not a test, every question is answered at compile time.

/// An edge that is easy to get wrong, named by the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The combined watermark follows the minimum down again.
    GoesBack,
    /// Out-of-orderness is not subtracted.
    NoBound,
    /// A partition that has not been heard of does not hold the watermark back.
    UnseenDoesNotHold,
    /// An idle partition still holds the watermark back.
    IdleHolds,
    /// A partition that is through still holds the watermark back.
    FinishedHolds,
    /// A partition is through before what was read of it is handled.
    FinishesEarly,
    /// When all are idle, the watermark stays at their minimum.
    AllIdleStays,
    /// A partition that wakes goes on at its own old watermark.
    WakesBehind,
    /// A partition wakes when its rows are handled, not when they are read.
    WakesLate,
    /// Partitions that leave together leave one after the other.
    LeavesOneByOne,
    /// A partition that has left still counts.
    LeavesNothing,
    /// Rows of an earlier assignment count for the present one.
    StaleCounts,
    /// A partition that comes back goes on where it was.
    ComesBackAsBefore,
    /// The idle clock runs while a partition is paused.
    RunsWhilePaused,
    /// The idle clock runs while what was read is on its way.
    RunsInFlight,
    /// The idle clock runs while nothing is read at all.
    RunsWhileBlocked,
    /// An event time in the future counts.
    FutureCounts,
    /// Rows without an event time are no activity.
    NoneIsNoActivity,
    /// Rows without an event time have the one that stands for none.
    NoneIsATime,
    /// Rows are late that are exactly at the watermark.
    LateAtWatermark,
    /// A held partition is let go as soon as it is within the drift.
    NoHysteresis,
    /// A held partition does not hold the watermark back.
    HeldLeaves,
    /// A held partition is let go only when it is behind all others.
    HeldForGood,
    /// A member that says nothing any more holds the others back for ever.
    DeadHolds,
    /// How long a member is silent is told by its own clock.
    TrustsClocks,
    /// A report that was overtaken by a later one counts.
    OldReportCounts,
    /// A member that has nothing to read holds the others back.
    IdleMemberHolds,
    /// A member publishes how far its foremost partition is.
    PublishesMaximum,
    /// A member that leaves says nothing.
    LeavesSilently,
    /// What is settled passes a partition that was not heard of.
    SettlesUnheard,
    /// What is settled does not follow a partition back that comes in behind the others.
    SettlesAsCombined,
    /// What is settled does not wait for what others have.
    SettlesAlone,
}

/// Which edge is turned to the wrong way, if any.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) Option<Edge>);

#[cfg(test)]
impl Wrong {
    pub(super) const NOTHING: Self = Self(None);

    pub(super) fn is(self, edge: Edge) -> bool {
        self.0 == Some(edge)
    }
}

/// Which edge is turned to the wrong way: none.
#[cfg(not(test))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong;

#[cfg(not(test))]
impl Wrong {
    pub(super) const NOTHING: Self = Self;

    #[inline]
    pub(super) const fn is(self, _: Edge) -> bool {
        false
    }
}
