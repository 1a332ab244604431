//! Consumer interceptors: messages in, messages out, before they are decoded.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::bindings::consumer_interceptor::ConsumerInterceptorPlugin;
use super::bindings::consumer_interceptor::weir::connector::interception as wit;
use super::bindings::types::{BatchError, Config};
use super::component::PluginKind;
use super::engine::Limits;
use super::imports::HostState;
use super::instance::{CallError, Instance, OpenError};
use super::load::Plugin;
use super::opened::{Answer, BatchStop, Kind, Opened};
use super::origin::{Failed, Origins};
use super::payloads::{self, nullable};
use super::{MessageError, Part, PluginMetrics, messages};
use crate::batch::MessageBatch;
use crate::event_time::Marks;
use crate::schemas::SchemaSource;

/// An opened consumer interceptor. It belongs to one thread.
pub struct ConsumerInterceptor(Opened<Intercepting>);

/// What became of one batch.
#[derive(Debug)]
pub struct Intercepted {
    /// The messages that go on, in order. One batch, unless a message broke the
    /// plug-in and the batch was taken apart.
    pub batches: Vec<MessageBatch>,
    /// The messages that could not be handled, in ascending order.
    pub errors: Vec<MessageError>,
    /// What the plug-in says of event time.
    pub(crate) marks: Marks,
    /// Time spent in the plug-in and in checking its answers.
    pub plugin_time: Duration,
}

impl ConsumerInterceptor {
    /// Opens an interceptor, and so checks its options.
    ///
    /// `options` is a JSON object.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        plugin: &Plugin,
        options: &serde_json::Value,
        schemas: Arc<dyn SchemaSource>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        Opened::new(plugin, Part::Value, options, schemas, limits).map(ConsumerInterceptor)
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

    /// Passes one batch through.
    ///
    /// # Errors
    /// See [`BatchStop`].
    pub fn intercept(&mut self, batch: &MessageBatch) -> Result<Intercepted, BatchStop> {
        let outcome = self.0.run(batch)?;
        Ok(Intercepted {
            batches: outcome
                .outputs
                .into_iter()
                .filter(|b| !b.is_empty())
                .collect(),
            errors: outcome.errors,
            marks: outcome.marks,
            plugin_time: outcome.plugin_time,
        })
    }
}

struct Intercepting;

struct Guest {
    plugin: ConsumerInterceptorPlugin,
    interceptor: ResourceAny,
}

impl Kind for Intercepting {
    const KIND: PluginKind = PluginKind::ConsumerInterceptor;
    type Guest = Guest;
    type Input = MessageBatch;
    type Output = MessageBatch;

    fn open(
        plugin: &Plugin,
        store: &mut Store<HostState>,
        _part: Part,
        config: &Config,
    ) -> wasmtime::Result<Result<Guest, String>> {
        let instance = plugin.pre.instantiate(&mut *store)?;
        let plugin = ConsumerInterceptorPlugin::new(&mut *store, &instance)?;
        let opened = plugin
            .weir_connector_consumer_interceptor()
            .interceptor()
            .call_open(store, config)?;
        Ok(opened.map(|interceptor| Guest {
            plugin,
            interceptor,
        }))
    }

    fn call(
        instance: &mut Instance<Guest>,
        batch: &MessageBatch,
        timeout: Duration,
    ) -> Result<Result<Answer<MessageBatch>, BatchError>, CallError> {
        let answer = instance.call(Some(batch), timeout, |store, guest| {
            let interceptor = guest
                .plugin
                .weir_connector_consumer_interceptor()
                .interceptor();
            interceptor.call_on_consume(store, guest.interceptor, messages::handle())
        })?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let (output, errors) = believe(batch, answer).map_err(CallError::Contract)?;
        Ok(Ok(Answer {
            output,
            errors,
            reusable: true,
        }))
    }
}

/// Checks an answer against the batch it is for.
fn believe(
    batch: &MessageBatch,
    answer: wit::Intercepted,
) -> Result<(MessageBatch, Vec<MessageError>), String> {
    let failed = Failed::check(answer.errors, batch.len())?;
    let len = u32::try_from(batch.len()).map_err(|_| "more messages than a batch can hold")?;
    let output = match answer.verdict {
        wit::Verdict::Unchanged => {
            failed.check_apart_from(&Origins::Identity(len))?;
            batch.clone()
        }
        wit::Verdict::Keep(rows) => {
            let kept = u32::try_from(rows.len()).map_err(|_| "more rows kept than there are")?;
            let rows = Origins::check(
                super::bindings::rows::Origin::Messages(rows),
                kept,
                batch.len(),
            )?;
            if !rows.are_distinct() {
                return Err("a row is kept twice".into());
            }
            failed.check_apart_from(&rows)?;
            rows.select(batch)
        }
        wit::Verdict::Replace(new) => {
            let origins = Origins::check(new.origin.clone(), new.len, batch.len())?;
            if !origins.are_distinct() {
                return Err(
                    "a message is replaced by several: one offset cannot stand for them".into(),
                );
            }
            failed.check_apart_from(&origins)?;
            replace(origins.select(batch), new)?
        }
    };
    Ok((output, failed.into_errors(batch)))
}

/// The originals with what the plug-in put in place of some columns.
fn replace(mut batch: MessageBatch, new: wit::Replacement) -> Result<MessageBatch, String> {
    let rows = batch.len();
    if let Some((column, validity)) = new.keys {
        batch.keys = nullable(column, validity, rows).map_err(|e| format!("keys: {e}"))?;
    }
    if let Some((column, validity)) = new.values {
        batch.values = nullable(column, validity, rows).map_err(|e| format!("values: {e}"))?;
    }
    if let Some(headers) = new.headers {
        batch.headers =
            Some(payloads::headers(headers, rows).map_err(|e| format!("headers: {e}"))?);
    }
    if let Some(timestamps) = new.timestamps {
        if timestamps.len() != rows {
            return Err(format!(
                "{} timestamps for {rows} messages",
                timestamps.len()
            ));
        }
        batch.timestamps = Arc::new(timestamps);
    }
    Ok(batch)
}
