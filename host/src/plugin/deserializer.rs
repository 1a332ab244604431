//! Deserializers: messages in, rows and faults out, whatever the plug-in does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::bindings::deserializer::DeserializerPlugin;
use super::bindings::deserializer::exports::weir::connector::deserializer as wit;
use super::bindings::types::{BatchError, Config};
use super::component::PluginKind;
use super::engine::Limits;
use super::imports::HostState;
use super::instance::{CallError, Instance, OpenError};
use super::load::Plugin;
use super::opened::{Answer, BatchStop, Kind, Opened};
use super::origin::{self, Failed, Origins};
use super::{MessageError, Part, PluginMetrics, columns, messages};
use crate::batch::MessageBatch;
use crate::event_time::Marks;
use crate::rows::Rows;
use crate::schemas::SchemaSource;

/// Schemas that an instance may number before it is replaced.
const SCHEMAS_MAX: usize = 10_000;

/// An opened deserializer. It belongs to one thread.
pub struct Deserializer(Opened<Decoding>);

/// What became of one batch.
#[derive(Debug)]
pub struct Decoded {
    /// The rows, in the order of the messages.
    pub rows: Vec<Rows>,
    /// The messages that could not be decoded, in ascending order.
    pub errors: Vec<MessageError>,
    /// What the plug-in says of event time.
    pub(crate) marks: Marks,
    /// Time spent in the plug-in and in checking its answers.
    pub plugin_time: Duration,
}

impl Deserializer {
    /// Opens a deserializer for keys or for values, and so checks its options.
    ///
    /// `options` is a JSON object.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        plugin: &Plugin,
        part: Part,
        options: &serde_json::Value,
        schemas: Arc<dyn SchemaSource>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        Opened::new(plugin, part, options, schemas, limits).map(Deserializer)
    }

    /// The plug-in's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The figures that the plug-in keeps.
    #[must_use]
    pub fn metrics(&self) -> PluginMetrics {
        self.0.metrics()
    }

    /// The plug-in's linear memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Decodes one batch.
    ///
    /// A message that breaks the plug-in is found by halving the batch: it becomes an
    /// error of its own, and the others are decoded.
    ///
    /// # Errors
    /// See [`BatchStop`].
    pub fn decode(&mut self, batch: &MessageBatch) -> Result<Decoded, BatchStop> {
        let outcome = self.0.run(batch)?;
        Ok(Decoded {
            rows: outcome.outputs.into_iter().flatten().collect(),
            errors: outcome.errors,
            marks: outcome.marks,
            plugin_time: outcome.plugin_time,
        })
    }
}

struct Decoding;

struct Guest {
    plugin: DeserializerPlugin,
    decoder: ResourceAny,
    schemas: HashMap<u32, SchemaRef>,
}

impl Kind for Decoding {
    const KIND: PluginKind = PluginKind::Deserializer;
    type Guest = Guest;
    type Input = MessageBatch;
    type Output = Vec<Rows>;

    fn open(
        plugin: &Plugin,
        store: &mut Store<HostState>,
        part: Part,
        config: &Config,
    ) -> wasmtime::Result<Result<Guest, String>> {
        let instance = plugin.pre.instantiate(&mut *store)?;
        let plugin = DeserializerPlugin::new(&mut *store, &instance)?;
        let part = match part {
            Part::Key => wit::Part::Key,
            Part::Value => wit::Part::Value,
        };
        let decoder = plugin.weir_connector_deserializer().decoder();
        let opened = decoder.call_open(store, part, config)?;
        Ok(opened.map(|decoder| Guest {
            plugin,
            decoder,
            schemas: HashMap::new(),
        }))
    }

    fn call(
        instance: &mut Instance<Guest>,
        batch: &MessageBatch,
        timeout: Duration,
    ) -> Result<Result<Answer<Vec<Rows>>, BatchError>, CallError> {
        let answer = instance.call(Some(batch), timeout, |store, guest| {
            guest
                .plugin
                .weir_connector_deserializer()
                .decoder()
                .call_decode(store, guest.decoder, messages::handle())
        })?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        for group in &answer.groups {
            if !instance.guest.schemas.contains_key(&group.schema) {
                let schema = schema(instance, group.schema, timeout)?;
                let schemas = &mut instance.guest.schemas;
                // Many writer schemas may have rows of one.
                let equal = schemas.values().find(|known| **known == schema);
                let schema = equal.map_or(schema, Arc::clone);
                schemas.insert(group.schema, schema);
            }
        }
        let schemas = &instance.guest.schemas;
        let (output, errors) = believe(batch, schemas, answer).map_err(CallError::Contract)?;
        Ok(Ok(Answer {
            output,
            errors,
            reusable: schemas.len() <= SCHEMAS_MAX,
        }))
    }
}

/// Asks for the schema behind a number.
fn schema(
    instance: &mut Instance<Guest>,
    number: u32,
    timeout: Duration,
) -> Result<SchemaRef, CallError> {
    let fields = instance.call(None, timeout, |store, guest| {
        guest
            .plugin
            .weir_connector_deserializer()
            .decoder()
            .call_schema(store, guest.decoder, number)
    })?;
    columns::schema(fields).map_err(|what| CallError::Contract(format!("schema {number}: {what}")))
}

/// Checks an answer against the batch it is for.
fn believe(
    batch: &MessageBatch,
    schemas: &HashMap<u32, SchemaRef>,
    answer: wit::Decoded,
) -> Result<(Vec<Rows>, Vec<MessageError>), String> {
    let failed = Failed::check(answer.errors, batch.len())?;
    let mut groups = Vec::with_capacity(answer.groups.len());
    for group in answer.groups {
        let origins = Origins::check(group.origin, group.len, batch.len())?;
        failed.check_apart_from(&origins)?;
        let rows = columns::record_batch(&schemas[&group.schema], group.len, group.arrays)?;
        groups.push((rows, origins));
    }
    Ok((origin::in_order(batch, groups), failed.into_errors(batch)))
}
