//! One instance of a plug-in: a store, its limits, and what a failed call means.

use std::time::{Duration, Instant};

use wasmtime::{Store, Trap};

use super::engine::Limits;
use super::imports::{HostState, Rights, printable, ticks};
use super::load::Plugin;
use crate::batch::MessageBatch;
use crate::event_time::Marks;

/// Why a plug-in could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It refused its options: the text says which.
    #[error("{plugin}: {reason}")]
    Refused {
        /// The plug-in.
        plugin: String,
        /// Its own words.
        reason: String,
    },
    /// It broke while it was opened.
    #[error("{plugin}: opening it failed: {source}")]
    Broke {
        /// The plug-in.
        plugin: String,
        /// How.
        source: CallError,
    },
    /// It is of another kind.
    #[error(transparent)]
    Load(#[from] super::LoadError),
}

/// Why a call gave no answer. After any of these the instance is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It trapped: it has a bug.
    #[error("the plug-in trapped: {0}")]
    Trap(String),
    /// It ran for longer than `plugin.call.timeout.ms`.
    #[error("the plug-in ran for longer than {} ms", .0.as_millis())]
    Deadline(Duration),
    /// It asked for more memory than `plugin.memory.max.bytes`, and broke when refused.
    #[error("the plug-in needs more memory than plugin.memory.max.bytes allows ({0} bytes)")]
    Memory(usize),
    /// It answered, with something that breaks the contract.
    #[error("the plug-in's answer is not valid: {0}")]
    Contract(String),
}

/// A store with the guest that lives in it.
pub(super) struct Instance<G> {
    store: Store<HostState>,
    /// The guest's exports, and what the host knows of it.
    pub(super) guest: G,
    limits: Limits,
}

impl<G> Instance<G> {
    /// Makes a store and lets `open` instantiate and open the plug-in in it; the inner
    /// error is the plug-in's own.
    pub(super) fn open(
        plugin: &Plugin,
        rights: Rights,
        limits: Limits,
        open: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<Result<G, String>>,
    ) -> Result<Result<Self, String>, CallError> {
        let state = HostState::new(
            plugin.reference().into(),
            Some(rights),
            limits.memory_max_bytes,
        );
        let mut store = Store::new(&plugin.engine.engine, state);
        store.limiter(|state| &mut state.memory);
        start(&mut store, None, limits.call_timeout);
        match open(&mut store) {
            Ok(opened) => Ok(opened.map(|guest| Instance {
                store,
                guest,
                limits,
            })),
            Err(error) => Err(classify(&store, &error, limits.call_timeout)),
        }
    }

    /// Makes one call, with `batch` lent for its duration.
    pub(super) fn call<R>(
        &mut self,
        batch: Option<&MessageBatch>,
        timeout: Duration,
        call: impl FnOnce(&mut Store<HostState>, &G) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        start(&mut self.store, batch.cloned(), timeout);
        let answer = call(&mut self.store, &self.guest);
        self.store.data_mut().lent = None;
        answer.map_err(|error| classify(&self.store, &error, timeout))
    }

    /// Takes what was said of event time since it was taken last.
    pub(super) fn take_marks(&mut self) -> Marks {
        std::mem::take(&mut self.store.data_mut().marks)
    }

    /// How long a call may take.
    pub(super) fn whole_timeout(&self) -> Duration {
        self.limits.call_timeout
    }

    /// Its linear memory, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().memory.bytes
    }

    /// Whether it has grown so much that a new instance should take its place.
    pub(super) fn is_oversized(&self) -> bool {
        self.memory_bytes() > self.limits.memory_recycle_bytes
    }
}

pub(super) fn start(store: &mut Store<HostState>, batch: Option<MessageBatch>, timeout: Duration) {
    let state = store.data_mut();
    state.lent = batch;
    state.deadline = Instant::now() + timeout;
    state.memory.refused = false;
    state.last_error = None;
    state.allow_log_lines();
    store.set_epoch_deadline(ticks(timeout));
}

fn classify(store: &Store<HostState>, error: &wasmtime::Error, timeout: Duration) -> CallError {
    let state = store.data();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => CallError::Deadline(timeout),
        _ if state.memory.refused => CallError::Memory(state.memory.max_bytes),
        trap => {
            let mut text =
                trap.map_or_else(|| format!("{:#}", error.root_cause()), ToString::to_string);
            if let Some(said) = &state.last_error {
                text = format!("{text} ({said})");
            }
            CallError::Trap(printable(&text))
        }
    }
}
