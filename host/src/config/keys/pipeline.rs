//! Keys of the pipeline as a whole.

use crate::config::delivery::{DeliveryGuarantee, Tolerance};
use crate::config::key::{Key, Unit};
use crate::config::profile::Profile;

pub(in crate::config) static NAME: Key = Key::text(
    "name",
    "The pipeline's name, in logs, metrics and the default consumer group. Up to 200 letters, \
     digits, `.`, `_` and `-`.",
)
.or_else("the name of the file, without its extension");

pub(in crate::config) static PROFILE: Key = Key::choice(
    "profile",
    Profile::NAMES,
    "What the pipeline is tuned for: `latency`, `throughput`, or both at a moderate price in \
     memory. Sets the defaults of several keys, as they say.",
)
.or("balanced");

pub(in crate::config) static ERRORS_TOLERANCE: Key = Key::choice(
    "errors.tolerance",
    Tolerance::NAMES,
    "`all`: each bad record is reported and counted, and the others go on. `none`: the pipeline \
     stops at the first.",
)
.or("all");

pub(in crate::config) static ERRORS_DLQ: Key = Key::later(
    "errors.dead.letter.queue",
    "bad records are reported and counted",
    "A topic for bad records.",
);

pub(in crate::config) static DELIVERY_GUARANTEE: Key = Key::choice(
    "delivery.guarantee",
    DeliveryGuarantee::NAMES,
    "What a crash may do to records: at-least-once repeats some and loses none.",
)
.not_yet(
    &["exactly-once", "none"],
    "this build delivers at-least-once",
)
.or("at-least-once");

pub(in crate::config) static METRICS_LISTEN: Key = Key::text(
    "metrics.listen",
    "Where to answer `GET /metrics` for Prometheus, as host:port, such as 127.0.0.1:9464. Whoever \
     reaches it can read it: names of topics and plug-ins, and figures.",
)
.or_else("nowhere");

pub(in crate::config) static RATE_ROWS: Key = Key::integer(
    "rate.limit.rows",
    (0, 1_000_000_000),
    Unit::RowsPerSecond,
    "The most rows that go to the sink; 0 stops. Changed while the pipeline runs, as \
     `source.rate.limit.messages` is.",
)
.or_else("no limit");

pub(in crate::config) static RATE_BYTES: Key = Key::integer(
    "rate.limit.bytes",
    (0, 1 << 40),
    Unit::BytesPerSecond,
    "The most bytes that go to the sink, counted as keys, values and headers of the messages that \
     the rows came from; 0 stops.",
)
.or_else("no limit");

pub(in crate::config) static RATE_BURST: Key = Key::integer(
    "rate.limit.burst.ms",
    (1, 60_000),
    Unit::Milliseconds,
    "What these limits may catch up on after a time in which they were not used up.",
)
.or("1000");

pub(super) static ALL: &[&Key] = &[
    &NAME,
    &PROFILE,
    &ERRORS_TOLERANCE,
    &ERRORS_DLQ,
    &DELIVERY_GUARANTEE,
    &METRICS_LISTEN,
    &RATE_ROWS,
    &RATE_BYTES,
    &RATE_BURST,
];
