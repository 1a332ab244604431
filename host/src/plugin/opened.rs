//! An opened plug-in of any kind: one instance that is called with batch after batch,
//! and what happens when it breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use super::bindings::types::{BatchError, Config};
use super::component::PluginKind;
use super::engine::Limits;
use super::imports::{HostState, Rights};
use super::instance::{CallError, Instance, OpenError};
use super::load::Plugin;
use super::prefetch::Prefetch;
use super::{MessageError, Part, PluginMetrics};
use crate::batch::{MessageBatch, TopicPartition};
use crate::event_time::Marks;
use crate::schemas::SchemaSource;

/// A batch in which this many messages break the plug-in, and none passes, says that
/// it is the plug-in that is broken.
const BREAKAGES_MAX: usize = 16;

/// What a plug-in is called with: messages, or rows that came from messages. It can be taken apart
/// to find what breaks the plug-in.
pub(super) trait Work: Clone {
    /// What is wrong with one of them.
    type Error;

    /// How many messages or rows.
    fn len(&self) -> usize;
    /// Where they came from.
    fn source(&self) -> &TopicPartition;
    /// The Kafka offset of the first one's message.
    fn first_offset(&self) -> i64;
    /// The first `len / 2`, and the others.
    fn halves(&self) -> [Self; 2];
    /// The error of the only one.
    fn error(&self, reason: String) -> Self::Error;
    /// Messages that may name schemas.
    fn messages(&self) -> Option<&MessageBatch>;
}

impl Work for MessageBatch {
    type Error = MessageError;

    fn len(&self) -> usize {
        self.len()
    }

    fn source(&self) -> &TopicPartition {
        &self.source
    }

    fn first_offset(&self) -> i64 {
        self.offsets[0]
    }

    fn halves(&self) -> [Self; 2] {
        let rows: Vec<u32> = (0..).take(self.len()).collect();
        let (first, second) = rows.split_at(self.len() / 2);
        [self.select(first), self.select(second)]
    }

    fn error(&self, reason: String) -> MessageError {
        let offset = self.offsets[0];
        MessageError { offset, reason }
    }

    fn messages(&self) -> Option<&MessageBatch> {
        Some(self)
    }
}

/// What differs from one kind of plug-in to another.
pub(super) trait Kind {
    /// The kind.
    const KIND: PluginKind;
    /// What it is called with.
    type Input: Work;
    /// The exports of an opened instance.
    type Guest;
    /// What it makes of a batch.
    type Output;

    /// Instantiates the plug-in and opens its resource; the inner error is the
    /// plug-in's own.
    fn open(
        plugin: &Plugin,
        store: &mut Store<HostState>,
        part: Part,
        config: &Config,
    ) -> wasmtime::Result<Result<Self::Guest, String>>;

    /// Calls it, and checks the answer.
    fn call(
        instance: &mut Instance<Self::Guest>,
        batch: &Self::Input,
        timeout: Duration,
    ) -> Result<Answered<Self>, CallError>;
}

/// What is wrong with one of the messages or rows that a kind is called with.
pub(super) type ErrorOf<K> = <<K as Kind>::Input as Work>::Error;

/// What a call of a kind comes to, where the plug-in did not break.
pub(super) type Answered<K> = Result<Answer<<K as Kind>::Output, ErrorOf<K>>, BatchError>;

/// A checked answer for one batch, or for a part of one.
pub(super) struct Answer<T, E = MessageError> {
    pub(super) output: T,
    /// In ascending order.
    pub(super) errors: Vec<E>,
    /// Whether the instance can be called again.
    pub(super) reusable: bool,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Outcome<T, E = MessageError> {
    /// One for the whole batch; several when a message broke the plug-in and the batch
    /// was taken apart. In the order of the messages.
    pub(super) outputs: Vec<T>,
    /// In ascending order.
    pub(super) errors: Vec<E>,
    /// What the plug-in says of event time.
    pub(super) marks: Marks,
    /// Time spent in calls.
    pub(super) plugin_time: Duration,
}

/// Why there is no outcome. Nothing of the batch was handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchStop {
    /// Something outside is down: wait, and try the same batch again.
    #[error("{0}")]
    Unavailable(String),
    /// The pipeline has to stop.
    #[error("{0}")]
    Failed(String),
}

pub(super) struct Opened<K: Kind> {
    plugin: Plugin,
    rights: Rights,
    limits: Limits,
    part: Part,
    config: Config,
    instance: Option<Instance<K::Guest>>,
}

impl<K: Kind> Opened<K> {
    /// For keys or for values; those who see whole messages are for values.
    pub(super) fn new(
        plugin: &Plugin,
        part: Part,
        options: &serde_json::Value,
        schemas: Arc<dyn SchemaSource>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        plugin.require(K::KIND)?;
        let mut opened = Opened {
            plugin: plugin.clone(),
            rights: Rights {
                schemas,
                prefetch: Prefetch::new(part),
                metrics: PluginMetrics::default(),
            },
            limits,
            part,
            config: Config {
                options: options.to_string(),
            },
            instance: None,
        };
        opened.instance = Some(opened.new_instance()?);
        Ok(opened)
    }

    /// The plug-in's own name.
    pub(super) fn name(&self) -> &str {
        &self.plugin.description().name
    }

    pub(super) fn metrics(&self) -> PluginMetrics {
        self.rights.metrics.clone()
    }

    /// Linear memory of the instance, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// Handles one batch.
    ///
    /// A message that breaks the plug-in is found by halving the batch: it becomes an
    /// error of its own, and the others go on.
    pub(super) fn run(
        &mut self,
        batch: &K::Input,
    ) -> Result<Outcome<K::Output, ErrorOf<K>>, BatchStop> {
        let mut outcome = Outcome {
            outputs: Vec::with_capacity(1),
            errors: Vec::new(),
            marks: Marks::default(),
            plugin_time: Duration::ZERO,
        };
        if batch.len() == 0 {
            return Ok(outcome);
        }
        if let Some(messages) = batch.messages() {
            self.rights.prefetch.before(messages, &*self.rights.schemas);
        }
        let mut untried = vec![batch.clone()];
        let mut breakages = 0;
        while let Some(part) = untried.pop() {
            match self.call(&part, self.timeout(part.len(), batch.len()), &mut outcome) {
                Ok(answer) => answer?,
                Err(error) if part.len() == 1 => {
                    breakages += 1;
                    outcome.errors.push(part.error(error.to_string()));
                    if breakages >= BREAKAGES_MAX && outcome.outputs.is_empty() {
                        return Err(BatchStop::Failed(format!(
                            "{}: {error}; so it went with each of the first {breakages} messages from offset {} of \
                             {}: it is the plug-in that is broken, not the messages",
                            self.plugin.reference(),
                            batch.first_offset(),
                            batch.source(),
                        )));
                    }
                }
                Err(error) => {
                    if part.len() == batch.len() {
                        tracing::warn!(
                            "{}: {error}; looking for the messages at fault among the {} of {} from offset {}",
                            self.plugin.reference(),
                            batch.len(),
                            batch.source(),
                            batch.first_offset(),
                        );
                    }
                    let [first, second] = part.halves();
                    untried.push(second);
                    untried.push(first);
                }
            }
        }
        Ok(outcome)
    }

    /// Fewer messages get less time, so that the one that loops for ever is found soon. But
    /// one alone gets all of it: it is the one that would be called bad.
    fn timeout(&self, part: usize, whole: usize) -> Duration {
        let whole_timeout = self.limits.call_timeout;
        if part == 1 {
            return whole_timeout;
        }
        let share = whole_timeout.as_nanos() * part as u128 / whole as u128;
        Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX)).max(whole_timeout / 10)
    }

    /// One call. The outer error is the plug-in breaking, the inner one its own word.
    fn call(
        &mut self,
        batch: &K::Input,
        timeout: Duration,
        outcome: &mut Outcome<K::Output, ErrorOf<K>>,
    ) -> Result<Result<(), BatchStop>, CallError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => match self.new_instance() {
                Ok(instance) => instance,
                Err(OpenError::Broke { source, .. }) => return Err(source),
                Err(error) => return Ok(Err(BatchStop::Failed(error.to_string()))),
            },
        };
        let started = Instant::now();
        let answer = K::call(&mut instance, batch, timeout);
        outcome.plugin_time += started.elapsed();
        match answer? {
            Ok(answer) => {
                outcome.outputs.push(answer.output);
                outcome.errors.extend(answer.errors);
                outcome.marks.merge(instance.take_marks());
                if answer.reusable && !instance.is_oversized() {
                    self.instance = Some(instance);
                }
                Ok(Ok(()))
            }
            Err(BatchError::Unavailable(reason)) => {
                drop(instance.take_marks());
                self.instance = Some(instance);
                Ok(Err(BatchStop::Unavailable(super::imports::printable(
                    &reason,
                ))))
            }
            Err(BatchError::Failed(reason)) => Ok(Err(BatchStop::Failed(format!(
                "{}: {}",
                self.plugin.reference(),
                super::imports::printable(&reason)
            )))),
        }
    }

    fn new_instance(&self) -> Result<Instance<K::Guest>, OpenError> {
        let plugin = || self.plugin.reference().to_owned();
        Instance::open(&self.plugin, self.rights.clone(), self.limits, |store| {
            K::open(&self.plugin, store, self.part, &self.config)
        })
        .map_err(|source| OpenError::Broke {
            plugin: plugin(),
            source,
        })?
        .map_err(|reason| OpenError::Refused {
            plugin: plugin(),
            reason: super::imports::printable(&reason),
        })
    }
}
