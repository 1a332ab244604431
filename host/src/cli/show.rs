//! What people see: notes, errors, figures.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use crate::batch::TopicPartition;
use crate::config::{SinkConfig, SourceConfig, Topics};
use crate::event_time::{EventTime, EventTimeView, State};
use crate::progress::Progress;

/// A line on standard error.
pub(super) fn note(text: &str) {
    // A closed standard error is nobody reading: there is no one to tell.
    let _ = writeln!(std::io::stderr(), "weir: {text}");
}

/// A command's answer, on standard output. Whoever closes it has read enough.
pub(super) fn answer(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// An error on standard error.
pub(super) fn error(text: &str) {
    let mut stderr = std::io::stderr();
    let label = if stderr.is_terminal() {
        "\x1b[1;31merror\x1b[0m"
    } else {
        "error"
    };
    let _ = writeln!(stderr, "{label}: {text}");
}

/// What a pipeline reads.
pub(super) fn source(source: &SourceConfig) -> String {
    let topics = match &source.topics {
        Topics::Names(names) => names.join(", "),
        Topics::Pattern(pattern) => format!("all that match {}", pattern.pattern),
        Topics::Partitions(partitions) => {
            let topic = |(topic, numbers): (&String, &BTreeSet<i32>)| {
                format!("{} partitions of {topic}", numbers.len())
            };
            partitions.iter().map(topic).collect::<Vec<_>>().join(", ")
        }
    };
    let brokers = source.client.get("bootstrap.servers").unwrap_or_default();
    format!("{topics} at {brokers}")
}

/// Where a pipeline writes.
pub(super) fn sink(sink: &SinkConfig) -> String {
    match sink {
        SinkConfig::Stdout => "standard output".to_owned(),
        SinkConfig::File(file) => {
            format!("{} files in {}", file.format.as_str(), file.path.display())
        }
        SinkConfig::Kafka(kafka) => kafka.target(),
    }
}

/// What came of a run, in one line.
pub(super) fn summary(name: &str, progress: &Progress, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    let rows = progress.rows.get();
    let mut line = format!(
        "{name}: {} rows of {} messages, {} in {seconds:.1} s ({} rows/s, {}/s)",
        HumanCount(rows),
        HumanCount(progress.messages.get()),
        HumanBytes(progress.bytes.get()),
        HumanCount(per_second(rows, seconds)),
        HumanBytes(per_second(progress.bytes.get(), seconds)),
    );
    line.push_str(&format!(
        ", plug-ins {:.0} ms",
        progress.plugin_time().as_secs_f64() * 1e3
    ));
    if let Some(watermark) = progress.event_time().and_then(EventTime::watermark) {
        line.push_str(&format!(", watermark {}", instant(watermark)));
    }
    for (count, what) in [
        (progress.errors.get(), "bad records"),
        (progress.dropped.get(), "dropped"),
        (progress.tombstones.get(), "tombstones"),
        (progress.skipped.get(), "skipped"),
        (progress.late.get(), "late"),
        (progress.late_dropped.get(), "dropped as late"),
        (progress.excess_dropped.get(), "dropped as too far ahead"),
        (progress.aside.get(), "put aside"),
        (progress.future.get(), "in the future"),
        (progress.timeless.get(), "without event time"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {} {what}", HumanCount(count)));
        }
    }
    line
}

/// A time in ms since the epoch, for people; the number where the calendar ends.
pub(super) fn instant(epoch_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(epoch_ms) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => format!("{epoch_ms} ms"),
    }
}

/// Who is behind all others of the alignment group, where that is somebody else.
pub(super) fn group(view: &EventTimeView) -> Option<String> {
    let group = view.group.as_ref()?;
    if !group.known {
        return Some(format!("group {}: reading what it has said", group.id));
    }
    let (floor, holder) = (group.floor?, group.holder.as_ref()?);
    let ahead = view.watermark?.saturating_sub(floor);
    let ahead = Duration::from_millis(u64::try_from(ahead).ok().filter(|ms| *ms > 0)?);
    Some(format!(
        "group {}: {} ahead of {holder}",
        group.id,
        rough(ahead)
    ))
}

/// What holds the watermark back, and how far it is behind the partition that is ahead of all
/// others.
pub(super) fn holder(view: &EventTimeView) -> Option<String> {
    let watermark = view.watermark?;
    let times = view.partitions.iter().map(|(_, time)| time.watermark);
    let ahead = times.max().flatten()?.saturating_sub(watermark);
    let behind = Duration::from_millis(ahead.unsigned_abs());
    match &view.holder {
        Some(holder) if !behind.is_zero() => {
            Some(format!("held back {} by {holder}", rough(behind)))
        }
        _ => None,
    }
}

/// Of a partition: its event time, and whether it is waited for.
pub(super) fn event_time(view: &EventTimeView, source: &TopicPartition) -> String {
    let found = view.partitions.iter().find(|(known, _)| known == source);
    let Some((_, time)) = found else {
        return String::new();
    };
    let mut text = match time.event_time {
        Some(at) => instant(at),
        None => "no event time yet".to_owned(),
    };
    let state = match time.state {
        State::Finished => Some("through"),
        State::Idle => Some("idle"),
        State::Active if time.paused => Some("waits for the others"),
        State::Active if view.holder.as_ref() == Some(source) => Some("holds the watermark"),
        State::Active => None,
    };
    if let Some(state) = state {
        text.push_str(", ");
        text.push_str(state);
    }
    text
}

/// A span of time in its largest unit.
fn rough(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        s @ 1..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

/// A rate, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and `as` saturates"
)]
pub(super) fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds).round() as u64
}
