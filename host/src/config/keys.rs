//! The table of keys: each is declared below, once, and nowhere else.

pub(super) mod connection;
pub(super) mod consumer;
pub(super) mod files;
pub(super) mod kafka_sink;
pub(super) mod pipeline;
pub(super) mod plugins;
pub(super) mod schemas;
pub(super) mod source;
pub(super) mod watermark;

use std::sync::LazyLock;

use self::kafka_sink::{KEY_SERIALIZER_PLUGIN, SERIALIZER_PLUGIN};
use self::plugins::{INTERCEPTOR_PLUGIN, KEY_PLUGIN, VALUE_PLUGIN};
use super::key::Key;

/// A part of the file that holds keys.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Dotted name. `[]` stands for each entry of a list.
    pub name: &'static str,
    /// The key that is meant when a plain value stands in the section's place.
    pub shorthand: Option<&'static Key>,
    /// What it is about.
    pub doc: &'static str,
}

/// Every section, in the order of the reference page.
pub static SECTIONS: &[Section] = &[
    section("source", "The topics to read, and how."),
    section(
        "interceptors",
        "Plug-ins that see messages before they are decoded, in order.",
    ),
    short("interceptors[]", &INTERCEPTOR_PLUGIN, "One interceptor."),
    short(
        "deserializer",
        &VALUE_PLUGIN,
        "The plug-ins that decode messages.",
    ),
    short(
        "deserializer.value",
        &VALUE_PLUGIN,
        "The plug-in that decodes values.",
    ),
    short(
        "deserializer.key",
        &KEY_PLUGIN,
        "The plug-in that decodes keys.",
    ),
    section(
        "watermark",
        "Event time: where it comes from, how far it has come, and what is late.",
    ),
    section(
        "sink",
        "Where rows go: `stdout`, `file` or `kafka`. Default: `stdout`.",
    ),
    section("sink.stdout", "One JSON object a row, on standard output."),
    section("sink.file", "Files in a directory."),
    section("sink.kafka", "Another topic."),
    short(
        "sink.kafka.serializer",
        &SERIALIZER_PLUGIN,
        "How rows become the values of messages.",
    ),
    short(
        "sink.kafka.key.serializer",
        &KEY_SERIALIZER_PLUGIN,
        "How columns become the keys of messages.",
    ),
    section("errors", "What happens to records that cannot be decoded."),
    section("metrics", "Figures for Prometheus."),
];

/// Every key, in the order of the reference page.
pub static KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| {
    [
        pipeline::ALL,
        source::ALL,
        consumer::ALL,
        connection::source::ALL,
        &[&source::LIBRDKAFKA],
        schemas::ALL,
        plugins::ALL,
        watermark::ALL,
        files::ALL,
        kafka_sink::ALL,
        connection::sink::ALL,
        &[&kafka_sink::LIBRDKAFKA],
    ]
    .concat()
});

const fn section(name: &'static str, doc: &'static str) -> Section {
    Section {
        name,
        shorthand: None,
        doc,
    }
}

const fn short(name: &'static str, key: &'static Key, doc: &'static str) -> Section {
    Section {
        name,
        shorthand: Some(key),
        doc,
    }
}
