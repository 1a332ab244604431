//! What the host does for a plug-in: log lines, metrics, limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, ResourceLimiter, Result};

use super::bindings::{event_time, interception, log, metrics, rows, types};
use super::engine::EPOCH_TICK;
use super::prefetch::Prefetch;
use super::{messages, schemas};
use crate::batch::MessageBatch;
use crate::event_time::Marks;
use crate::schemas::SchemaSource;

/// Bytes of a plug-in's log line that are kept.
const LOG_LINE_MAX: usize = 4096;
/// Log lines of a plug-in that are shown in one call.
const LOG_LINES_PER_CALL: u32 = 20;
/// Metrics that one plug-in may have.
const METRICS_MAX: usize = 200;
/// Bytes of a metric's name.
const METRIC_NAME_MAX: usize = 100;
/// Tables, and entries in each, that an instance may have.
const TABLES_MAX: usize = 100;
const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// What the store of one plug-in instance holds.
pub(super) struct HostState {
    /// The plug-in's name, for log lines.
    pub(super) name: Arc<str>,
    /// The batch of the current call.
    pub(super) lent: Option<MessageBatch>,
    /// `None` while the plug-in describes itself: it has no rights then.
    pub(super) rights: Option<Rights>,
    pub(super) memory: MemoryLimit,
    /// When the current call has to be over.
    pub(super) deadline: Instant,
    /// Log lines that the current call may still write.
    pub(super) log_lines_left: u32,
    /// What the plug-in has said of the event time of the batch.
    pub(super) marks: Marks,
    /// The last error line of the current call: if it traps, this is why.
    pub(super) last_error: Option<String>,
}

/// What an opened plug-in may use.
#[derive(Clone)]
pub(super) struct Rights {
    pub(super) schemas: Arc<dyn SchemaSource>,
    pub(super) prefetch: Prefetch,
    pub(super) metrics: PluginMetrics,
}

/// The linear memory of an instance and its bound.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    pub(super) max_bytes: usize,
    pub(super) bytes: usize,
    /// Set when growing was refused: what follows in that call is the limit's doing.
    pub(super) refused: bool,
}

impl HostState {
    pub(super) fn new(name: Arc<str>, rights: Option<Rights>, memory_max_bytes: usize) -> Self {
        HostState {
            name,
            lent: None,
            rights,
            memory: MemoryLimit {
                max_bytes: memory_max_bytes,
                bytes: 0,
                refused: false,
            },
            deadline: Instant::now(),
            log_lines_left: 0,
            marks: Marks::default(),
            last_error: None,
        }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let total = self.bytes.saturating_sub(current).saturating_add(desired);
        if total > self.max_bytes {
            self.refused = true;
            return Ok(false);
        }
        self.bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }
}

pub(super) fn linker(engine: &Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    messages::add_to_linker(&mut linker)?;
    log::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    metrics::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    event_time::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    // Interfaces of types alone, which components import for their names.
    types::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    rows::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    interception::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    schemas::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Epoch ticks in a time span, rounded up, and one more for the tick under way.
pub(super) fn ticks(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(EPOCH_TICK.as_nanos())).unwrap_or(u64::MAX / 2) + 1
}

pub(super) fn no_rights(interface: &str) -> wasmtime::Error {
    wasmtime::format_err!(
        "weir:connector/{interface} was called by `describe`, which has no rights"
    )
}

impl types::Host for HostState {}
impl rows::Host for HostState {}
impl interception::Host for HostState {}

impl log::Host for HostState {
    fn log(&mut self, level: log::Level, message: String) -> Result<()> {
        let line = printable(&message);
        if matches!(level, log::Level::Error) {
            self.last_error = Some(line.clone());
        }
        if self.log_lines_left == 0 {
            return Ok(());
        }
        self.log_lines_left -= 1;
        let plugin = &*self.name;
        match level {
            log::Level::Debug => tracing::debug!(plugin, "{line}"),
            log::Level::Info => tracing::info!(plugin, "{line}"),
            log::Level::Warn => tracing::warn!(plugin, "{line}"),
            log::Level::Error => tracing::error!(plugin, "{line}"),
        }
        if self.log_lines_left == 0 {
            tracing::warn!(
                plugin,
                "wrote {LOG_LINES_PER_CALL} lines in one call: the rest of them are left out"
            );
        }
        Ok(())
    }
}

/// A plug-in's text on one line of bounded length, without control characters.
pub(super) fn printable(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.len() > LOG_LINE_MAX {
        let cut = line.floor_char_boundary(LOG_LINE_MAX);
        line.truncate(cut);
        line.push('…');
    }
    line
}

impl HostState {
    /// For the start of a call.
    pub(super) fn allow_log_lines(&mut self) {
        self.log_lines_left = LOG_LINES_PER_CALL;
    }
}

/// The figures of one plug-in, over all its instances.
#[derive(Clone, Debug, Default)]
pub struct PluginMetrics(Arc<Mutex<BTreeMap<String, Metric>>>);

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// A sum that only grows.
    Counter(u64),
    /// A value that goes up and down.
    Gauge(f64),
}

impl PluginMetrics {
    /// All figures by name.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Metric> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn update(&self, plugin: &str, name: &str, initial: Metric, change: impl FnOnce(&mut Metric)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = all.get_mut(name) {
            change(metric);
        } else if all.len() < METRICS_MAX && is_metric_name(name) {
            let mut metric = initial;
            change(&mut metric);
            all.insert(name.to_owned(), metric);
        } else {
            drop(all);
            tracing::debug!(
                plugin,
                "metric {:?} ignored: not a name, or one too many",
                printable(name)
            );
        }
    }
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= METRIC_NAME_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl event_time::Host for HostState {
    fn mark(&mut self, times: Vec<i64>) -> Result<()> {
        let Some(batch) = &self.lent else {
            return Err(without_a_batch("mark"));
        };
        // A plug-in that loses count would give rows the time of others.
        let marked = self.marks.mark(&batch.offsets, &times);
        marked.map_err(|what| wasmtime::format_err!("weir:connector/event-time: {what}"))
    }

    fn watermark(&mut self, time: i64) -> Result<()> {
        if self.lent.is_none() {
            return Err(without_a_batch("watermark"));
        }
        self.marks.give_watermark(time);
        Ok(())
    }
}

fn without_a_batch(function: &str) -> wasmtime::Error {
    wasmtime::format_err!(
        "weir:connector/event-time.{function} was called outside of `decode` and `on-consume`"
    )
}

impl metrics::Host for HostState {
    fn count(&mut self, name: String, increment: u64) -> Result<()> {
        let rights = self.rights.as_ref().ok_or_else(|| no_rights("metrics"))?;
        rights
            .metrics
            .update(&self.name, &name, Metric::Counter(0), |metric| {
                if let Metric::Counter(sum) = metric {
                    *sum = sum.saturating_add(increment);
                }
            });
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> Result<()> {
        let rights = self.rights.as_ref().ok_or_else(|| no_rights("metrics"))?;
        rights
            .metrics
            .update(&self.name, &name, Metric::Gauge(value), |metric| {
                if let Metric::Gauge(current) = metric {
                    *current = value;
                }
            });
        Ok(())
    }
}
