//! From rows to the keys and values of messages, by serializers.
//!
//! The workers do this, side by side, and not the sink's thread: it is as much work as decoding,
//! and one thread could not keep up with several that decode. What is only known on the sink's
//! thread, which rows are late, can therefore drop rows but add nothing to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Fields, Schema};
use arrow::error::ArrowError;

use super::worker::Retrying;
use super::{PipelineError, Plugins};
use crate::config::{KafkaSinkConfig, MessageKey, SinkConfig};
use crate::plugin::{
    MessageError, OpenError, Part, PluginMetrics, RowError, Serialized, Serializer,
};
use crate::rows::{EncodedPart, Payloads, Rows};
use crate::schemas::SchemaSource;
use crate::sink::SinkError;
use crate::sink::kafka::{Topics, column};

/// The serializers of one worker.
pub(super) struct Serializing {
    value: Option<Serializer>,
    key: Option<Serializer>,
    config: KafkaSinkConfig,
    /// The topics of rows that have each their own, once each.
    topics: HashMap<String, Arc<str>>,
}

/// What went wrong with rows, which are not among the rows any more.
#[derive(Default)]
pub(super) struct Unserialized {
    pub(super) errors: Vec<MessageError>,
    pub(super) plugin_time: Duration,
}

/// The rows for one topic: all, or some.
struct Group {
    topic: Arc<str>,
    rows: Option<Vec<u32>>,
}

impl Serializing {
    /// `None` for a sink that needs none.
    pub(super) fn open(
        sink: &SinkConfig,
        plugins: &Plugins,
        schemas: &Arc<dyn SchemaSource>,
    ) -> Result<Option<Self>, OpenError> {
        let SinkConfig::Kafka(config) = sink else {
            return Ok(None);
        };
        let open = |plugin: &Option<_>, part| {
            let plugin = plugin.as_ref();
            plugin
                .map(|(plugin, options)| {
                    Serializer::open(plugin, part, options, Arc::clone(schemas), plugins.limits)
                })
                .transpose()
        };
        let value = open(&plugins.serializer, Part::Value)?;
        let key = open(&plugins.key_serializer, Part::Key)?;
        Ok((value.is_some() || key.is_some()).then(|| Self {
            value,
            key,
            config: KafkaSinkConfig::clone(config),
            topics: HashMap::new(),
        }))
    }

    /// What each plug-in counts.
    pub(super) fn figures(&self) -> impl Iterator<Item = (&str, PluginMetrics)> {
        let all = self.key.iter().chain(&self.value);
        all.map(|serializer| (serializer.name(), serializer.metrics()))
    }

    /// Adds to rows what they become, and takes out those that cannot; `None` when the pipeline is
    /// asked to stop before the plug-ins have answered.
    pub(super) fn run(
        &mut self,
        rows: &mut Rows,
        retrying: &Retrying,
    ) -> Result<Option<Unserialized>, PipelineError> {
        let mut done = Unserialized::default();
        let mut failed = vec![false; rows.len()];
        let groups = self.groups(rows)?;
        if let Some(serializer) = &mut self.value {
            let columns = rows.rows.clone();
            let mut run = Run {
                what: "value",
                rows,
                failed: &mut failed,
                done: &mut done,
            };
            let Some(values) = run.run(serializer, &columns, &groups, retrying)? else {
                return Ok(None);
            };
            rows.encoded.values = Some(values);
        }
        if let Some(serializer) = &mut self.key {
            let columns = key_columns(&self.config, rows)?;
            let mut run = Run {
                what: "key",
                rows,
                failed: &mut failed,
                done: &mut done,
            };
            let Some(keys) = run.run(serializer, &columns, &groups, retrying)? else {
                return Ok(None);
            };
            rows.encoded.keys = Some(keys);
        }
        if failed.contains(&true) {
            let kept = BooleanBuffer::collect_bool(rows.len(), |row| !failed[row]);
            rows.keep(&kept).map_err(|error| arrow(&error))?;
        }
        Ok(Some(done))
    }

    /// Rows by topic, in their order: a subject, and so a schema, belongs to a topic.
    fn groups(&mut self, rows: &Rows) -> Result<Vec<Group>, SinkError> {
        let topics = Topics::of(&self.config, rows)?;
        if let Some(topic) = topics.only() {
            return Ok(vec![Group {
                topic: shared(&mut self.topics, topic),
                rows: None,
            }]);
        }
        let mut groups: Vec<Group> = Vec::new();
        for (row, number) in (0..rows.len()).zip(0_u32..) {
            let topic = topics.of_row(rows, row)?;
            match groups.iter_mut().find(|group| *group.topic == *topic) {
                Some(group) => group.rows.get_or_insert_default().push(number),
                None => groups.push(Group {
                    topic: shared(&mut self.topics, topic),
                    rows: Some(vec![number]),
                }),
            }
        }
        Ok(groups)
    }
}

/// The most topics whose names are kept: rows choose them.
const TOPICS_KEPT: usize = 10_000;

fn shared(topics: &mut HashMap<String, Arc<str>>, topic: &str) -> Arc<str> {
    if let Some(known) = topics.get(topic) {
        return Arc::clone(known);
    }
    if topics.len() >= TOPICS_KEPT {
        topics.clear();
    }
    let new: Arc<str> = topic.into();
    topics.insert(topic.to_owned(), Arc::clone(&new));
    new
}

/// The columns that make up keys: one, which is the key.
fn key_columns(config: &KafkaSinkConfig, rows: &Rows) -> Result<RecordBatch, PipelineError> {
    let (field, values): (_, ArrayRef) = match &config.key {
        MessageKey::Field(path) => column(rows, path, "key.field")?,
        MessageKey::Fields(paths) => {
            let columns = paths.iter().map(|path| column(rows, path, "key.fields"));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
            let key = StructArray::new(Fields::from(fields), arrays, None);
            let field = Field::new("key", arrow::array::Array::data_type(&key).clone(), false);
            (Arc::new(field), Arc::new(key))
        }
        MessageKey::Input | MessageKey::None => {
            return Err(PipelineError::Plugin(
                "a serializer of keys without `key.field`".to_owned(),
            ));
        }
    };
    let schema = Arc::new(Schema::new(vec![field]));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema, vec![values], &options).map_err(|error| arrow(&error))
}

fn arrow(error: &ArrowError) -> PipelineError {
    PipelineError::Plugin(format!("preparing rows for a serializer: {error}"))
}

/// One serializer over all groups of rows.
struct Run<'a> {
    /// The part of the message, in words.
    what: &'static str,
    rows: &'a Rows,
    failed: &'a mut [bool],
    done: &'a mut Unserialized,
}

impl Run<'_> {
    fn run(
        &mut self,
        serializer: &mut Serializer,
        columns: &RecordBatch,
        groups: &[Group],
        retrying: &Retrying,
    ) -> Result<Option<Payloads>, PipelineError> {
        let mut parts = Vec::with_capacity(groups.len());
        let mut places = vec![(0, 0); self.rows.len()];
        for group in groups {
            let (columns, offsets): (RecordBatch, Vec<i64>) = match &group.rows {
                None => (columns.clone(), self.rows.offsets().collect()),
                Some(rows) => {
                    let taken = take_record_batch(columns, &UInt32Array::from(rows.clone()));
                    let message = |row: &u32| self.rows.message(*row as usize);
                    let offset = |row: &u32| self.rows.messages.offsets[message(row)];
                    let offsets = rows.iter().map(offset).collect();
                    (taken.map_err(|error| arrow(&error))?, offsets)
                }
            };
            let offsets = Arc::new(offsets);
            let source = &self.rows.messages.source;
            let first = offsets.first().copied().unwrap_or(0);
            let call = || serializer.encode(&group.topic, &columns, source, &offsets);
            let Some(serialized) = retrying.until(source, first, call)? else {
                return Ok(None);
            };
            self.take(group, serialized, &mut parts, &mut places);
        }
        Ok(Some(match parts.len() {
            1 if groups.len() == 1 => Payloads::whole(parts.remove(0)),
            _ => Payloads::placed(parts, places),
        }))
    }

    fn take(
        &mut self,
        group: &Group,
        serialized: Serialized,
        parts: &mut Vec<EncodedPart>,
        places: &mut [(usize, usize)],
    ) {
        let row_of = |place: usize| match &group.rows {
            None => place,
            Some(rows) => rows[place] as usize,
        };
        for part in serialized.parts {
            for place in 0..part.payloads.column.offsets.len() - 1 {
                places[row_of(part.start + place)] = (parts.len(), place);
            }
            parts.push(part);
        }
        for RowError { row, error } in serialized.errors {
            // A row is bad once, whether its key or its value is.
            if !std::mem::replace(&mut self.failed[row_of(row)], true) {
                self.done.errors.push(MessageError {
                    reason: format!("its {} cannot be written: {}", self.what, error.reason),
                    ..error
                });
            }
        }
        self.done.plugin_time += serialized.plugin_time;
    }
}
