//! `watermark`: what event time is, and what follows from it.

use std::time::Duration;

use super::choice::choice;
use super::keys::watermark as keys;
use super::reader::Reader;
use super::source::check_topic;
use crate::rows::ColumnPath;

/// How often drift is told, unless the file says otherwise.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Where members of groups publish, unless the file says otherwise.
const GROUP_TOPIC: &str = "_weir_alignment";
/// How often, unless the file says otherwise.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// How long they are waited for.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(10);
/// A member speaks at least so often in its timeout, so that one lost report is no death.
const REPORTS_IN_TIMEOUT: u32 = 3;
/// Of the name of a group.
const ID_MAX_BYTES: usize = 200;

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
    /// Where messages go that are put aside.
    pub side_topic: Option<String>,
    /// Whether partitions wait for each other.
    pub alignment: Option<AlignmentConfig>,
    /// Whether they wait for those of other pipelines; only with `alignment`.
    pub group: Option<AlignmentGroup>,
}

/// Pipelines that are aligned with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignmentGroup {
    /// Which group.
    pub id: String,
    /// Where its members publish their watermarks.
    pub topic: String,
    /// How often, while they move.
    pub publish_interval: Duration,
    /// How long a silent member is waited for.
    pub member_timeout: Duration,
}

/// Where a row's event time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTimeFrom {
    /// The record's timestamp.
    Timestamp,
    /// What plug-ins say of each message.
    Plugin,
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
        /// The messages that they came from go to a topic of their own.
        SideTopic = "side-topic",
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
    let mut config = WatermarkConfig {
        event_time,
        max_out_of_orderness: reader.integer(&keys::OUT_OF_ORDERNESS),
        idle_timeout: (!idle_timeout.is_zero()).then_some(idle_timeout),
        max_future: reader.integer(&keys::MAX_FUTURE),
        late: reader
            .choice(&keys::LATE_RECORDS)
            .unwrap_or(LateRecords::Deliver),
        side_topic: None,
        alignment: alignment(reader, idle_timeout.is_zero()),
        group: group(reader),
    };
    config.side_topic = side_topic(reader, &config);
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
    let without_unit = match given.as_ref().map(|given| &*given.value) {
        None | Some("timestamp") => Some(("timestamp", EventTimeFrom::Timestamp)),
        Some("plugin") => Some(("plugin", EventTimeFrom::Plugin)),
        Some(_) => None,
    };
    if let Some((name, from)) = without_unit {
        if reader.given(&keys::UNIT).is_some() {
            let message = format!("has no effect with `event.time: {name}`, whose unit is known");
            reader.contradiction(&keys::UNIT, message);
        }
        return from;
    }
    let Some(given) = given else {
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

fn side_topic(reader: &mut Reader<'_>, config: &WatermarkConfig) -> Option<String> {
    let topic = reader.text(&keys::SIDE_TOPIC);
    let drops_excess = config
        .alignment
        .is_some_and(|alignment| alignment.mode == AlignmentMode::DropExcess);
    match (&topic, config.late) {
        (None, LateRecords::SideTopic) if reader.given(&keys::SIDE_TOPIC).is_none() => {
            reader.missing(&keys::SIDE_TOPIC, "`side.topic: orders-late`");
        }
        (Some(_), late) if late != LateRecords::SideTopic && !drops_excess => {
            let message = "has no effect without `late.records: side-topic` or \
                           `alignment.mode: drop-excess`";
            reader.contradiction(&keys::SIDE_TOPIC, message);
        }
        _ => {}
    }
    let topic = topic?;
    check_topic(reader, &keys::SIDE_TOPIC, &topic);
    Some(topic.value)
}

fn alignment(reader: &mut Reader<'_>, waits_for_ever: bool) -> Option<AlignmentConfig> {
    let mode = reader.choice(&keys::MODE).unwrap_or(AlignmentMode::Pause);
    let check_interval = reader
        .given(&keys::CHECK_INTERVAL)
        .map_or(CHECK_INTERVAL, |_| reader.millis(&keys::CHECK_INTERVAL));
    if reader.given(&keys::MAX_DRIFT).is_none() {
        for key in [&keys::MODE, &keys::CHECK_INTERVAL, &keys::GROUP] {
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

fn group(reader: &mut Reader<'_>) -> Option<AlignmentGroup> {
    let millis = |reader: &mut Reader<'_>, key, default| {
        reader.given(key).map_or(default, |_| reader.millis(key))
    };
    let publish_interval = millis(reader, &keys::PUBLISH_INTERVAL, PUBLISH_INTERVAL);
    let member_timeout = millis(reader, &keys::MEMBER_TIMEOUT, MEMBER_TIMEOUT);
    let topic = reader.text(&keys::GROUP_TOPIC);
    let topic = match topic {
        None if reader.given(&keys::GROUP_TOPIC).is_none() => Some(GROUP_TOPIC.to_owned()),
        topic => {
            if let Some(topic) = &topic {
                check_topic(reader, &keys::GROUP_TOPIC, topic);
            }
            topic.map(|topic| topic.value)
        }
    };
    let Some(id) = reader.text(&keys::GROUP) else {
        for key in [
            &keys::GROUP_TOPIC,
            &keys::PUBLISH_INTERVAL,
            &keys::MEMBER_TIMEOUT,
        ] {
            if reader.given(key).is_some() && reader.given(&keys::GROUP).is_none() {
                reader.contradiction(key, "has no effect without `alignment.group.id`");
            }
        }
        return None;
    };
    if id.value.len() > ID_MAX_BYTES {
        let message = format!("longer than {ID_MAX_BYTES} bytes");
        reader.invalid(&keys::GROUP, id.span, message);
    }
    if member_timeout < publish_interval * REPORTS_IN_TIMEOUT {
        let key = match reader.given(&keys::MEMBER_TIMEOUT) {
            Some(_) => &keys::MEMBER_TIMEOUT,
            None => &keys::PUBLISH_INTERVAL,
        };
        let message = format!(
            "members that publish every {} ms would count as dead after {} ms: make \
             `alignment.member.timeout.ms` at least {REPORTS_IN_TIMEOUT} times \
             `alignment.publish.interval.ms`",
            publish_interval.as_millis(),
            member_timeout.as_millis(),
        );
        reader.contradiction(key, message);
    }
    Some(AlignmentGroup {
        id: id.value,
        topic: topic?,
        publish_interval,
        member_timeout,
    })
}
