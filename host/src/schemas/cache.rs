//! What a registry has answered, and for how long that holds. It has no clock: `now`
//! is passed in.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Guid, Registered, Schema, SchemaError, SchemaKey};

/// The most schemas that are kept; the oldest go first.
const MAX_SCHEMAS: usize = 10_000;
/// The most bytes of schemas that are kept.
const MAX_BYTES: usize = 256 << 20;
/// The most absences that are kept.
const MAX_MISSING: usize = 10_000;
/// A schema may be registered a moment after its first record was seen.
const MISSING_TTL: Duration = Duration::from_secs(10);
/// After the first failure.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// After many.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// What a plug-in asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// The schema with an id.
    Id(u32),
    /// The schema with a globally unique id.
    Guid(Guid),
    /// A subject's latest version.
    Latest(String),
    /// A version of a subject.
    Version(String, u32),
}

impl From<SchemaKey> for Asked {
    fn from(key: SchemaKey) -> Self {
        match key {
            SchemaKey::Id(id) => Asked::Id(id),
            SchemaKey::Guid(guid) => Asked::Guid(guid),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Id(id) => write!(f, "schema {id}"),
            Asked::Guid(guid) => write!(f, "schema {guid}"),
            Asked::Latest(subject) => write!(f, "the latest version of `{subject}`"),
            Asked::Version(subject, version) => write!(f, "version {version} of `{subject}`"),
        }
    }
}

/// Answers that still hold.
pub(super) struct Cache {
    /// An id, a GUID and a version mean the same schema for ever; a subject's latest
    /// version does not.
    latest_ttl: Duration,
    schemas: Bounded<(Arc<Registered>, Option<Instant>)>,
    missing: Bounded<(String, Instant)>,
    circuit: Circuit,
}

impl Cache {
    pub(super) fn new(latest_ttl: Duration) -> Self {
        Self {
            latest_ttl,
            schemas: Bounded::default(),
            missing: Bounded::default(),
            circuit: Circuit::default(),
        }
    }

    /// An answer that still holds. `None` means: ask the registry.
    pub(super) fn get(
        &self,
        asked: &Asked,
        now: Instant,
    ) -> Option<Result<Arc<Registered>, SchemaError>> {
        if let Some((schema, until)) = self.schemas.get(asked)
            && until.is_none_or(|until| now < until)
        {
            return Some(Ok(Arc::clone(schema)));
        }
        if let Some((message, until)) = self.missing.get(asked)
            && now < *until
        {
            return Some(Err(SchemaError::NotFound(message.clone())));
        }
        self.refusal(now).map(Err)
    }

    /// Why the registry is not asked for now.
    pub(super) fn refusal(&self, now: Instant) -> Option<SchemaError> {
        self.circuit.refusal(now)
    }

    /// Whether the last request failed.
    pub(super) fn is_failing(&self) -> bool {
        self.circuit.open.is_some()
    }

    /// Takes notice of how a request went. `started` is when it was made.
    pub(super) fn note<T>(
        &mut self,
        answer: &Result<T, SchemaError>,
        started: Instant,
        now: Instant,
    ) {
        match answer {
            Err(SchemaError::Unavailable(message)) => self.circuit.fail(message, started, now),
            _ => self.circuit.succeed(),
        }
    }

    /// Keeps a schema.
    pub(super) fn keep(&mut self, asked: Asked, schema: Arc<Registered>, now: Instant) {
        let until = match asked {
            Asked::Id(_) | Asked::Guid(_) | Asked::Version(..) => None,
            Asked::Latest(_) => Some(now + self.latest_ttl),
        };
        self.missing.remove(&asked);
        let bytes = size(&schema.schema);
        let kept = (schema, until);
        self.schemas
            .insert(asked, kept, bytes, MAX_SCHEMAS, MAX_BYTES);
    }

    /// Keeps that there is none.
    pub(super) fn keep_absent(&mut self, asked: Asked, message: &str, now: Instant) {
        let kept = (message.to_owned(), now + MISSING_TTL);
        self.missing
            .insert(asked, kept, message.len(), MAX_MISSING, MAX_BYTES);
    }
}

fn size(schema: &Schema) -> usize {
    let references = schema.references.iter();
    let named: usize = references
        .map(|named| named.name.len() + named.text.len())
        .sum();
    schema.text.len() + named
}

/// Keeps callers away from a registry that is down, for a little longer each time.
#[derive(Default)]
struct Circuit {
    open: Option<Open>,
}

struct Open {
    message: String,
    delay: Duration,
    next_attempt_at: Instant,
}

impl Circuit {
    fn refusal(&self, now: Instant) -> Option<SchemaError> {
        let open = self
            .open
            .as_ref()
            .filter(|open| now < open.next_attempt_at)?;
        let left = open.next_attempt_at - now;
        Some(SchemaError::Unavailable(format!(
            "{} (next attempt in {} ms)",
            open.message,
            left.as_millis().max(1)
        )))
    }

    /// Attempts that ran side by side count as one failure: an attempt that started
    /// before the last failure was known doubles nothing.
    fn fail(&mut self, message: &str, started: Instant, now: Instant) {
        let delay = match &self.open {
            None => FIRST_DELAY,
            Some(open) if started < open.next_attempt_at => return,
            Some(open) => (open.delay * 2).min(MAX_DELAY),
        };
        self.open = Some(Open {
            message: message.to_owned(),
            delay,
            next_attempt_at: now + delay,
        });
    }

    fn succeed(&mut self) {
        self.open = None;
    }
}

/// A map that drops its oldest entries to stay within its bounds.
struct Bounded<V> {
    entries: HashMap<Asked, (V, usize)>,
    order: VecDeque<Asked>,
    bytes: usize,
}

impl<V> Default for Bounded<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<V> Bounded<V> {
    fn get(&self, asked: &Asked) -> Option<&V> {
        self.entries.get(asked).map(|(value, _)| value)
    }

    fn insert(&mut self, asked: Asked, value: V, bytes: usize, most: usize, most_bytes: usize) {
        self.remove(&asked);
        self.bytes += bytes;
        self.order.push_back(asked.clone());
        self.entries.insert(asked, (value, bytes));
        while self.entries.len() > most || self.bytes > most_bytes && self.entries.len() > 1 {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.forget(&oldest);
        }
    }

    fn remove(&mut self, asked: &Asked) {
        if self.entries.contains_key(asked) {
            self.forget(asked);
            self.order.retain(|other| other != asked);
        }
    }

    fn forget(&mut self, asked: &Asked) {
        if let Some((_, bytes)) = self.entries.remove(asked) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {

    use super::super::SchemaType;
    use super::*;

    type Answer = Result<Arc<Registered>, SchemaError>;

    fn schema(text: &str) -> Answer {
        Ok(Arc::new(Registered {
            id: None,
            guid: None,
            version: None,
            schema: Schema {
                schema_type: SchemaType::Avro,
                text: text.to_owned(),
                references: Vec::new(),
            },
        }))
    }

    impl Cache {
        /// As for one request and its answer.
        fn put(&mut self, asked: Asked, answer: &Answer, started: Instant, now: Instant) {
            self.note(answer, started, now);
            match answer {
                Ok(schema) => self.keep(asked, Arc::clone(schema), now),
                Err(SchemaError::NotFound(message)) => self.keep_absent(asked, message, now),
                Err(_) => {}
            }
        }
    }

    fn cache() -> Cache {
        Cache::new(Duration::from_secs(300))
    }

    fn down() -> Answer {
        Err(SchemaError::Unavailable("down".to_owned()))
    }

    fn missing() -> Answer {
        Err(SchemaError::NotFound("no schema 1".to_owned()))
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn an_id_holds_for_ever_and_latest_for_its_time() {
        let (mut cache, t0) = (cache(), Instant::now());
        let latest = Asked::Latest("orders-value".to_owned());
        cache.put(Asked::Id(1), &schema("a"), t0, t0);
        cache.put(latest.clone(), &schema("b"), t0, t0);
        let later = t0 + ms(299_999);
        assert_eq!(cache.get(&latest, later), Some(schema("b")));
        let later = t0 + ms(300_000);
        assert_eq!(cache.get(&latest, later), None);
        assert_eq!(cache.get(&Asked::Id(1), later), Some(schema("a")));
        assert_eq!(cache.get(&Asked::Id(2), later), None);
    }

    #[test]
    fn an_absence_holds_for_ten_seconds() {
        let (mut cache, t0) = (cache(), Instant::now());
        cache.put(Asked::Id(1), &missing(), t0, t0);
        assert_eq!(cache.get(&Asked::Id(1), t0 + ms(9_999)), Some(missing()));
        assert_eq!(cache.get(&Asked::Id(1), t0 + ms(10_000)), None);
        cache.put(Asked::Id(1), &schema("a"), t0, t0);
        assert_eq!(cache.get(&Asked::Id(1), t0), Some(schema("a")));
    }

    #[test]
    fn the_oldest_make_room() {
        let (mut cache, t0) = (cache(), Instant::now());
        for id in 0..10_001 {
            cache.put(Asked::Id(id), &schema("a"), t0, t0);
            cache.put(Asked::Id(1_000_000 + id), &missing(), t0, t0);
        }
        assert_eq!(cache.get(&Asked::Id(0), t0), None);
        assert_eq!(cache.get(&Asked::Id(1), t0), Some(schema("a")));
        assert_eq!(cache.get(&Asked::Id(1_000_000), t0), None);
        assert_eq!(cache.schemas.order.len(), 10_000);
        assert_eq!(cache.missing.order.len(), 10_000);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut store = Bounded::default();
        for id in 0..10 {
            store.insert(Asked::Id(id), (), 40, 100, 100);
        }
        assert_eq!(store.bytes, 80);
        assert!(store.get(&Asked::Id(9)).is_some() && store.get(&Asked::Id(7)).is_none());
        store.insert(Asked::Id(9), (), 1_000, 100, 100);
        assert_eq!((store.bytes, store.entries.len()), (1_000, 1));
    }

    #[test]
    fn failures_keep_callers_away_for_longer_and_longer() {
        let (mut cache, t0) = (cache(), Instant::now());
        let mut now = t0;
        for delay in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            cache.put(Asked::Id(1), &down(), now, now);
            let refusal = cache.get(&Asked::Id(2), now).unwrap().unwrap_err();
            let expected = format!("down (next attempt in {delay} ms)");
            assert_eq!(refusal, SchemaError::Unavailable(expected));
            now += ms(delay);
            assert_eq!(cache.get(&Asked::Id(2), now), None);
        }
        cache.put(Asked::Id(1), &schema("a"), now, now);
        cache.put(Asked::Id(2), &down(), now, now);
        assert_eq!(
            cache.get(&Asked::Id(2), now + ms(200)),
            None,
            "200 ms again after a success"
        );
        assert_eq!(
            cache.get(&Asked::Id(1), now),
            Some(schema("a")),
            "what is known is served"
        );
    }

    #[test]
    fn failures_side_by_side_count_once() {
        let (mut cache, t0) = (cache(), Instant::now());
        for _ in 0..5 {
            cache.put(Asked::Id(1), &down(), t0, t0 + ms(50));
        }
        assert!(cache.get(&Asked::Id(1), t0 + ms(249)).is_some());
        assert_eq!(cache.get(&Asked::Id(1), t0 + ms(250)), None);
    }
}
