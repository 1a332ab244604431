//! The wasmtime engine that all plug-ins of a process share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::imports::{self, HostState};
use super::load::LoadError;

/// How often the deadline of running calls is looked at.
pub(super) const EPOCH_TICK: Duration = Duration::from_millis(10);

/// What one plug-in instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory that an instance may have, in bytes. Growing past it fails the call.
    pub memory_max_bytes: usize,
    /// An instance with more linear memory than this after a call is replaced by a new
    /// one, in bytes: WebAssembly memory never shrinks.
    pub memory_recycle_bytes: usize,
    /// How long one call may run. Time that the host spends on the plug-in's behalf,
    /// such as fetching a schema, does not count.
    pub call_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_max_bytes: 256 << 20,
            memory_recycle_bytes: 128 << 20,
            call_timeout: Duration::from_secs(5),
        }
    }
}

/// Compiles and links plug-ins. Cheap to clone; one is enough for a process.
#[derive(Clone)]
pub struct PluginEngine {
    pub(super) engine: Engine,
    pub(super) linker: Arc<Linker<HostState>>,
    /// Ends the ticker with the last clone.
    _ticker: Arc<Ticker>,
}

impl PluginEngine {
    /// Makes an engine that keeps compiled code in `cache`, or nowhere.
    ///
    /// Whoever can write to the cache directory can run native code in this process:
    /// it must belong to the user that runs weir.
    ///
    /// # Errors
    /// When the directory is not usable.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, LoadError> {
        let mut config = Config::new();
        // Calls are synchronous: without the bookkeeping for concurrent tasks a call
        // costs a third (DESIGN: 192 ns against 560 ns).
        config.concurrency_support(false);
        config.epoch_interruption(true);
        // A folder of its own: wasmtime removes from it what it does not know.
        if let Some(directory) = cache.map(|directory| directory.join("code")) {
            let mut cache = CacheConfig::new();
            cache.with_directory(&directory);
            let cache = Cache::new(cache).map_err(|e| LoadError::Cache {
                directory,
                reason: format!("{e:#}"),
            })?;
            config.cache(Some(cache));
        }
        let engine = Engine::new(&config).map_err(|e| LoadError::Engine(format!("{e:#}")))?;
        let linker = imports::linker(&engine).map_err(|e| LoadError::Engine(format!("{e:#}")))?;
        let ticker = Ticker::start(engine.clone());
        Ok(PluginEngine {
            engine,
            linker: Arc::new(linker),
            _ticker: Arc::new(ticker),
        })
    }

    /// Where compiled code and schemas are kept by default: `$WEIR_CACHE_DIR`, else `weir` in the
    /// user's cache directory; `None` when there is no such directory.
    #[must_use]
    pub fn default_cache_directory(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
        let set = |name| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        set("WEIR_CACHE_DIR")
            .or_else(|| set("XDG_CACHE_HOME").map(|d| d.join("weir")))
            .or_else(|| set("HOME").map(|d| d.join(".cache/weir")))
            .filter(|d| d.is_absolute())
    }
}

impl std::fmt::Debug for PluginEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginEngine").finish_non_exhaustive()
    }
}

/// The thread that moves the engine's epoch on, so that deadlines pass.
struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    fn start(engine: Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("weir-epoch".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(EPOCH_TICK);
                    engine.increment_epoch();
                }
            })
            .expect("the system can start a thread");
        Ticker { stop }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
