//! Keys of event time.

use crate::config::key::{Key, Unit};
use crate::config::watermark::{AlignmentMode, ColumnUnit, LateRecords};

/// A hundred years, in ms.
const LONG: u64 = 3_155_760_000_000;

pub(in crate::config) static ENABLED: Key = Key::boolean(
    "watermark.enable.watermark.tracking",
    "Whether event time is tracked at all.",
)
.or("true");

pub(in crate::config) static EVENT_TIME: Key = Key::text(
    "watermark.event.time",
    "What a row's event time is: `timestamp`, the record's own; `plugin`, what a plug-in says of \
     the message; or the path of a column, such as `order.created_at`: a timestamp, a date, an \
     integer (see `event.time.unit`) or an RFC 3339 text. A column named `timestamp` is \
     `$.timestamp`.",
)
.or("timestamp");

pub(in crate::config) static UNIT: Key = Key::choice(
    "watermark.event.time.unit",
    ColumnUnit::NAMES,
    "The unit of a column of integers, from 1970-01-01 on.",
)
.or_else("ms");

pub(in crate::config) static OUT_OF_ORDERNESS: Key = Key::integer(
    "watermark.max.out.of.orderness.ms",
    (0, LONG),
    Unit::Milliseconds,
    "How far behind the latest event time of its partition a row may come without being late.",
)
.or("5000");

pub(in crate::config) static IDLE_TIMEOUT: Key = Key::integer(
    "watermark.idle.timeout.ms",
    (0, 86_400_000),
    Unit::Milliseconds,
    "How long the watermark waits for a partition without records, 0 for ever. The time in which \
     weir does not read the partition does not count.",
)
.or("30000");

pub(in crate::config) static MAX_FUTURE: Key = Key::integer(
    "watermark.max.future.ms",
    (0, LONG),
    Unit::Milliseconds,
    "An event time further ahead of the machine's clock is not believed: its row is delivered, \
     and counted, and moves no watermark.",
)
.or("300000");

pub(in crate::config) static LATE_RECORDS: Key = Key::choice(
    "watermark.late.records",
    LateRecords::NAMES,
    "What happens to rows below the watermark, which are counted in any case: `deliver` as any \
     others, `drop`, `column`: deliver all rows with a further column `late`, true or false, or \
     `side-topic`: produce the messages that they came from to `side.topic`.",
)
.or("deliver");

pub(in crate::config) static SIDE_TOPIC: Key = Key::text(
    "watermark.side.topic",
    "A topic on the brokers of the source for messages that are put aside: those with late rows, \
     with `late.records: side-topic`, and those with rows that are too far ahead, with \
     `alignment.mode: drop-excess`. They are as they were read, with headers that say why.",
);

pub(in crate::config) static MAX_DRIFT: Key = Key::integer(
    "watermark.alignment.max.drift.ms",
    (0, LONG),
    Unit::Milliseconds,
    "How far the watermark of a partition may be ahead of the one that is behind all others.",
)
.or_else("no alignment");

pub(in crate::config) static MODE: Key = Key::choice(
    "watermark.alignment.mode",
    AlignmentMode::NAMES,
    "What happens to a partition that is further ahead: `pause` it until the others have come \
     closer, say so (`warn-only`), or drop the rows that are too far ahead (`drop-excess`), \
     which are counted, and go to `side.topic` if there is one.",
)
.or_else("pause");

pub(in crate::config) static CHECK_INTERVAL: Key = Key::integer(
    "watermark.alignment.check.interval.ms",
    (10, 60_000),
    Unit::Milliseconds,
    "How often `warn-only` says so at most. Partitions are looked at with each batch, so that \
     alignment does not cap the speed of a backlog.",
)
.or_else("1000");

pub(in crate::config) static GROUP: Key = Key::text(
    "watermark.alignment.group.id",
    "Aligns this pipeline with all others of this group, in any number of processes: none of \
     their partitions is further ahead than `alignment.max.drift.ms` of the one that is behind \
     all others. They tell each other how far they are in `alignment.group.topic`.",
)
.or_else("the partitions of this pipeline are aligned with each other, and with no other");

pub(in crate::config) static GROUP_TOPIC: Key = Key::text(
    "watermark.alignment.group.topic",
    "The topic in which the members of alignment groups publish their watermarks, on the brokers \
     of the source. Any number of groups may share it. If there is none, it is made: compacted, \
     with 1 partition.",
)
.or_else("_weir_alignment");

pub(in crate::config) static PUBLISH_INTERVAL: Key = Key::integer(
    "watermark.alignment.publish.interval.ms",
    (50, 60_000),
    Unit::Milliseconds,
    "How often a member publishes its watermark while it moves. By more than an eighth of \
     `alignment.max.drift.ms` it is published sooner, up to 20 times in this time, so that a \
     backlog is not held up.",
)
.or_else("1000");

pub(in crate::config) static MEMBER_TIMEOUT: Key = Key::integer(
    "watermark.alignment.member.timeout.ms",
    (500, 3_600_000),
    Unit::Milliseconds,
    "How long a member that says nothing more holds the others back, by the clock of whoever \
     waits. At least three times `alignment.publish.interval.ms`.",
)
.or_else("10000");

pub(in crate::config) static ALL: &[&Key] = &[
    &ENABLED,
    &EVENT_TIME,
    &UNIT,
    &OUT_OF_ORDERNESS,
    &IDLE_TIMEOUT,
    &MAX_FUTURE,
    &LATE_RECORDS,
    &SIDE_TOPIC,
    &MAX_DRIFT,
    &MODE,
    &CHECK_INTERVAL,
    &GROUP,
    &GROUP_TOPIC,
    &PUBLISH_INTERVAL,
    &MEMBER_TIMEOUT,
];
