//! Serializers: rows in, payloads and faults out, whatever the plug-in does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use wasmtime::Store;
use wasmtime::component::{Func, ResourceAny};

use super::bindings::serializer::SerializerPlugin;
use super::bindings::serializer::exports::weir::connector::serializer as wit;
use super::bindings::types::{BatchError, Config};
use super::component::PluginKind;
use super::engine::Limits;
use super::imports::HostState;
use super::instance::{CallError, Instance, OpenError};
use super::lend::{self, LentArray, OwnedField};
use super::load::Plugin;
use super::opened::{Answer, BatchStop, Kind, Opened, Work};
use super::origin::Failed;
use super::{MessageError, Part, PluginMetrics, payloads};
use crate::batch::{MessageBatch, TopicPartition};
use crate::rows::EncodedPart;
use crate::schemas::SchemaSource;

/// Targets that an instance may have before it is replaced.
const TARGETS_MAX: u32 = 10_000;

/// An opened serializer. It belongs to one thread.
pub struct Serializer {
    opened: Opened<Encoding>,
    targets: Targets,
}

/// What became of rows.
#[derive(Debug)]
pub struct Serialized {
    /// The payloads: one part for all rows, or several when a row broke the plug-in. Those of rows
    /// that are among the errors mean nothing.
    pub parts: Vec<EncodedPart>,
    /// The rows that could not be encoded, in ascending order, and why.
    pub errors: Vec<RowError>,
    /// Time spent in the plug-in and in checking its answers.
    pub plugin_time: Duration,
}

/// A row without a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Which, counted from 0.
    pub row: usize,
    /// Kafka offset of its message, and what is wrong.
    pub error: MessageError,
}

impl Serializer {
    /// Opens a serializer for keys or for values, and so checks its options.
    ///
    /// `options` is a JSON object.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        plugin: &Plugin,
        part: Part,
        options: &serde_json::Value,
        schemas: Arc<dyn SchemaSource>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            opened: Opened::new(plugin, part, options, schemas, limits)?,
            targets: Targets::default(),
        })
    }

    /// The plug-in's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.opened.name()
    }

    /// The figures that the plug-in keeps.
    #[must_use]
    pub fn metrics(&self) -> PluginMetrics {
        self.opened.metrics()
    }

    /// Encodes rows for messages to a topic; `offsets` has the Kafka offset of the message that each
    /// came from, and `source` is where from.
    ///
    /// # Errors
    /// See [`BatchStop`].
    pub fn encode(
        &mut self,
        topic: &Arc<str>,
        rows: &RecordBatch,
        source: &TopicPartition,
        offsets: &Arc<Vec<i64>>,
    ) -> Result<Serialized, BatchStop> {
        let outcome = self.opened.run(&Encodable {
            target: self.targets.target(topic, &rows.schema())?,
            rows: rows.clone(),
            start: 0,
            source: source.clone(),
            offsets: Arc::clone(offsets),
        })?;
        Ok(Serialized {
            parts: outcome.outputs,
            errors: outcome.errors,
            plugin_time: outcome.plugin_time,
        })
    }
}

/// A topic and the columns of rows for it.
#[derive(Debug)]
struct Target {
    number: u32,
    topic: Arc<str>,
    schema: SchemaRef,
    fields: Vec<OwnedField>,
}

/// The targets that have a number.
#[derive(Default)]
struct Targets {
    by_topic: HashMap<Arc<str>, Vec<Arc<Target>>>,
    count: u32,
}

impl Targets {
    fn target(&mut self, topic: &Arc<str>, schema: &SchemaRef) -> Result<Arc<Target>, BatchStop> {
        let known = self.by_topic.get(topic).into_iter().flatten();
        // Nearly always the same schema in the same place; else one that is alike.
        let same = known
            .clone()
            .find(|target| Arc::ptr_eq(&target.schema, schema));
        let alike = || known.clone().find(|target| target.schema == *schema);
        if let Some(target) = same.or_else(alike) {
            return Ok(Arc::clone(target));
        }
        let fields = lend::schema(schema)
            .map_err(|why| BatchStop::Failed(format!("rows for topic `{topic}`: {why}")))?;
        let target = Arc::new(Target {
            number: self.count,
            topic: Arc::clone(topic),
            schema: Arc::clone(schema),
            fields,
        });
        self.count += 1;
        if self.count.is_multiple_of(TARGETS_MAX) {
            self.by_topic.clear();
        }
        let targets = self.by_topic.entry(Arc::clone(topic)).or_default();
        targets.push(Arc::clone(&target));
        Ok(target)
    }
}

/// Rows, or a part of them.
#[derive(Clone)]
struct Encodable {
    target: Arc<Target>,
    rows: RecordBatch,
    /// Which row of all is the first one here.
    start: usize,
    source: TopicPartition,
    /// Of all rows.
    offsets: Arc<Vec<i64>>,
}

impl Encodable {
    fn error_of(&self, row: usize, reason: String) -> RowError {
        let row = self.start + row;
        let offset = self.offsets[row];
        RowError {
            row,
            error: MessageError { offset, reason },
        }
    }
}

impl Work for Encodable {
    type Error = RowError;

    fn len(&self) -> usize {
        self.rows.num_rows()
    }

    fn source(&self) -> &TopicPartition {
        &self.source
    }

    fn first_offset(&self) -> i64 {
        self.offsets[self.start]
    }

    fn halves(&self) -> [Self; 2] {
        let (middle, len) = (self.len() / 2, self.len());
        [(0, middle), (middle, len - middle)].map(|(start, len)| Self {
            rows: self.rows.slice(start, len),
            start: self.start + start,
            ..self.clone()
        })
    }

    fn error(&self, reason: String) -> RowError {
        self.error_of(0, reason)
    }

    fn messages(&self) -> Option<&MessageBatch> {
        None
    }
}

struct Encoding;

/// What `encoder.prepare` and `encoder.encode` take and answer.
type Prepare<'a> = (ResourceAny, u32, lend::Target<'a>);
type Told = (Result<(), BatchError>,);
type Encode<'a> = (ResourceAny, u32, u32, &'a [LentArray<'a>]);
type Answered = (Result<wit::Encoded, BatchError>,);

struct Guest {
    encoder: ResourceAny,
    prepare: Func,
    encode: Func,
    /// The numbers that it was told.
    prepared: HashSet<u32>,
}

impl Kind for Encoding {
    const KIND: PluginKind = PluginKind::Serializer;
    type Guest = Guest;
    type Input = Encodable;
    type Output = EncodedPart;

    fn open(
        plugin: &Plugin,
        store: &mut Store<HostState>,
        part: Part,
        config: &Config,
    ) -> wasmtime::Result<Result<Guest, String>> {
        let instance = plugin.pre.instantiate(&mut *store)?;
        let plugin = SerializerPlugin::new(&mut *store, &instance)?;
        let part = match part {
            Part::Key => wit::Part::Key,
            Part::Value => wit::Part::Value,
        };
        let encoder = plugin.weir_connector_serializer().encoder();
        let opened = encoder.call_open(&mut *store, part, config)?;
        let mut method = |name: &str| {
            let interface = instance.get_export_index(&mut *store, None, Self::KIND.export());
            let found = interface
                .and_then(|at| instance.get_export_index(&mut *store, Some(&at), name))
                .and_then(|at| instance.get_func(&mut *store, at));
            found.ok_or_else(|| wasmtime::format_err!("the export {name} is missing"))
        };
        let (prepare, encode) = (
            method("[method]encoder.prepare")?,
            method("[method]encoder.encode")?,
        );
        Ok(opened.map(|encoder| Guest {
            encoder,
            prepare,
            encode,
            prepared: HashSet::new(),
        }))
    }

    fn call(
        instance: &mut Instance<Guest>,
        batch: &Encodable,
        timeout: Duration,
    ) -> Result<Result<Answer<EncodedPart, RowError>, BatchError>, CallError> {
        let number = batch.target.number;
        if !instance.guest.prepared.contains(&number) {
            if let Err(error) = prepare(instance, &batch.target) {
                return Ok(Err(error));
            }
            instance.guest.prepared.insert(number);
        }
        let arrays = match lend::arrays(&batch.rows) {
            Ok(arrays) => arrays,
            Err(error) => return Ok(Err(BatchError::Failed(error.to_string()))),
        };
        let len = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let answer = instance.call(None, timeout, |store, guest| {
            lend::with_arrays(&arrays, |arrays| {
                let encode = guest.encode.typed::<Encode<'_>, Answered>(&*store)?;
                let (answer,) = encode.call(store, (guest.encoder, number, len, arrays))?;
                Ok(answer)
            })
        })?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let (output, errors) = believe(batch, answer).map_err(CallError::Contract)?;
        Ok(Ok(Answer {
            output,
            errors,
            reusable: instance.guest.prepared.len() < TARGETS_MAX as usize,
        }))
    }
}

/// Tells what a number stands for. What goes wrong with that is no row's fault: the whole time of
/// a call is for it, and to break stops the pipeline.
fn prepare(instance: &mut Instance<Guest>, target: &Target) -> Result<(), BatchError> {
    let timeout = instance.whole_timeout();
    let told = instance.call(None, timeout, |store, guest| {
        lend::with_fields(&target.fields, |fields| {
            let told = lend::Target {
                topic: &target.topic,
                schema: fields,
            };
            let prepare = guest.prepare.typed::<Prepare<'_>, Told>(&*store)?;
            let (answer,) = prepare.call(store, (guest.encoder, target.number, told))?;
            Ok(answer)
        })
    });
    told.unwrap_or_else(|error| {
        Err(BatchError::Failed(format!(
            "learning of the columns for topic `{}`: {error}",
            target.topic
        )))
    })
}

/// Checks an answer against the rows it is for.
fn believe(
    batch: &Encodable,
    answer: wit::Encoded,
) -> Result<(EncodedPart, Vec<RowError>), String> {
    let rows = batch.len();
    let failed = Failed::check(answer.errors, rows)?;
    let payloads = payloads::nullable(answer.payloads, answer.validity, rows)
        .map_err(|why| format!("payloads: {why}"))?;
    let headers = answer
        .headers
        .map(|headers| payloads::headers(headers, rows));
    let part = EncodedPart {
        start: batch.start,
        payloads,
        headers: headers
            .transpose()
            .map_err(|why| format!("headers: {why}"))?,
    };
    let errors = failed.into_reasons();
    let errors = errors.map(|(row, reason)| batch.error_of(row, reason));
    Ok((part, errors.collect()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::super::bindings::{messages, rows, types};
    use super::*;

    fn work() -> Encodable {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let rows = RecordBatch::try_from_iter([("n", values)]).unwrap();
        let target = Targets::default().target(&"t".into(), &rows.schema());
        Encodable {
            target: target.unwrap(),
            rows,
            start: 0,
            source: TopicPartition {
                topic: "s".into(),
                partition: 0,
            },
            offsets: Arc::new(vec![7, 7, 9]),
        }
    }

    fn column(offsets: &[u32], bytes: &[u8]) -> types::BinaryColumn {
        types::BinaryColumn {
            offsets: offsets.to_vec(),
            bytes: bytes.to_vec(),
        }
    }

    fn answer() -> wit::Encoded {
        wit::Encoded {
            payloads: column(&[0, 1, 1, 3], b"abc"),
            validity: None,
            headers: None,
            errors: Vec::new(),
        }
    }

    fn reported(row: u32) -> rows::MessageError {
        let reason = "no".to_owned();
        rows::MessageError { row, reason }
    }

    #[test]
    fn errors_have_the_row_and_the_offset_of_its_message() {
        let [_, second] = work().halves();
        let answer = wit::Encoded {
            payloads: column(&[0, 0, 1], b"c"),
            validity: Some(vec![0b10]),
            errors: vec![reported(1)],
            ..answer()
        };
        let (part, errors) = believe(&second, answer).unwrap();
        assert_eq!(part.start, 1);
        assert_eq!(part.payloads.get(0), None);
        assert_eq!(errors[0].row, 2);
        assert_eq!(errors[0].error.offset, 9);
    }

    #[test]
    fn what_does_not_hold_together_is_not_believed() {
        let headers = |row_offsets: &[u32]| messages::Headers {
            row_offsets: row_offsets.to_vec(),
            names: column(&[0, 1], b"a"),
            values: column(&[0, 1], b"b"),
            value_validity: None,
        };
        let wrong = [
            wit::Encoded {
                payloads: column(&[0, 1, 3], b"abc"),
                ..answer()
            },
            wit::Encoded {
                payloads: column(&[0, 1, 1, 4], b"abc"),
                ..answer()
            },
            wit::Encoded {
                payloads: column(&[0, 2, 1, 3], b"abc"),
                ..answer()
            },
            wit::Encoded {
                validity: Some(Vec::new()),
                ..answer()
            },
            wit::Encoded {
                errors: vec![reported(3)],
                ..answer()
            },
            wit::Encoded {
                errors: vec![reported(1), reported(1)],
                ..answer()
            },
            wit::Encoded {
                headers: Some(headers(&[0, 1, 1])),
                ..answer()
            },
            wit::Encoded {
                headers: Some(headers(&[0, 1, 1, 2])),
                ..answer()
            },
        ];
        for answer in wrong {
            let shown = format!("{answer:?}");
            assert!(believe(&work(), answer).is_err(), "{shown}");
        }
        let good = wit::Encoded {
            headers: Some(headers(&[0, 0, 1, 1])),
            ..answer()
        };
        let (part, errors) = believe(&work(), good).unwrap();
        assert_eq!(part.payloads.get(2), Some(&b"bc"[..]));
        assert!(errors.is_empty());
    }

    #[test]
    fn targets_are_numbered_once() {
        let (mut targets, rows) = (Targets::default(), work().rows);
        let mut number = |topic: &str, rows: &RecordBatch| {
            let target = targets.target(&topic.into(), &rows.schema());
            target.unwrap().number
        };
        assert_eq!(number("a", &rows), 0);
        assert_eq!(number("b", &rows), 1);
        assert_eq!(number("a", &work().rows), 0, "the schema is alike");
        let other = rows.project(&[]).unwrap();
        assert_eq!(number("a", &other), 2);
        assert_eq!(number("a", &rows), 0);
    }
}
