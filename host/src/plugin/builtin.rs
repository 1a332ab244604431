//! The plug-ins that come with weir, by name. They are loaded like any other.

/// Name and module of each built-in plug-in but the serializers; built by `build.rs` from
/// `guests/`.
pub(super) const BUILTINS: &[(&str, &[u8])] = &[
    (
        "avro",
        include_bytes!(concat!(env!("OUT_DIR"), "/avro.wasm")),
    ),
    (
        "drop-by-header",
        include_bytes!(concat!(env!("OUT_DIR"), "/drop-by-header.wasm")),
    ),
    (
        "json",
        include_bytes!(concat!(env!("OUT_DIR"), "/json.wasm")),
    ),
    (
        "protobuf",
        include_bytes!(concat!(env!("OUT_DIR"), "/protobuf.wasm")),
    ),
];

/// Name and module of each built-in serializer: of the same crates, built with their feature
/// `serializer`.
pub(super) const SERIALIZERS: &[(&str, &[u8])] = &[
    (
        "avro",
        include_bytes!(concat!(env!("OUT_DIR"), "/avro-serializer.wasm")),
    ),
    (
        "json-schema",
        include_bytes!(concat!(env!("OUT_DIR"), "/json-serializer.wasm")),
    ),
    (
        "protobuf",
        include_bytes!(concat!(env!("OUT_DIR"), "/protobuf-serializer.wasm")),
    ),
];

/// The names that a pipeline file may use in place of a path. Those of serializers are apart:
/// see [`serializer_names`].
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    names(BUILTINS)
}

/// The names of the built-in serializers.
pub fn serializer_names() -> impl Iterator<Item = &'static str> {
    names(SERIALIZERS)
}

pub(super) fn names<'a>(
    builtins: &'a [(&'static str, &'static [u8])],
) -> impl Iterator<Item = &'static str> + 'a {
    builtins.iter().map(|(name, _)| *name)
}
