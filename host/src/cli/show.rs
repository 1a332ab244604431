//! What people see: notes, errors, figures.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use crate::config::{SinkConfig, SourceConfig, Topics};
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
    for (count, what) in [
        (progress.errors.get(), "bad records"),
        (progress.dropped.get(), "dropped"),
        (progress.tombstones.get(), "tombstones"),
        (progress.skipped.get(), "skipped"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {} {what}", HumanCount(count)));
        }
    }
    line
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
