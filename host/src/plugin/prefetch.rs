//! Schemas that a batch needs are fetched before the plug-in is called: side by side, and
//! not one after the other while the plug-in waits.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Part;
use crate::batch::{Headers, KEY_SCHEMA_HEADER, MessageBatch, NullableColumn, VALUE_SCHEMA_HEADER};
use crate::schemas::{Guid, SchemaKey, SchemaSource};

/// The most schemas that are fetched ahead for one batch: a plug-in whose messages only look
/// framed must not flood a registry.
const KEYS_MAX: usize = 256;
/// Ids whose place is looked at first; a power of two.
const RECENT: usize = 64;

/// What a plug-in has asked for so far. Shared by its instances.
#[derive(Clone, Debug)]
pub(super) struct Prefetch {
    part: Part,
    asked: Arc<Asked>,
}

/// Only what a plug-in asks for is looked for in its messages: others mean something else by
/// a zero byte.
#[derive(Debug, Default)]
struct Asked {
    by_id: AtomicBool,
    by_guid: AtomicBool,
}

impl Prefetch {
    /// For a plug-in that reads this part of messages.
    pub(super) fn new(part: Part) -> Self {
        Self {
            part,
            asked: Arc::default(),
        }
    }

    /// Fetches what the batch needs, if the plug-in reads such framing. The source is asked
    /// only for what it does not know.
    pub(super) fn before(&self, batch: &MessageBatch, source: &dyn SchemaSource) {
        let by_id = self.asked.by_id.load(Ordering::Relaxed);
        let by_guid = self.asked.by_guid.load(Ordering::Relaxed);
        if !by_id && !by_guid {
            return;
        }
        let mut keys = Vec::new();
        if by_guid && let Some(headers) = &batch.headers {
            let name = match self.part {
                Part::Key => KEY_SCHEMA_HEADER,
                Part::Value => VALUE_SCHEMA_HEADER,
            };
            guids(headers, name, batch.len(), &mut keys);
        }
        if by_id {
            let payloads = match self.part {
                Part::Key => &batch.keys,
                Part::Value => &batch.values,
            };
            ids(payloads, &mut keys);
        }
        if !keys.is_empty() {
            source.prefetch(&keys);
        }
    }

    /// Takes note that the plug-in asks for a schema in this way. The first time, what else
    /// the batch under way needs is fetched along.
    pub(super) fn asked(
        &self,
        key: SchemaKey,
        batch: Option<&MessageBatch>,
        source: &dyn SchemaSource,
    ) {
        let before = match key {
            SchemaKey::Id(_) => &self.asked.by_id,
            SchemaKey::Guid(_) => &self.asked.by_guid,
        };
        if !before.swap(true, Ordering::Relaxed)
            && let Some(batch) = batch
        {
            self.before(batch, source);
        }
    }
}

/// The distinct ids of messages that begin as in wire format v0.
fn ids(payloads: &NullableColumn, keys: &mut Vec<SchemaKey>) {
    let bytes = &payloads.column.bytes[..];
    // Nearly all messages begin as the one before, most others as one a few before.
    let mut last = None;
    let mut recent = [None; RECENT];
    let mut seen = HashSet::new();
    for ends in payloads.column.offsets.array_windows() {
        let [start, end] = ends.map(|end| end as usize);
        let prefix = bytes.get(start..end).and_then(<[u8]>::first_chunk::<5>);
        if prefix == last {
            continue;
        }
        last = prefix;
        let Some([0, id @ ..]) = prefix else {
            continue;
        };
        let id = u32::from_be_bytes(*id);
        let place = &mut recent[id as usize % RECENT];
        if *place == Some(id) {
            continue;
        }
        *place = Some(id);
        if seen.insert(id) {
            if keys.len() == KEYS_MAX {
                return;
            }
            keys.push(SchemaKey::Id(id));
        }
    }
}

/// The distinct GUIDs in the headers of this name, as in wire format v1.
fn guids(headers: &Headers, name: &[u8], rows: usize, keys: &mut Vec<SchemaKey>) {
    let mut last = None;
    for header in (0..rows).flat_map(|row| headers.of(row)) {
        if headers.names.get(header) != name {
            continue;
        }
        let value = headers.values.get(header).unwrap_or_default();
        let Some([1, guid @ ..]) = value.first_chunk::<17>() else {
            continue;
        };
        let key = SchemaKey::Guid(Guid(*guid));
        if last == Some(key) {
            continue;
        }
        last = Some(key);
        if !keys.contains(&key) {
            if keys.len() == KEYS_MAX {
                return;
            }
            keys.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::batch::{BatchBuilder, Capacity, TopicPartition};
    use crate::schemas::{Registered, Schema, SchemaError};

    #[derive(Default)]
    struct Source(Mutex<Vec<Vec<SchemaKey>>>);

    impl SchemaSource for Source {
        fn by_id(&self, _: u32) -> Result<Schema, SchemaError> {
            Err(SchemaError::Unavailable(String::new()))
        }

        fn latest(&self, _: &str) -> Result<Registered, SchemaError> {
            Err(SchemaError::Unavailable(String::new()))
        }

        fn prefetch(&self, keys: &[SchemaKey]) {
            self.0.lock().unwrap().push(keys.to_vec());
        }
    }

    fn batch(values: &[&[u8]], header: Option<&[u8]>) -> MessageBatch {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        for (offset, value) in (0..).zip(values) {
            assert!(batch.push(offset, -1, None, Some(value)));
            if let Some(header) = header {
                batch.push_header(b"trace", Some(header));
                batch.push_header(VALUE_SCHEMA_HEADER, Some(header));
            }
        }
        assert!(batch.push(99, -1, None, None));
        batch.finish()
    }

    #[test]
    fn nothing_is_fetched_for_a_plug_in_that_asks_for_nothing() {
        let source = Source::default();
        Prefetch::new(Part::Value).before(&batch(&[&[0, 0, 0, 0, 1, 9]], None), &source);
        assert!(source.0.lock().unwrap().is_empty());
    }

    #[test]
    fn each_id_of_a_batch_is_fetched_once() {
        let source = Source::default();
        let prefetch = Prefetch::new(Part::Value);
        let messages: &[&[u8]] = &[
            &[0, 0, 0, 0, 1, 9],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 17],
            &[0, 0, 0, 0, 1],
            &[1, 0, 0, 0, 2],
            &[0, 0, 0, 3],
            &[],
            &[0, 0, 0, 1, 0],
        ];
        let batch = batch(messages, Some(&[1; 17]));
        prefetch.asked(SchemaKey::Id(1), Some(&batch), &source);
        let ids = [1, 17, 256].map(SchemaKey::Id);
        assert_eq!(*source.0.lock().unwrap(), [ids.to_vec()]);
        // Within the same batch, what is needed is under way already.
        prefetch.asked(SchemaKey::Id(17), Some(&batch), &source);
        assert_eq!(source.0.lock().unwrap().len(), 1);
        prefetch.before(&batch, &source);
        assert_eq!(source.0.lock().unwrap()[1], ids);
    }

    #[test]
    fn guids_are_found_in_headers() {
        let source = Source::default();
        let prefetch = Prefetch::new(Part::Value);
        let mut header = [7; 20];
        header[0] = 1;
        let batch = batch(&[b"a", b"b"], Some(&header));
        prefetch.asked(SchemaKey::Guid(Guid([7; 16])), Some(&batch), &source);
        let expected = vec![SchemaKey::Guid(Guid([7; 16]))];
        assert_eq!(*source.0.lock().unwrap(), [expected]);
    }

    #[test]
    fn those_of_keys_are_found_in_keys_and_in_their_own_header() {
        let source = TopicPartition {
            topic: "t".into(),
            partition: 0,
        };
        let mut batch = BatchBuilder::new(source, Capacity::default());
        assert!(batch.push(0, -1, Some(&[0, 0, 0, 0, 7, 1]), Some(&[0, 0, 0, 0, 8, 1])));
        batch.push_header(VALUE_SCHEMA_HEADER, Some(&[1; 17]));
        batch.push_header(KEY_SCHEMA_HEADER, Some(&[1; 17]));
        let batch = batch.finish();
        let source = Source::default();
        let prefetch = Prefetch::new(Part::Key);
        prefetch.asked(SchemaKey::Id(7), Some(&batch), &source);
        prefetch.asked(SchemaKey::Guid(Guid([1; 16])), Some(&batch), &source);
        let guid = SchemaKey::Guid(Guid([1; 16]));
        let expected = [vec![SchemaKey::Id(7)], vec![guid, SchemaKey::Id(7)]];
        assert_eq!(*source.0.lock().unwrap(), expected);
    }

    #[test]
    fn a_batch_that_only_looks_framed_asks_for_so_many() {
        let messages: Vec<[u8; 5]> = (0..1_000_u32)
            .map(|id| {
                let [_, b, c, d] = id.to_be_bytes();
                [0, 0, b, c, d]
            })
            .collect();
        let messages: Vec<&[u8]> = messages.iter().map(<[u8; 5]>::as_slice).collect();
        let source = Source::default();
        Prefetch::new(Part::Value).asked(SchemaKey::Id(0), Some(&batch(&messages, None)), &source);
        assert_eq!(source.0.lock().unwrap()[0].len(), KEYS_MAX);
    }
}
