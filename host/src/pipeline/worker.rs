//! One worker: interceptors, the deserializer, then serializers, for the partitions that are its
//! own.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use crossbeam_channel::{Receiver, Sender};

use super::keys::KeyStage;
use super::serializing::Serializing;
use super::{Failure, PipelineError, SinkItem};
use crate::batch::{MessageBatch, TopicPartition};
use crate::config::EventTimeFrom;
use crate::event_time::{Marks, Times, event_times};
use crate::kafka::{Delivered, SourceItem, SourcedBatch};
use crate::metrics::PluginFigures;
use crate::plugin::{BatchStop, ConsumerInterceptor, Deserializer, MessageError};
use crate::progress::Progress;
use crate::rows::{MetadataColumns, Rows, attach_tombstones as attach};
use crate::stop::Stop;

/// The wait before a batch is tried again doubles from the first to the last of these.
const RETRY_FIRST: Duration = Duration::from_millis(300);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// How soon a waiting worker notices that the pipeline is asked to stop.
const STOP_LOOK: Duration = Duration::from_millis(50);
/// Bad records of one batch that get a line each; the rest share one.
const ERRORS_SHOWN: usize = 20;

pub(super) struct Worker {
    pub(super) stages: Stages,
    pub(super) batches: Receiver<SourceItem>,
    pub(super) rows: Sender<SinkItem>,
    pub(super) tolerate: bool,
    /// Whether the sink's thread may need the messages as they were read.
    pub(super) keep_messages: bool,
    /// Where event times come from, if they are tracked.
    pub(super) event_time: Option<EventTimeFrom>,
    /// The schema that was last found to have none.
    pub(super) without_time: Option<SchemaRef>,
    pub(super) retrying: Retrying,
    pub(super) failure: Failure,
}

pub(super) struct Stages {
    pub(super) interceptors: Vec<ConsumerInterceptor>,
    /// What decodes keys, if they are.
    pub(super) keys: Option<KeyStage>,
    pub(super) deserializer: Deserializer,
    pub(super) metadata: MetadataColumns,
    /// What makes messages of rows, if the sink needs that.
    pub(super) serializing: Option<Serializing>,
    /// Whether tombstones go on to the sink.
    pub(super) passes_tombstones: bool,
}

/// What became of a batch in all stages.
#[derive(Default)]
struct Handled {
    rows: Vec<Rows>,
    errors: Vec<MessageError>,
    marks: Marks,
    dropped: usize,
    tombstones: usize,
    skipped: usize,
    plugin_time: Duration,
}

impl Worker {
    /// Runs until the source or the sink is gone, or a batch cannot be handled: then
    /// nothing after it is either.
    pub(super) fn run(mut self) {
        while let Ok(item) = self.batches.recv() {
            let item = match item {
                SourceItem::Flush => SinkItem::Flush,
                SourceItem::Batch(sourced) => match self.handle(&sourced) {
                    Ok(Some(item)) => item,
                    Ok(None) => return,
                    Err(error) => {
                        self.failure.report(error, &self.retrying.stop);
                        return;
                    }
                },
            };
            if self.rows.send(item).is_err() {
                return;
            }
        }
    }

    /// Takes one batch through all stages; `None` when the pipeline is asked to stop before
    /// that succeeds.
    fn handle(&mut self, sourced: &SourcedBatch) -> Result<Option<SinkItem>, PipelineError> {
        let batch = &sourced.batch;
        let Some(mut handled) = self.stages.run(batch, &self.retrying)? else {
            return Ok(None);
        };
        self.read_event_times(&mut handled.rows, &handled.marks)?;
        let progress = &self.retrying.progress;
        progress.add_plugin_time(handled.plugin_time);
        progress.errors.add(handled.errors.len());
        if let Some(first) = handled.errors.first()
            && !self.tolerate
        {
            return Err(PipelineError::BadRecord {
                source_partition: batch.source.clone(),
                offset: first.offset,
                reason: first.reason.clone(),
            });
        }
        log_errors(&batch.source, &handled.errors);
        progress.dropped.add(handled.dropped);
        progress.tombstones.add(handled.tombstones);
        progress.skipped.add(handled.skipped);
        let next = batch.offsets.last().map_or(0, |last| last + 1);
        let delivered = Delivered {
            source: batch.source.clone(),
            assignment: sourced.assignment,
            next,
            watermark: None,
        };
        Ok(Some(SinkItem::Delivery {
            delivered,
            rows: handled.rows,
            bytes: batch.payload_bytes(),
            watermark: handled.marks.watermark,
            messages: self.keep_messages.then(|| Box::new(batch.clone())),
        }))
    }
}

impl Worker {
    /// Rows without an event time go on without, where bad records do.
    fn read_event_times(&mut self, rows: &mut [Rows], marks: &Marks) -> Result<(), PipelineError> {
        let Some(from) = &self.event_time else {
            return Ok(());
        };
        // Tombstones alone have no column to look at.
        for rows in rows.iter_mut().filter(|rows| !rows.is_empty()) {
            if *from == EventTimeFrom::Plugin {
                rows.event_times = Some(marks.times_of(rows));
                continue;
            }
            let times = event_times(from, rows);
            if let Err(error) = &times {
                if !self.tolerate {
                    return Err(PipelineError::EventTime(error.to_string()));
                }
                let schema = rows.rows.schema();
                let known = self.without_time.replace(Arc::clone(&schema));
                if !known.is_some_and(|known| Arc::ptr_eq(&known, &schema)) {
                    tracing::warn!(
                        "{}: {error}; the watermark goes on without them",
                        rows.messages.source
                    );
                }
            }
            let none = || Times::new(vec![Times::NONE; rows.rows.num_rows()]);
            rows.event_times = Some(times.unwrap_or_else(|_| none()));
        }
        Ok(())
    }
}

/// Tries again, for as long as the pipeline runs, what is not available for now.
#[derive(Clone)]
pub(super) struct Retrying {
    pub(super) stop: Stop,
    pub(super) progress: Arc<Progress>,
}

impl Retrying {
    /// Calls a plug-in with a batch until it answers; `None` when the pipeline is asked to
    /// stop before that.
    fn until_answered<T>(
        &self,
        batch: &MessageBatch,
        mut call: impl FnMut(&MessageBatch) -> Result<T, BatchStop>,
    ) -> Result<Option<T>, PipelineError> {
        self.until(&batch.source, batch.offsets[0], || call(batch))
    }

    /// As [`until_answered`](Self::until_answered), for what came from this partition from this
    /// offset on.
    pub(super) fn until<T>(
        &self,
        source: &TopicPartition,
        first_offset: i64,
        mut call: impl FnMut() -> Result<T, BatchStop>,
    ) -> Result<Option<T>, PipelineError> {
        let mut wait = RETRY_FIRST;
        loop {
            match call() {
                Ok(answer) => return Ok(Some(answer)),
                Err(BatchStop::Failed(reason)) => return Err(PipelineError::Plugin(reason)),
                Err(BatchStop::Unavailable(reason)) => {
                    self.progress.retries.add(1);
                    tracing::warn!(
                        "{source} from offset {first_offset}: {reason}; trying again in {} ms",
                        wait.as_millis(),
                    );
                    if !self.sleep(wait) {
                        return Ok(None);
                    }
                    wait = (wait * 2).min(RETRY_LAST);
                }
            }
        }
    }

    /// Returns false when the pipeline is asked to stop.
    fn sleep(&self, wait: Duration) -> bool {
        let mut left = wait;
        while !left.is_zero() {
            if self.stop.is_requested() {
                return false;
            }
            let step = left.min(STOP_LOOK);
            std::thread::sleep(step);
            left -= step;
        }
        true
    }
}

impl Stages {
    /// What each plug-in counts.
    pub(super) fn figures(&self, worker: usize) -> Vec<PluginFigures> {
        let interceptors = self.interceptors.iter();
        let interceptors = interceptors.map(|i| (i.name(), i.metrics()));
        let keys = self.keys.iter().map(KeyStage::figures);
        let deserializer = (self.deserializer.name(), self.deserializer.metrics());
        let serializers = self.serializing.iter().flat_map(Serializing::figures);
        let all = interceptors.chain(keys).chain([deserializer]);
        let all = all.chain(serializers);
        all.map(|(plugin, metrics)| PluginFigures {
            plugin: plugin.to_owned(),
            worker,
            metrics,
        })
        .collect()
    }

    /// `None` when the pipeline is asked to stop before all plug-ins have answered.
    fn run(
        &mut self,
        batch: &MessageBatch,
        retrying: &Retrying,
    ) -> Result<Option<Handled>, PipelineError> {
        let mut handled = Handled::default();
        let mut batches = vec![batch.clone()];
        for interceptor in &mut self.interceptors {
            let mut passed = Vec::with_capacity(batches.len());
            for batch in batches {
                let call = |batch: &_| interceptor.intercept(batch);
                let Some(intercepted) = retrying.until_answered(&batch, call)? else {
                    return Ok(None);
                };
                let kept: usize = intercepted.batches.iter().map(MessageBatch::len).sum();
                handled.dropped += batch.len() - kept - intercepted.errors.len();
                handled.errors.extend(intercepted.errors);
                handled.marks.merge(intercepted.marks);
                handled.plugin_time += intercepted.plugin_time;
                passed.extend(intercepted.batches);
            }
            batches = passed;
        }
        for batch in batches {
            let (batch, keys) = match &mut self.keys {
                None => (batch, None),
                Some(stage) => {
                    let call = |batch: &_| stage.decode(batch);
                    let Some(keyed) = retrying.until_answered(&batch, call)? else {
                        return Ok(None);
                    };
                    handled.errors.extend(keyed.errors);
                    // Before those of values, which come later and count instead.
                    handled.marks.merge(keyed.marks);
                    handled.plugin_time += keyed.plugin_time;
                    (keyed.batch, Some(keyed.keys))
                }
            };
            if batch.is_empty() {
                continue;
            }
            let call = |batch: &_| self.deserializer.decode(batch);
            let Some(decoded) = retrying.until_answered(&batch, call)? else {
                return Ok(None);
            };
            let tombstones = batch.tombstones();
            let with_rows = messages_with_rows(&decoded.rows);
            handled.tombstones += tombstones;
            handled.skipped +=
                (batch.len() - with_rows - decoded.errors.len()).saturating_sub(tombstones);
            let first = handled.rows.len();
            let mut rows = decoded.rows;
            if let (Some(stage), Some(keys)) = (&mut self.keys, keys) {
                rows = stage.add(&keys, &rows)?;
            }
            for rows in rows {
                handled.rows.push(self.metadata.add(rows)?);
            }
            if self.passes_tombstones {
                let failed = decoded.errors.iter().map(|error| error.offset);
                let mut rows = handled.rows.split_off(first);
                attach(&batch, &mut rows, failed);
                handled.rows.append(&mut rows);
            }
            handled.errors.extend(decoded.errors);
            handled.marks.merge(decoded.marks);
            handled.plugin_time += decoded.plugin_time;
        }
        if let Some(serializing) = &mut self.serializing {
            for rows in handled.rows.iter_mut().filter(|rows| !rows.is_empty()) {
                let Some(done) = serializing.run(rows, retrying)? else {
                    return Ok(None);
                };
                handled.errors.extend(done.errors);
                handled.plugin_time += done.plugin_time;
            }
            // Tombstones have no rows, and go on.
            let is_left = |rows: &Rows| !rows.is_empty() || rows.tombstones() > 0;
            handled.rows.retain(is_left);
        }
        handled.errors.sort_by_key(|error| error.offset);
        Ok(Some(handled))
    }
}

/// How many different messages rows came from; rows are in the order of their messages.
fn messages_with_rows(rows: &[Rows]) -> usize {
    let mut last = None;
    let mut count = 0;
    for offset in rows.iter().flat_map(Rows::offsets) {
        if last != Some(offset) {
            count += 1;
            last = Some(offset);
        }
    }
    count
}

fn log_errors(source: &TopicPartition, errors: &[MessageError]) {
    for error in errors.iter().take(ERRORS_SHOWN) {
        tracing::warn!(
            "bad record in {source} at offset {}: {}",
            error.offset,
            error.reason
        );
    }
    if let Some(rest) = errors.get(ERRORS_SHOWN..)
        && !rest.is_empty()
    {
        let offsets: Vec<String> = rest.iter().map(|error| error.offset.to_string()).collect();
        tracing::warn!(
            "{} more bad records in {source} at offsets {}",
            rest.len(),
            offsets.join(", ")
        );
    }
}
