//! The picture: rows that scroll by, and below them the partitions and what it all costs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::show;
use crate::batch::TopicPartition;
use crate::event_time::EventTime;
use crate::progress::Progress;
use crate::rows::Rows;
use crate::sink::json::JsonRows;
use crate::sink::{Sink, SinkError};

/// Rows that wait to be shown. Those that nobody could read anyway are left out.
const ROWS_KEPT: usize = 2;
/// Rows shown where nobody watches.
const ROWS_UNWATCHED: usize = 10;

/// What the sink has seen, for the picture.
pub(super) struct Seen {
    started: Instant,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    first_row: Option<Duration>,
    last_row: Duration,
    rows: VecDeque<Vec<u8>>,
}

impl Seen {
    pub(super) fn new(started: Instant) -> Self {
        Seen {
            started,
            recent: Mutex::default(),
        }
    }

    /// From the start of the command to the first row.
    pub(super) fn first_row(&self) -> Option<Duration> {
        self.recent().first_row
    }

    /// From the start of the command to the last row.
    pub(super) fn last_row(&self) -> Duration {
        self.recent().last_row
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sink that keeps a few rows for the picture, as JSON.
pub(super) struct WatchedSink {
    seen: Arc<Seen>,
    json: JsonRows,
    writes: u64,
}

impl WatchedSink {
    pub(super) fn new(seen: Arc<Seen>) -> Self {
        WatchedSink {
            seen,
            json: JsonRows::default(),
            writes: 0,
        }
    }
}

impl Sink for WatchedSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.writes += 1;
        self.json
            .encode(&rows.rows)
            .map_err(|source| SinkError::Format {
                what: "the demo's rows".into(),
                source,
            })?;
        let now = self.seen.started.elapsed();
        let mut recent = self.seen.recent();
        recent.first_row.get_or_insert(now);
        recent.last_row = now;
        for row in self.json.rows().take(ROWS_KEPT) {
            recent.rows.push_back(row.to_vec());
        }
        while recent.rows.len() > ROWS_UNWATCHED {
            recent.rows.pop_front();
        }
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        Ok(self.writes)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The picture, drawn again and again.
pub(super) struct View<'a> {
    bars: &'a MultiProgress,
    watched: bool,
    partitions: BTreeMap<TopicPartition, ProgressBar>,
    total: ProgressBar,
    printed: usize,
    /// When the rate was last looked at, the rows by then, and the rate.
    last: (Instant, u64, u64),
}

impl<'a> View<'a> {
    pub(super) fn new(bars: &'a MultiProgress, watched: bool, total: usize) -> Self {
        let style = ProgressStyle::with_template("  {bar:40.cyan/dim} {msg}")
            .expect("the template is valid");
        let total = ProgressBar::new(total as u64).with_style(style.progress_chars("━╸─"));
        let total = if watched {
            bars.add(total)
        } else {
            ProgressBar::hidden()
        };
        View {
            bars,
            watched,
            partitions: BTreeMap::new(),
            total,
            printed: 0,
            last: (Instant::now(), 0, 0),
        }
    }

    pub(super) fn draw(&mut self, progress: &Progress, seen: &Seen) {
        self.print_rows(seen);
        if !self.watched {
            return;
        }
        let most = progress
            .partitions()
            .values()
            .map(|p| p.delivered)
            .max()
            .unwrap_or(1)
            .max(1);
        let event_time = progress
            .event_time()
            .map(EventTime::view)
            .unwrap_or_default();
        for (source, partition) in progress.partitions() {
            let bar = self.partitions.entry(source.clone()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {prefix:16} {bar:24.green/dim} {msg}");
                let style = style.expect("the template is valid").progress_chars("━╸─");
                let bar = ProgressBar::new(1)
                    .with_style(style)
                    .with_prefix(source.to_string());
                self.bars.insert_before(&self.total, bar)
            });
            bar.set_length(most.unsigned_abs());
            bar.set_position(partition.delivered.unsigned_abs());
            bar.set_message(format!(
                "offset {:>6}  {}",
                HumanCount(partition.delivered.unsigned_abs()).to_string(),
                show::event_time(&event_time, &source),
            ));
        }
        let rows = progress.rows.get();
        self.total.set_position(rows);
        let figures = self.figures(progress, rows);
        self.total.set_message(figures);
    }

    /// Leaves the last picture on the screen.
    pub(super) fn close(&self) {
        for bar in self.partitions.values() {
            bar.abandon();
        }
        self.total.abandon();
    }

    fn figures(&mut self, progress: &Progress, rows: u64) -> String {
        let since = self.last.0.elapsed().as_secs_f64();
        if since >= 0.5 {
            let rate = show::per_second(rows - self.last.1, since);
            self.last = (Instant::now(), rows, rate);
        }
        let plugin = progress.plugin_time();
        let each = if rows == 0 {
            0.0
        } else {
            plugin.as_secs_f64() * 1e6 / rows as f64
        };
        let mut text = format!(
            "{} rows, {} rows/s, plug-in {each:.1} µs a row",
            HumanCount(rows),
            HumanCount(self.last.2),
        );
        if let Some(watermark) = progress.event_time().and_then(EventTime::watermark) {
            text.push_str(&format!(", watermark {}", show::instant(watermark)));
        }
        if let Some(holder) = progress
            .event_time()
            .and_then(|event_time| show::holder(&event_time.view()))
        {
            text.push_str(&format!(", {holder}"));
        }
        if progress.late.get() > 0 {
            text.push_str(&format!(", {} late", HumanCount(progress.late.get())));
        }
        if progress.errors.get() > 0 {
            text.push_str(&format!(
                ", {} bad records",
                HumanCount(progress.errors.get())
            ));
        }
        text
    }

    fn print_rows(&mut self, seen: &Seen) {
        let rows: Vec<_> = seen.recent().rows.drain(..).collect();
        let most = if self.watched {
            ROWS_KEPT
        } else {
            ROWS_UNWATCHED - self.printed.min(ROWS_UNWATCHED)
        };
        for row in rows.iter().take(most) {
            self.printed += 1;
            let line = line(row);
            if self.watched {
                // Nothing to do about a terminal that is gone.
                let _ = self.bars.println(line);
            } else {
                show::note(&line);
            }
        }
    }
}

/// One earthquake for people.
fn line(row: &[u8]) -> String {
    let row: Value = serde_json::from_slice(row).unwrap_or(Value::Null);
    let text = |name: &str| row[name].as_str().unwrap_or("?").to_owned();
    let magnitude = row["magnitude"]
        .as_f64()
        .map_or("   ?".to_owned(), |m| format!("{m:>4.1}"));
    let depth = row["location"]["depth_km"]
        .as_f64()
        // Adding zero takes the sign off a depth that rounds to -0.
        .map_or("?".to_owned(), |d| format!("{:.0}", d.round() + 0.0));
    let when = text("occurred_at").replace('T', " ");
    format!(
        "{}  magnitude {magnitude} {:5}  {depth:>4} km deep  {}",
        when.get(..19).unwrap_or(&when),
        text("magnitude_type"),
        text("place"),
    )
}
