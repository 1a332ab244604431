//! What a file is: a component or a module, of which kind, and asking for what.

use wasmparser::{Parser, Payload};

use super::imports::printable;
use super::messages;

/// What describes itself as a package of weir's.
const PACKAGE: &str = "weir:connector/";
/// The interfaces that weir answers.
const PROVIDED: [&str; 8] = [
    messages::INTERFACE,
    "weir:connector/types@0.1.0",
    "weir:connector/rows@0.1.0",
    "weir:connector/interception@0.1.0",
    "weir:connector/schemas@0.1.0",
    "weir:connector/log@0.1.0",
    "weir:connector/metrics@0.1.0",
    "weir:connector/event-time@0.1.0",
];

/// What a plug-in is for: which world of `weir:connector` it implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// Turns messages into rows.
    Deserializer,
    /// Turns rows into messages.
    Serializer,
    /// Sits between the consumer and the deserializer.
    ConsumerInterceptor,
    /// Sits between the serializer and the producer.
    ProducerInterceptor,
}

impl PluginKind {
    pub(super) const ALL: [PluginKind; 4] = [
        PluginKind::Deserializer,
        PluginKind::Serializer,
        PluginKind::ConsumerInterceptor,
        PluginKind::ProducerInterceptor,
    ];

    /// The interface that a component of this kind exports.
    #[must_use]
    pub fn export(self) -> &'static str {
        match self {
            PluginKind::Deserializer => "weir:connector/deserializer@0.1.0",
            PluginKind::Serializer => "weir:connector/serializer@0.1.0",
            PluginKind::ConsumerInterceptor => "weir:connector/consumer-interceptor@0.1.0",
            PluginKind::ProducerInterceptor => "weir:connector/producer-interceptor@0.1.0",
        }
    }

    /// The WIT world.
    #[must_use]
    pub fn world(self) -> &'static str {
        match self {
            PluginKind::Deserializer => "weir:connector/deserializer-plugin@0.1.0",
            PluginKind::Serializer => "weir:connector/serializer-plugin@0.1.0",
            PluginKind::ConsumerInterceptor => "weir:connector/consumer-interceptor-plugin@0.1.0",
            PluginKind::ProducerInterceptor => "weir:connector/producer-interceptor-plugin@0.1.0",
        }
    }
}

impl std::fmt::Display for PluginKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PluginKind::Deserializer => "deserializer",
            PluginKind::Serializer => "serializer",
            PluginKind::ConsumerInterceptor => "consumer interceptor",
            PluginKind::ProducerInterceptor => "producer interceptor",
        })
    }
}

/// Makes a component of a core module; `None` when the bytes are a component already.
pub(super) fn component(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if !bytes.starts_with(b"\0asm") {
        let start: String = String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).into_owned();
        return Err(format!(
            "is not WebAssembly: a .wasm file starts with \\0asm, and this one with {:?}",
            printable(&start)
        ));
    }
    if Parser::is_component(bytes) {
        return Ok(None);
    }
    let mut typed = false;
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|e| format!("is not valid WebAssembly: {e}"))? {
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                typed = true
            }
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().flatten().map(|e| printable(e.name)));
            }
            _ => {}
        }
    }
    if !typed {
        exports.truncate(10);
        return Err(format!(
            "is a core module without a component type (it exports {}); build it with wit-bindgen against the \
             package weir:connector@0.1.0, as the weir-guest SDK does, so that it exports {}",
            if exports.is_empty() {
                "nothing".to_owned()
            } else {
                exports.join(", ")
            },
            PluginKind::ALL
                .map(|k| format!("`{}`", k.export()))
                .join(" or "),
        ));
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|encoder| encoder.encode())
        .map(Some)
        .map_err(|e| {
            format!(
                "its component type and its code do not agree: {}",
                printable(&format!("{e:#}"))
            )
        })
}

pub(super) fn kind(exports: &[String]) -> Result<PluginKind, String> {
    let found: Vec<_> = PluginKind::ALL
        .into_iter()
        .filter(|k| exports.iter().any(|e| e == k.export()))
        .collect();
    match found[..] {
        [kind] => Ok(kind),
        [] => {
            let all = if exports.is_empty() {
                "nothing".to_owned()
            } else {
                printable(&exports.join(", "))
            };
            let hint = if exports.iter().any(|e| e.starts_with(PACKAGE)) {
                "; this weir speaks weir:connector@0.1.0: build the plug-in against that version"
            } else {
                ""
            };
            Err(format!(
                "is not a weir plug-in: the export {} is missing; it exports {all}{hint}",
                PluginKind::ALL
                    .map(|k| format!("`{}`", k.export()))
                    .join(" or "),
            ))
        }
        [first, second, ..] => Err(format!(
            "exports both `{}` and `{}`: a plug-in has one kind",
            first.export(),
            second.export()
        )),
    }
}

pub(super) fn check_imports(imports: &[String]) -> Result<(), String> {
    let refused: Vec<_> = imports
        .iter()
        .filter(|i| !PROVIDED.contains(&i.as_str()))
        .map(String::as_str)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!(
        "asks for {}, which weir does not provide: a plug-in may import weir:connector/schemas, log, metrics and event-time, \
         and there are no grants for anything else yet",
        printable(&refused.join(", "))
    ))
}
