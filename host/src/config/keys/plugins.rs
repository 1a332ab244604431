//! Keys of plug-ins.

use crate::config::key::{Key, Kind, Unit};

const PLUGIN_DOC: &str = "The plug-in: a built-in name, or a path such as ./mine.wasm.";
const OPTIONS_DOC: &str = "What the plug-in itself understands.";
const GRANTS_NOTE: &str = "a plug-in gets no rights in this build";

pub(in crate::config) static INTERCEPTOR_PLUGIN: Key =
    Key::new("interceptors[].plugin", Kind::Plugin, PLUGIN_DOC).required("./mine.wasm");

pub(in crate::config) static INTERCEPTOR_OPTIONS: Key =
    Key::new("interceptors[].options", Kind::Options, OPTIONS_DOC).or_else("none");

pub(in crate::config) static INTERCEPTOR_GRANTS: Key =
    Key::later("interceptors[].grants", GRANTS_NOTE, "Rights beyond none.");

pub(in crate::config) static VALUE_PLUGIN: Key =
    Key::new("deserializer.value.plugin", Kind::Plugin, PLUGIN_DOC).required("avro");

pub(in crate::config) static VALUE_OPTIONS: Key =
    Key::new("deserializer.value.options", Kind::Options, OPTIONS_DOC).or_else("none");

pub(in crate::config) static VALUE_GRANTS: Key = Key::later(
    "deserializer.value.grants",
    GRANTS_NOTE,
    "Rights beyond none.",
);

pub(in crate::config) static KEY_PLUGIN: Key = Key::new(
    "deserializer.key.plugin",
    Kind::Plugin,
    "The plug-in that decodes keys, as for values. Without one, keys are not decoded.",
)
.or_else("none");

pub(in crate::config) static KEY_OPTIONS: Key =
    Key::new("deserializer.key.options", Kind::Options, OPTIONS_DOC).or_else("none");

pub(in crate::config) static KEY_COLUMN: Key = Key::new(
    "deserializer.key.column",
    Kind::Text,
    "The column that keys become: a struct of their columns, or the value itself of keys that are \
     no records.",
)
.or("key");

pub(in crate::config) static KEY_GRANTS: Key = Key::later(
    "deserializer.key.grants",
    GRANTS_NOTE,
    "Rights beyond none.",
);

pub(in crate::config) static PLUGIN_MEMORY_MAX: Key = Key::integer(
    "plugin.memory.max.bytes",
    (1 << 20, 4 << 30),
    Unit::Bytes,
    "The most memory for one instance of a plug-in.",
)
.or("268435456");

pub(in crate::config) static PLUGIN_MEMORY_RECYCLE: Key = Key::integer(
    "plugin.memory.recycle.bytes",
    (1 << 20, 4 << 30),
    Unit::Bytes,
    "An instance that has grown past this is replaced between batches: a plug-in's memory \
     never shrinks by itself.",
)
.or("134217728");

pub(in crate::config) static PLUGIN_CALL_TIMEOUT: Key = Key::integer(
    "plugin.call.timeout.ms",
    (1, 3_600_000),
    Unit::Milliseconds,
    "How long one call of a plug-in may take.",
)
.or("5000");

pub(in crate::config) static TRANSFORMS: Key = Key::later(
    "transforms",
    "rows go to the sink as the deserializer made them",
    "Plug-ins that change rows.",
);

pub(super) static ALL: &[&Key] = &[
    &INTERCEPTOR_PLUGIN,
    &INTERCEPTOR_OPTIONS,
    &INTERCEPTOR_GRANTS,
    &VALUE_PLUGIN,
    &VALUE_OPTIONS,
    &VALUE_GRANTS,
    &KEY_PLUGIN,
    &KEY_OPTIONS,
    &KEY_COLUMN,
    &KEY_GRANTS,
    &PLUGIN_MEMORY_MAX,
    &PLUGIN_MEMORY_RECYCLE,
    &PLUGIN_CALL_TIMEOUT,
    &TRANSFORMS,
];
