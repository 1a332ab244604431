//! Schemas from a Confluent-compatible schema registry.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cache::{Asked, Cache};
use super::disk::DiskCache;
use super::fetch::{self, Fetch};
use super::http::{Client, encode_segment};
use super::{
    Guid, NewSchema, Registered, Registration, Schema, SchemaError, SchemaKey, SchemaSource,
    SourceError,
};
use crate::config::{RegistryConfig, Retries};

/// How many schemas are fetched at a time.
const SIDE_BY_SIDE: usize = 8;

/// A schema registry, asked over HTTP.
///
/// What it has answered once is kept: an id for ever, a subject's latest version for
/// `latest.cache.ttl.sec`, an absence for 10 seconds. A request that fails is made again
/// some times (`max.retries`); then the registry is left in peace, for 200 ms at first and
/// 5 s at most, and meanwhile ids are what they were when they were last fetched and kept
/// on disk.
pub struct RegistrySource {
    client: Client,
    /// Not held during a request.
    cache: Mutex<Cache>,
    disk: Option<DiskCache>,
    retries: Retries,
    auto_register: bool,
}

impl RegistrySource {
    /// Reads certificates and keys, and makes ready to ask; nothing is sent yet. Schemas
    /// are kept in files below `cache`, where there is one.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub fn open(config: &RegistryConfig, cache: Option<&Path>) -> Result<Self, SourceError> {
        let disk = cache
            .filter(|_| config.cache_persist)
            .map(|folder| DiskCache::new(folder, &config.identity()));
        Ok(Self {
            client: Client::open(config)?,
            cache: Mutex::new(Cache::new(config.latest_ttl)),
            disk,
            retries: config.retries,
            auto_register: config.auto_register,
        })
    }

    fn ask(&self, asked: Asked) -> Result<Registered, SchemaError> {
        let started = Instant::now();
        let known = self.cache().get(&asked, started);
        let answer = match (known, &asked) {
            (Some(answer), _) => answer,
            (None, Asked::Guid(_)) => match self.kept_on_disk(&asked) {
                Some(kept) => Ok(kept),
                None => self.fetch(&asked),
            },
            (None, _) => self.fetch(&asked),
        };
        let answer = match answer {
            Err(SchemaError::Unavailable(why)) => match self.kept_on_disk(&asked) {
                Some(kept) => {
                    tracing::warn!("{why}: {asked} is taken as it was when last fetched");
                    Ok(kept)
                }
                None => Err(SchemaError::Unavailable(why)),
            },
            answer => answer,
        };
        answer.map(Arc::unwrap_or_clone)
    }

    /// What is kept on disk. A GUID means the same schema everywhere and for ever; an id does
    /// so in one registry, and the one at an address may have been set up anew. So ids come
    /// from there only while the registry cannot be asked.
    fn kept_on_disk(&self, asked: &Asked) -> Option<Arc<Registered>> {
        let kept = Arc::new(self.disk.as_ref()?.read(asked)?);
        self.cache()
            .keep(asked.clone(), Arc::clone(&kept), Instant::now());
        Some(kept)
    }

    fn fetch(&self, asked: &Asked) -> Result<Arc<Registered>, SchemaError> {
        let path = match asked {
            Asked::Id(id) => format!("/schemas/ids/{id}"),
            Asked::Guid(guid) => format!("/schemas/guids/{guid}"),
            Asked::Latest(subject) => {
                format!("/subjects/{}/versions/latest", encode_segment(subject))
            }
            Asked::Version(subject, version) => {
                format!("/subjects/{}/versions/{version}", encode_segment(subject))
            }
        };
        let answer = self.request(|started| Fetch::new(&self.client, started).schema(&path));
        let answer = answer.map(Arc::new);
        let now = Instant::now();
        let mut cache = self.cache();
        match &answer {
            Ok(registered) => {
                let mut names = vec![asked.clone()];
                names.extend(registered.id.map(Asked::Id));
                names.extend(registered.guid.map(Asked::Guid));
                for name in names {
                    cache.keep(name, Arc::clone(registered), now);
                }
            }
            Err(SchemaError::NotFound(message)) => cache.keep_absent(asked.clone(), message, now),
            Err(_) => {}
        }
        drop(cache);
        if let (Some(disk), Ok(registered)) = (&self.disk, &answer) {
            disk.write(asked, registered);
        }
        answer
    }

    /// Makes a request, and again while that can help.
    fn request<T>(
        &self,
        request: impl Fn(Instant) -> Result<T, SchemaError>,
    ) -> Result<T, SchemaError> {
        let mut attempt = 0;
        loop {
            let started = Instant::now();
            let answer = request(started);
            let mut cache = self.cache();
            // When it was down before, to wait is already what callers do.
            let again = attempt < self.retries.max && !cache.is_failing();
            match &answer {
                Err(SchemaError::Unavailable(_)) if again => {}
                _ => {
                    cache.note(&answer, started, Instant::now());
                    return answer;
                }
            }
            drop(cache);
            std::thread::sleep(self.retries.delay(attempt, random()));
            attempt += 1;
        }
    }

    /// A request whose answer is not kept.
    fn request_anew<T>(
        &self,
        request: impl Fn(Instant) -> Result<T, SchemaError>,
    ) -> Result<T, SchemaError> {
        if let Some(refusal) = self.cache().refusal(Instant::now()) {
            return Err(refusal);
        }
        self.request(request)
    }

    /// A thread that panicked has left the cache whole: every change to it is one call.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SchemaSource for RegistrySource {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        self.ask(Asked::Id(id)).map(|found| found.schema)
    }

    fn by_guid(&self, guid: Guid) -> Result<Schema, SchemaError> {
        self.ask(Asked::Guid(guid)).map(|found| found.schema)
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        self.ask(Asked::Latest(subject.to_owned()))
    }

    fn version(&self, subject: &str, version: u32) -> Result<Registered, SchemaError> {
        self.ask(Asked::Version(subject.to_owned(), version))
    }

    fn look_up(&self, subject: &str, schema: &NewSchema) -> Result<Registered, SchemaError> {
        self.request_anew(|started| Fetch::new(&self.client, started).look_up(subject, schema))
    }

    fn register(&self, subject: &str, schema: &NewSchema) -> Result<Registration, SchemaError> {
        if !self.auto_register {
            return Err(SchemaError::Refused(format!(
                "a plug-in wants to register a schema for `{subject}`, and the pipeline file does \
                 not allow it: register it yourself, or set \
                 `schema.registry.auto.register.schemas: true`"
            )));
        }
        self.request_anew(|started| fetch::register(&self.client, subject, schema, started))
    }

    fn renew(&self, config: &RegistryConfig) -> Result<(), String> {
        self.client.renew(config)
    }

    fn prefetch(&self, keys: &[SchemaKey]) {
        let now = Instant::now();
        let cache = self.cache();
        let mut unknown: Vec<Asked> = keys.iter().map(|key| Asked::from(*key)).collect();
        unknown.retain(|asked| cache.get(asked, now).is_none());
        drop(cache);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(asked) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Whoever needs it gets the same answer, from the cache or from the circuit.
                let _ = self.ask(asked.clone());
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..unknown.len().min(SIDE_BY_SIDE) {
                let thread = std::thread::Builder::new().name("weir-schemas".to_owned());
                // Without a thread, those that are there do all.
                let _ = thread.spawn_scoped(scope, work);
            }
            work();
        });
    }
}

/// From 0 to 1, drawn anew each time.
fn random() -> f64 {
    let drawn = RandomState::new().build_hasher().finish() >> 32;
    u32::try_from(drawn).map_or(0.5, f64::from) / f64::from(u32::MAX)
}

impl Retries {
    /// How long to wait after the attempt with this number, from 0: "full jitter", as
    /// Confluent's clients do. `random` is from 0 to 1.
    fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self.wait.saturating_mul(1_u32 << attempt.min(20));
        doubled.min(self.max_wait).mul_f64(random)
    }
}

#[cfg(test)]
#[path = "registry_tests/mod.rs"]
mod tests;
