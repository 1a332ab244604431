//! Event time: how far it has come, partition by partition, and who has to wait for whom.
//! Logic only: no I/O, no clock, no random numbers; time is an argument.
//!
//! ```text
//! rows ─► event_times ─► Bounds::scan ─► Tracker::observe ─► combined watermark
//!                                               │
//!              Membership (other processes) ─► floor ─► Alignment::is_held ─► hold, let go
//!              Claim (other members of the consumer group) ─► Others ─► Tracker::settled
//! ```
//!
//! The rules, and where they come from: <https://cwiki.apache.org/confluence/display/FLINK/>,
//! FLIP-126 (idle partitions), FLIP-182 and FLIP-217 (alignment), FLIP-471 (the idle clock stands
//! while a source is held up), FLINK-37399 (alignment must not cap the speed of a backlog).
//! `docs/event-time.md` is for users.

mod edges;
mod column;
mod marks;
mod scan;
mod clock;
mod tracker;
mod alignment;
mod group;
mod settled;
mod live;
#[cfg(test)]
mod flink;
#[cfg(test)]
mod random;
#[cfg(test)]
mod simulator;

pub use alignment::Alignment;
pub use clock::ReadingClock;
pub use column::{ColumnError, event_times};
pub use group::{Membership, NoReport, Pace, Report, Standing};
pub(crate) use live::Gate;
pub(crate) use live::Observed;
pub use live::{EventTime, EventTimeView, GroupView};
pub(crate) use marks::Marks;
pub use scan::{Bounds, Scan, Times, Verdict};
pub use settled::{Claim, Others};
pub use tracker::{Observation, PartitionId, PartitionTime, Settings, State, Tracker};
