//! From a name or a file to a plug-in that can be opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre};

use super::bindings::consumer_interceptor::ConsumerInterceptorPluginPre;
use super::bindings::deserializer::DeserializerPluginPre;
use super::bindings::serializer::SerializerPluginPre;
use super::builtin;
use super::component::{PluginKind, check_imports, component, kind};
use super::engine::{Limits, PluginEngine};
use super::imports::{HostState, printable, ticks};

/// Bytes that a plug-in file may have.
const FILE_MAX: u64 = 256 << 20;
/// Why a file is not a usable plug-in.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory for compiled code cannot be used: set `WEIR_CACHE_DIR` to another.
    #[error("the cache directory {} cannot be used: {reason}; set WEIR_CACHE_DIR to another", .directory.display())]
    Cache {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// WebAssembly does not work on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// No built-in plug-in has this name, and it is not a path.
    #[error(
        "no plug-in is called `{name}`; built in are {known}; a path contains `/` or ends in .wasm"
    )]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not a weir plug-in. The text says what is missing.
    #[error("{plugin}: {reason}")]
    Unusable {
        /// The file or the built-in name.
        plugin: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The plug-in is fine but of another kind.
    #[error("{plugin} is a {found}, and a {wanted} is needed here: it exports `{}`, not `{}`", .found.export(), .wanted.export())]
    WrongKind {
        /// The file or the built-in name.
        plugin: String,
        /// Its kind.
        found: PluginKind,
        /// The kind needed.
        wanted: PluginKind,
    },
}

/// What a plug-in says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Short name.
    pub name: String,
    /// The plug-in's own version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of its options.
    pub options_schema: String,
}

/// A compiled plug-in. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(super) engine: PluginEngine,
    pub(super) pre: InstancePre<HostState>,
    facts: Arc<Facts>,
}

struct Facts {
    reference: String,
    kind: PluginKind,
    digest: String,
    size: usize,
    imports: Vec<String>,
    exports: Vec<String>,
    description: Description,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("reference", &self.facts.reference)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads a built-in plug-in by name, or a file by path.
    ///
    /// A text is a path when it contains `/` or ends in `.wasm`. Compiling a large one
    /// takes seconds the first time, and nothing when its code is in the cache. Built-in
    /// serializers have the names of deserializers: see [`Plugin::load_serializer`].
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(engine: &PluginEngine, reference: &str) -> Result<Self, LoadError> {
        Self::load_named(engine, reference, builtin::BUILTINS)
    }

    /// Loads a built-in serializer by name, or a file by path.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load_serializer(engine: &PluginEngine, reference: &str) -> Result<Self, LoadError> {
        Self::load_named(engine, reference, builtin::SERIALIZERS)
    }

    fn load_named(
        engine: &PluginEngine,
        reference: &str,
        builtins: &'static [(&'static str, &'static [u8])],
    ) -> Result<Self, LoadError> {
        if reference.contains('/') || reference.ends_with(".wasm") {
            return Self::load_file(engine, Path::new(reference));
        }
        match builtins.iter().find(|(name, _)| *name == reference) {
            Some((name, module)) => Self::from_bytes(engine, name, module),
            None => Err(LoadError::UnknownName {
                name: reference.to_owned(),
                known: builtin::names(builtins).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Loads a file.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load_file(engine: &PluginEngine, path: &Path) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > FILE_MAX {
            return Err(LoadError::Unusable {
                plugin: path.display().to_string(),
                reason: format!("{size} bytes, and {FILE_MAX} are the most"),
            });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Self::from_bytes(engine, &path.display().to_string(), &bytes)
    }

    /// Loads a component, or a core module with an embedded component type.
    ///
    /// `reference` is what messages to people call it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_bytes(
        engine: &PluginEngine,
        reference: &str,
        bytes: &[u8],
    ) -> Result<Self, LoadError> {
        let unusable = |reason: String| LoadError::Unusable {
            plugin: reference.to_owned(),
            reason,
        };
        let encoded = component(bytes).map_err(unusable)?;
        let component = Component::new(&engine.engine, encoded.as_deref().unwrap_or(bytes))
            .map_err(|e| {
                unusable(format!(
                    "is not valid WebAssembly: {}",
                    printable(&format!("{e:#}"))
                ))
            })?;
        let ty = component.component_type();
        let imports: Vec<String> = ty
            .imports(&engine.engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports: Vec<String> = ty
            .exports(&engine.engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let kind = kind(&exports).map_err(unusable)?;
        check_imports(&imports).map_err(unusable)?;
        let pre = engine.linker.instantiate_pre(&component).map_err(|e| {
            unusable(format!(
                "does not fit weir:connector@0.1.0: {}",
                printable(&format!("{e:#}"))
            ))
        })?;
        check_exports(kind, &pre).map_err(|e| {
            unusable(format!(
                "does not fit {}: {}",
                kind.world(),
                printable(&format!("{e:#}"))
            ))
        })?;
        let description = describe(&pre).map_err(|e| {
            unusable(format!(
                "`describe` failed: {}",
                printable(&format!("{e:#}"))
            ))
        })?;
        let facts = Facts {
            reference: reference.to_owned(),
            kind,
            digest: Sha256::digest(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
            size: bytes.len(),
            imports,
            exports,
            description,
        };
        Ok(Plugin {
            engine: engine.clone(),
            pre,
            facts: Arc::new(facts),
        })
    }

    /// How people call it: the built-in name or the path.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.facts.reference
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        self.facts.kind
    }

    /// SHA-256 of the file, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.facts.digest
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.facts.size
    }

    /// The interfaces it asks for.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.facts.imports
    }

    /// What it exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.facts.exports
    }

    /// What it says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.facts.description
    }

    pub(super) fn require(&self, wanted: PluginKind) -> Result<(), LoadError> {
        if self.facts.kind == wanted {
            return Ok(());
        }
        Err(LoadError::WrongKind {
            plugin: self.facts.reference.clone(),
            found: self.facts.kind,
            wanted,
        })
    }
}

fn check_exports(kind: PluginKind, pre: &InstancePre<HostState>) -> wasmtime::Result<()> {
    match kind {
        PluginKind::Deserializer => DeserializerPluginPre::new(pre.clone()).map(drop),
        PluginKind::Serializer => SerializerPluginPre::new(pre.clone()).map(drop),
        PluginKind::ConsumerInterceptor => ConsumerInterceptorPluginPre::new(pre.clone()).map(drop),
        // Nothing runs these yet: the pipeline refuses them by name.
        PluginKind::ProducerInterceptor => Ok(()),
    }
}

/// Calls `describe` in an instance of its own that has no rights.
fn describe(pre: &InstancePre<HostState>) -> wasmtime::Result<Description> {
    type Described = (super::bindings::types::Description,);
    let limits = Limits::default();
    let mut store = Store::new(
        pre.engine(),
        HostState::new("describe".into(), None, limits.memory_max_bytes),
    );
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(ticks(limits.call_timeout));
    let instance = pre.instantiate(&mut store)?;
    let call = instance.get_typed_func::<(), Described>(&mut store, "describe")?;
    let (said,) = call.call(&mut store, ())?;
    Ok(Description {
        name: printable(&said.name),
        version: printable(&said.version),
        summary: printable(&said.summary),
        options_schema: said.options_schema,
    })
}
