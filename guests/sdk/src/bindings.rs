//! What `wit-bindgen` makes of the WIT package, and nothing else.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

/// The world of a deserializer.
pub mod deserializer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "deserializer-plugin",
        pub_export_macro: true,
        export_macro_name: "export_deserializer_bindings",
        default_bindings_module: "weir_guest::bindings::deserializer",
        generate_all,
    });
}

/// The world of a serializer, sharing every imported type with [`deserializer`].
pub mod serializer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "serializer-plugin",
        pub_export_macro: true,
        export_macro_name: "export_serializer_bindings",
        default_bindings_module: "weir_guest::bindings::serializer",
        with: {
            "weir:connector/types@0.1.0": crate::bindings::deserializer::weir::connector::types,
            "weir:connector/messages@0.1.0": crate::bindings::deserializer::weir::connector::messages,
            "weir:connector/rows@0.1.0": crate::bindings::deserializer::weir::connector::rows,
            "weir:connector/schemas@0.1.0": crate::bindings::deserializer::weir::connector::schemas,
            "weir:connector/log@0.1.0": crate::bindings::deserializer::weir::connector::log,
            "weir:connector/metrics@0.1.0": crate::bindings::deserializer::weir::connector::metrics,
        },
        generate_all,
    });
}

/// The world of a consumer interceptor, sharing every imported type with [`deserializer`].
pub mod consumer_interceptor {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "consumer-interceptor-plugin",
        pub_export_macro: true,
        export_macro_name: "export_consumer_interceptor_bindings",
        default_bindings_module: "weir_guest::bindings::consumer_interceptor",
        with: {
            "weir:connector/types@0.1.0": crate::bindings::deserializer::weir::connector::types,
            "weir:connector/messages@0.1.0": crate::bindings::deserializer::weir::connector::messages,
            "weir:connector/rows@0.1.0": crate::bindings::deserializer::weir::connector::rows,
            "weir:connector/schemas@0.1.0": crate::bindings::deserializer::weir::connector::schemas,
            "weir:connector/log@0.1.0": crate::bindings::deserializer::weir::connector::log,
            "weir:connector/metrics@0.1.0": crate::bindings::deserializer::weir::connector::metrics,
            "weir:connector/event-time@0.1.0": crate::bindings::deserializer::weir::connector::event_time,
        },
        generate_all,
    });
}

/// The world of a producer interceptor, sharing every type with [`consumer_interceptor`].
pub mod producer_interceptor {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "producer-interceptor-plugin",
        pub_export_macro: true,
        export_macro_name: "export_producer_interceptor_bindings",
        default_bindings_module: "weir_guest::bindings::producer_interceptor",
        with: {
            "weir:connector/types@0.1.0": crate::bindings::deserializer::weir::connector::types,
            "weir:connector/messages@0.1.0": crate::bindings::deserializer::weir::connector::messages,
            "weir:connector/rows@0.1.0": crate::bindings::deserializer::weir::connector::rows,
            "weir:connector/schemas@0.1.0": crate::bindings::deserializer::weir::connector::schemas,
            "weir:connector/log@0.1.0": crate::bindings::deserializer::weir::connector::log,
            "weir:connector/metrics@0.1.0": crate::bindings::deserializer::weir::connector::metrics,
            "weir:connector/interception@0.1.0": crate::bindings::consumer_interceptor::weir::connector::interception,
        },
        generate_all,
    });
}
