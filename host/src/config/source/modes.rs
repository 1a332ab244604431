//! Where reading starts, and when it stops.

use crate::config::choice::{Choice, choice};
use crate::config::key::{Key, Kind};
use crate::config::keys::source as keys;
use crate::config::moment::{self, Moment};
use crate::config::offsets::{self, PartitionOffsets};
use crate::config::reader::Reader;

use super::Topics;

/// Where to start a partition that is read for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the group's committed offset; at the earliest where it has none.
    GroupOffsets,
    /// At the earliest offset, whatever the group has committed.
    Earliest,
    /// At the latest offset, whatever the group has committed.
    Latest,
    /// At the first message of this time or later; at the latest offset where there is none.
    Timestamp(Moment),
    /// At these offsets; others as for [`Start::GroupOffsets`].
    Offsets(PartitionOffsets),
}

/// When to stop. Bounds are fixed at the start, and held against positions, not messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAt {
    /// Never.
    Never,
    /// At the offsets that were the latest.
    Latest,
    /// At the offsets that the group had committed.
    GroupOffsets,
    /// Before the first message of this time or later; at the latest offset where there is
    /// none.
    Timestamp(Moment),
    /// Before these offsets. Partitions without one are not read.
    Offsets(PartitionOffsets),
}

choice! {
    /// Where to start.
    pub enum StartupMode {
        /// At the group's committed offsets; at the earliest where it has none.
        GroupOffsets = "group-offsets",
        /// At the earliest offset.
        Earliest = "earliest",
        /// At the latest offset.
        Latest = "latest",
        /// At a time.
        Timestamp = "timestamp",
        /// At offsets by partition.
        SpecificOffsets = "specific-offsets",
    }
}

choice! {
    /// When to stop.
    pub enum StopMode {
        /// Never.
        Never = "never",
        /// At the offsets that were the latest at the start.
        Latest = "latest",
        /// At the offsets that the group had committed at the start.
        GroupOffsets = "group-offsets",
        /// At a time.
        Timestamp = "timestamp",
        /// At offsets by partition.
        SpecificOffsets = "specific-offsets",
    }
}

pub(super) fn start(reader: &mut Reader<'_>, topics: &Topics) -> Start {
    let moment = moment::read(reader, &keys::STARTUP_TIMESTAMP);
    let offsets = offsets::read(reader, &keys::STARTUP_OFFSETS, topics);
    let along = [
        (&keys::STARTUP_TIMESTAMP, StartupMode::Timestamp),
        (&keys::STARTUP_OFFSETS, StartupMode::SpecificOffsets),
    ];
    match mode_with(reader, &keys::STARTUP_MODE, along) {
        Some(StartupMode::Earliest) => Start::Earliest,
        Some(StartupMode::Latest) => Start::Latest,
        Some(StartupMode::Timestamp) => moment.map_or(Start::GroupOffsets, Start::Timestamp),
        Some(StartupMode::SpecificOffsets) => offsets.map_or(Start::GroupOffsets, Start::Offsets),
        Some(StartupMode::GroupOffsets) | None => Start::GroupOffsets,
    }
}

pub(super) fn stop(reader: &mut Reader<'_>, topics: &Topics) -> StopAt {
    let moment = moment::read(reader, &keys::STOP_TIMESTAMP);
    let offsets = offsets::read(reader, &keys::STOP_OFFSETS, topics);
    let along = [
        (&keys::STOP_TIMESTAMP, StopMode::Timestamp),
        (&keys::STOP_OFFSETS, StopMode::SpecificOffsets),
    ];
    match mode_with(reader, &keys::STOP_MODE, along) {
        Some(StopMode::Latest) => StopAt::Latest,
        Some(StopMode::GroupOffsets) => StopAt::GroupOffsets,
        Some(StopMode::Timestamp) => moment.map_or(StopAt::Never, StopAt::Timestamp),
        Some(StopMode::SpecificOffsets) => offsets.map_or(StopAt::Never, StopAt::Offsets),
        Some(StopMode::Never) | None => StopAt::Never,
    }
}

/// A mode, of which some values need another key, which has no effect without them.
fn mode_with<M: Choice + PartialEq>(
    reader: &mut Reader<'_>,
    mode_key: &'static Key,
    along: [(&'static Key, M); 2],
) -> Option<M> {
    let mode = reader.choice::<M>(mode_key)?;
    let leaf = |key: &Key| key.name.trim_start_matches("source.").to_owned();
    for (key, needed) in along {
        let named = M::VALUES.iter().find(|(_, value)| *value == needed);
        let name = named.map_or("", |(name, _)| *name);
        match (mode == needed, reader.given(key).is_some()) {
            (false, true) => {
                let message = format!("has no effect without `{}: {name}`", leaf(mode_key));
                reader.contradiction(key, message);
            }
            (true, false) => {
                let example = match key.kind {
                    Kind::Moment => "2026-03-01T12:00:00Z",
                    _ => "{ orders: { 0: 42 } }",
                };
                let (key, mode) = (leaf(key), leaf(mode_key));
                reader.missing(
                    mode_key,
                    &format!("`{key}: {example}` beside this `{mode}`"),
                );
            }
            _ => {}
        }
    }
    Some(mode)
}
