//! What `bindgen!` makes of the WIT package, and nothing else.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "generated code"
)]

pub(crate) mod deserializer {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "deserializer-plugin",
        imports: { default: trappable },
        with: { "weir:connector/messages.batch": crate::plugin::messages::LentBatch },
    });
}

pub(crate) mod consumer_interceptor {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "consumer-interceptor-plugin",
        with: {
            "weir:connector/types": super::deserializer::weir::connector::types,
            "weir:connector/messages": super::deserializer::weir::connector::messages,
            "weir:connector/rows": super::deserializer::weir::connector::rows,
            "weir:connector/schemas": super::deserializer::weir::connector::schemas,
            "weir:connector/log": super::deserializer::weir::connector::log,
            "weir:connector/metrics": super::deserializer::weir::connector::metrics,
            "weir:connector/event-time": super::deserializer::weir::connector::event_time,
        },
    });
}

pub(crate) mod serializer {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "serializer-plugin",
        with: {
            "weir:connector/types": super::deserializer::weir::connector::types,
            "weir:connector/messages": super::deserializer::weir::connector::messages,
            "weir:connector/rows": super::deserializer::weir::connector::rows,
            "weir:connector/schemas": super::deserializer::weir::connector::schemas,
            "weir:connector/log": super::deserializer::weir::connector::log,
            "weir:connector/metrics": super::deserializer::weir::connector::metrics,
        },
    });
}

pub(crate) use consumer_interceptor::weir::connector::interception;
pub(crate) use deserializer::weir::connector::{
    event_time, log, messages, metrics, rows, schemas, types,
};
