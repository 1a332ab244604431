//! `weir:connector/messages`: the batch that is lent to a plug-in for one call.
//!
//! Written against the linker instead of generated traits, because those would have
//! each getter return a column of its own: here the shared columns are copied once,
//! into the plug-in's memory.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use super::imports::HostState;
use crate::batch::{self, MessageBatch};

/// The name of the interface, as components import it.
pub(super) const INTERFACE: &str = "weir:connector/messages@0.1.0";

/// Marks handles to the batch. There is one batch a store at most, so a handle
/// needs no number.
#[expect(
    unreachable_pub,
    reason = "bindgen re-exports it inside its own, private, modules"
)]
pub struct LentBatch;

/// The handle to pass for [`HostState::lent`].
pub(super) fn handle() -> Resource<LentBatch> {
    Resource::new_borrow(0)
}

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> Result<()> {
    let mut messages = linker.instance(INTERFACE)?;
    messages.resource("batch", ResourceType::host::<LentBatch>(), |_, _| Ok(()))?;
    macro_rules! getter {
        ($name:literal, |$batch:ident| $column:expr) => {
            messages.func_wrap(
                concat!("[method]batch.", $name),
                |store: StoreContextMut<'_, HostState>, (_,): (Resource<LentBatch>,)| {
                    let $batch = lent(&store)?;
                    Ok(($column,))
                },
            )?;
        };
    }
    getter!("len", |batch| u32::try_from(batch.len())
        .unwrap_or(u32::MAX));
    getter!("topic", |batch| Arc::clone(&batch.source.topic));
    getter!("partition", |batch| batch.source.partition);
    getter!("offsets", |batch| Arc::clone(&batch.offsets));
    getter!("timestamps", |batch| Arc::clone(&batch.timestamps));
    getter!("timestamp-type", |batch| TimestampType::from(
        batch.timestamp_type
    ));
    getter!("values", |batch| BinaryColumn::from(&batch.values.column));
    getter!("value-validity", |batch| batch.values.validity.clone());
    getter!("keys", |batch| BinaryColumn::from(&batch.keys.column));
    getter!("key-validity", |batch| batch.keys.validity.clone());
    getter!("headers", |batch| batch.headers.as_ref().map(Headers::from));
    Ok(())
}

fn lent<'a>(store: &'a StoreContextMut<'_, HostState>) -> Result<&'a MessageBatch> {
    store.data().lent.as_ref().ok_or_else(|| {
        wasmtime::format_err!("the batch was lent for one call, and that call has ended")
    })
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct BinaryColumn {
    offsets: Arc<Vec<u32>>,
    bytes: Arc<Vec<u8>>,
}

impl From<&batch::BinaryColumn> for BinaryColumn {
    fn from(column: &batch::BinaryColumn) -> Self {
        BinaryColumn {
            offsets: Arc::clone(&column.offsets),
            bytes: Arc::clone(&column.bytes),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Headers {
    #[component(name = "row-offsets")]
    row_offsets: Arc<Vec<u32>>,
    names: BinaryColumn,
    values: BinaryColumn,
    #[component(name = "value-validity")]
    value_validity: Option<Arc<Vec<u8>>>,
}

impl From<&batch::Headers> for Headers {
    fn from(headers: &batch::Headers) -> Self {
        Headers {
            row_offsets: Arc::clone(&headers.row_offsets),
            names: BinaryColumn::from(&headers.names),
            values: BinaryColumn::from(&headers.values.column),
            value_validity: headers.values.validity.clone(),
        }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum TimestampType {
    #[component(name = "create-time")]
    CreateTime,
    #[component(name = "log-append-time")]
    LogAppendTime,
    #[component(name = "not-available")]
    NotAvailable,
}

impl From<batch::TimestampType> for TimestampType {
    fn from(kind: batch::TimestampType) -> Self {
        match kind {
            batch::TimestampType::CreateTime => TimestampType::CreateTime,
            batch::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            batch::TimestampType::NotAvailable => TimestampType::NotAvailable,
        }
    }
}
