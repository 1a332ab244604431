//! The guest that measures what crossing into a component costs, in the store and with the
//! imports that plug-ins have.

use std::sync::Arc;

use wasmtime::component::{Component, ComponentType, Instance, Lower, Resource, TypedFunc};
use wasmtime::{Result, Store};

use super::component;
use super::engine::{Limits, PluginEngine};
use super::imports::HostState;
use super::instance;
use super::messages::{self, BinaryColumn, Headers, LentBatch};
use crate::batch::MessageBatch;

static MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bench.wasm"));

type Arguments = (
    BinaryColumn,
    Option<Arc<Vec<u8>>>,
    BinaryColumn,
    Option<Arc<Vec<u8>>>,
    Option<Headers>,
    Arc<Vec<i64>>,
    Arc<Vec<i64>>,
    bool,
);
type Lent = TypedFunc<(Resource<LentBatch>, bool), (u64,)>;

/// What a guest reads of a batch that it is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    Values,
    Headers,
    All,
}

/// A message as a record, with which the columns are compared.
#[derive(ComponentType, Lower, Clone)]
#[component(record)]
pub(crate) struct Message {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// The guest, ready to be called. With `look`, each call but the empty one returns a checksum,
/// which is the same in all forms that read everything.
pub(crate) struct CrossingGuest {
    store: Store<HostState>,
    empty: TypedFunc<(), ()>,
    unread: Lent,
    values: Lent,
    headers: Lent,
    all: Lent,
    arguments: TypedFunc<Arguments, (u64,)>,
    records: TypedFunc<(Arc<Vec<Message>>, bool), (u64,)>,
}

impl CrossingGuest {
    pub(crate) fn new(engine: &PluginEngine) -> Result<Self> {
        let encoded = component::component(MODULE).map_err(wasmtime::Error::msg)?;
        let component = Component::new(&engine.engine, encoded.as_deref().unwrap_or(MODULE))?;
        let state = HostState::new("bench".into(), None, Limits::default().memory_max_bytes);
        let mut store = Store::new(&engine.engine, state);
        store.limiter(|state| &mut state.memory);
        instance::start(&mut store, None, Limits::default().call_timeout);
        let guest: Instance = engine.linker.instantiate(&mut store, &component)?;
        Ok(CrossingGuest {
            empty: guest.get_typed_func(&mut store, "empty")?,
            unread: guest.get_typed_func(&mut store, "batch-unread")?,
            values: guest.get_typed_func(&mut store, "batch-values")?,
            headers: guest.get_typed_func(&mut store, "batch-headers")?,
            all: guest.get_typed_func(&mut store, "batch-all")?,
            arguments: guest.get_typed_func(&mut store, "arguments")?,
            records: guest.get_typed_func(&mut store, "records")?,
            store,
        })
    }

    pub(crate) fn empty(&mut self) -> Result<()> {
        instance::start(&mut self.store, None, Limits::default().call_timeout);
        self.empty.call(&mut self.store, ())
    }

    pub(crate) fn lend(&mut self, batch: &MessageBatch, reads: Reads, look: bool) -> Result<u64> {
        instance::start(
            &mut self.store,
            Some(batch.clone()),
            Limits::default().call_timeout,
        );
        let function = match reads {
            Reads::Nothing => &self.unread,
            Reads::Values => &self.values,
            Reads::Headers => &self.headers,
            Reads::All => &self.all,
        };
        let (sum,) = function.call(&mut self.store, (messages::handle(), look))?;
        self.store.data_mut().lent = None;
        Ok(sum)
    }

    pub(crate) fn pass(&mut self, batch: &MessageBatch, look: bool) -> Result<u64> {
        instance::start(&mut self.store, None, Limits::default().call_timeout);
        let arguments = (
            BinaryColumn::from(&batch.values.column),
            batch.values.validity.clone(),
            BinaryColumn::from(&batch.keys.column),
            batch.keys.validity.clone(),
            batch.headers.as_ref().map(Headers::from),
            Arc::clone(&batch.timestamps),
            Arc::clone(&batch.offsets),
            look,
        );
        Ok(self.arguments.call(&mut self.store, arguments)?.0)
    }

    pub(crate) fn records(&mut self, messages: &Arc<Vec<Message>>, look: bool) -> Result<u64> {
        instance::start(&mut self.store, None, Limits::default().call_timeout);
        Ok(self
            .records
            .call(&mut self.store, (Arc::clone(messages), look))?
            .0)
    }
}
