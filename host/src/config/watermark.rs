//! `watermark`: what event time is, and what follows from it.

use std::time::Duration;

use super::choice::choice;
use super::keys::watermark as keys;
use super::reader::Reader;
use crate::rows::ColumnPath;

/// How often drift is told, unless the file says otherwise.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How event time is tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatermarkConfig {
    /// Where a row's event time comes from.
    pub event_time: EventTimeFrom,
    /// How far behind the latest one an event time may come, in ms.
    pub max_out_of_orderness: i64,
    /// How long a silent partition is waited for; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// How far ahead of the machine's clock an event time is believed, in ms.
    pub max_future: i64,
    /// What happens to rows below the watermark.
    pub late: LateRecords,
    /// Whether partitions wait for each other.
    pub alignment: Option<AlignmentConfig>,
}

/// Where a row's event time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTimeFrom {
    /// The record's timestamp.
    Timestamp,
    /// A column, or a field inside of one.
    Column {
        /// Where it is.
        path: ColumnPath,
        /// Of integers.
        unit: ColumnUnit,
    },
}

/// How far partitions may drift apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignmentConfig {
    /// Between the watermarks of a partition and of the one that is behind all others, in ms.
    pub max_drift: i64,
    /// What happens beyond that.
    pub mode: AlignmentMode,
    /// How often drift is told at most.
    pub check_interval: Duration,
}

choice! {
    /// What an integer counts, from 1970-01-01 UTC on.
    pub enum ColumnUnit {
        /// Seconds.
        Seconds = "s",
        /// Milliseconds.
        Millis = "ms",
        /// Microseconds.
        Micros = "us",
        /// Nanoseconds.
        Nanos = "ns",
    }
}

choice! {
    /// What happens to rows below the watermark.
    pub enum LateRecords {
        /// They are delivered as any others.
        Deliver = "deliver",
        /// They are dropped.
        Drop = "drop",
        /// All rows have a further column that says whether they are late.
        Column = "column",
    }
}

choice! {
    /// What happens to a partition that is too far ahead of the others.
    pub enum AlignmentMode {
        /// It waits.
        Pause = "pause",
        /// It is told.
        WarnOnly = "warn-only",
        /// Its rows are dropped.
        DropExcess = "drop-excess",
    }
}

/// `None` where event time is not tracked.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<WatermarkConfig> {
    let enabled = reader.boolean(&keys::ENABLED);
    let event_time = event_time(reader);
    let idle_timeout = reader.millis(&keys::IDLE_TIMEOUT);
    let config = WatermarkConfig {
        event_time,
        max_out_of_orderness: reader.integer(&keys::OUT_OF_ORDERNESS),
        idle_timeout: (!idle_timeout.is_zero()).then_some(idle_timeout),
        max_future: reader.integer(&keys::MAX_FUTURE),
        late: reader
            .choice(&keys::LATE_RECORDS)
            .unwrap_or(LateRecords::Deliver),
        alignment: alignment(reader, idle_timeout.is_zero()),
    };
    if !enabled {
        for key in keys::ALL.iter().skip(1) {
            if reader.given(*key).is_some() {
                let message = "has no effect with `enable.watermark.tracking: false`";
                reader.contradiction(*key, message);
            }
        }
    }
    enabled.then_some(config)
}

fn event_time(reader: &mut Reader<'_>) -> EventTimeFrom {
    let given = reader.text(&keys::EVENT_TIME);
    let unit = reader.choice(&keys::UNIT).unwrap_or(ColumnUnit::Millis);
    let Some(given) = given.filter(|given| given.value != "timestamp") else {
        if reader.given(&keys::UNIT).is_some() {
            let message = "has no effect with `event.time: timestamp`, whose unit is known";
            reader.contradiction(&keys::UNIT, message);
        }
        return EventTimeFrom::Timestamp;
    };
    let path = given.value.strip_prefix("$.").unwrap_or(&given.value);
    if path.split('.').any(|name| name.trim().is_empty()) {
        let message = format!(
            "`{}` has an empty name: write the path of a column, such as order.created_at",
            given.shown
        );
        reader.invalid(&keys::EVENT_TIME, given.span, message);
    }
    EventTimeFrom::Column {
        path: ColumnPath::new(path),
        unit,
    }
}

fn alignment(reader: &mut Reader<'_>, waits_for_ever: bool) -> Option<AlignmentConfig> {
    let mode = reader.choice(&keys::MODE).unwrap_or(AlignmentMode::Pause);
    let check_interval = reader
        .given(&keys::CHECK_INTERVAL)
        .map_or(CHECK_INTERVAL, |_| reader.millis(&keys::CHECK_INTERVAL));
    if reader.given(&keys::MAX_DRIFT).is_none() {
        for key in [&keys::MODE, &keys::CHECK_INTERVAL] {
            if reader.given(key).is_some() {
                let message = "has no effect without `alignment.max.drift.ms`";
                reader.contradiction(key, message);
            }
        }
        return None;
    }
    let max_drift = reader.integer(&keys::MAX_DRIFT);
    if waits_for_ever && mode == AlignmentMode::Pause {
        let message = "0 lets a partition without records hold all others for ever: give a \
                       time, or write `alignment.mode: warn-only`";
        reader.contradiction(&keys::IDLE_TIMEOUT, message);
    }
    Some(AlignmentConfig {
        max_drift,
        mode,
        check_interval,
    })
}
