//! The plug-ins that come with weir, by name. They are loaded like any other.

/// Name and module of each built-in plug-in; built by `build.rs` from `guests/`.
const BUILTINS: &[(&str, &[u8])] = &[
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

/// The names that a pipeline file may use in place of a path.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|(name, _)| *name)
}

pub(super) fn builtin(name: &str) -> Option<&'static [u8]> {
    BUILTINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, module)| *module)
}
