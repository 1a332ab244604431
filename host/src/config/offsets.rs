//! Offsets and partitions by topic, as a pipeline file names them.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::expected;
use super::error::Problem;
use super::key::Key;
use super::reader::{Given, Reader};
use super::source::Topics;
use super::yaml::{Node, Span, Value};

/// An offset for each of some partitions, by topic.
pub type PartitionOffsets = BTreeMap<String, BTreeMap<i32, i64>>;

/// The most partitions that one range may have.
const RANGE_MAX: i32 = 10_000;

/// Offsets as a map, `{ orders: { 0: 42 } }`, or as Flink writes them,
/// `topic:orders,partition:0,offset:42;…`. The topic may be left out where there is only one.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &'static Key,
    topics: &Topics,
) -> Option<PartitionOffsets> {
    let node = reader.entries.keys.get(key.name)?.node.clone();
    let mut offsets = Offsets {
        reader,
        key,
        topics,
        found: BTreeMap::new(),
    };
    match &node.value {
        Value::Map(entries) => {
            for (name, node) in entries {
                match &node.value {
                    Value::Map(partitions) => {
                        for (partition, node) in partitions {
                            let topic = Some((name.text.as_str(), name.span));
                            offsets.entry(topic, &partition.text, partition.span, node);
                        }
                    }
                    _ => offsets.entry(None, &name.text, name.span, node),
                }
            }
        }
        _ => offsets.flink(&node),
    }
    let found = offsets.found;
    (!found.is_empty()).then_some(found)
}

struct Offsets<'r, 'a> {
    reader: &'r mut Reader<'a>,
    key: &'static Key,
    topics: &'r Topics,
    found: PartitionOffsets,
}

impl Offsets<'_, '_> {
    fn entry(&mut self, topic: Option<(&str, Span)>, partition: &str, place: Span, node: &Node) {
        if let Some(offset) = self.reader.entry(self.key, node) {
            self.add(topic, partition, place, &offset);
        }
    }

    fn flink(&mut self, node: &Node) {
        let Some(given) = self.reader.scalar(self.key, node) else {
            return;
        };
        for part in given
            .value
            .split(';')
            .filter(|part| !part.trim().is_empty())
        {
            let mut fields = BTreeMap::new();
            for field in part.split(',') {
                if let Some((name, value)) = field.split_once(':') {
                    fields.insert(name.trim(), value.trim());
                }
            }
            let (Some(partition), Some(offset)) = (fields.get("partition"), fields.get("offset"))
            else {
                let message = format!("`{}` is not {}", given.shown, expected(self.key));
                self.reader.invalid(self.key, given.span, message);
                return;
            };
            let offset = Given {
                value: (*offset).to_owned(),
                ..given.clone()
            };
            let topic = fields.get("topic").map(|topic| (*topic, given.span));
            self.add(topic, partition, given.span, &offset);
        }
    }

    fn add(&mut self, topic: Option<(&str, Span)>, partition: &str, place: Span, offset: &Given) {
        let topic = match topic {
            Some((topic, span)) if !self.topics.contains(topic) => {
                let message = format!("`{topic}` is not a topic that is read");
                return self.reader.invalid(self.key, span, message);
            }
            Some((topic, _)) => topic.to_owned(),
            None => match self.topics.only() {
                Some(only) => only.to_owned(),
                None => {
                    let message =
                        "several topics are read: name each, as { orders: { 0: 42 } }".to_owned();
                    return self.reader.invalid(self.key, place, message);
                }
            },
        };
        let Some(number) = partition_number(partition) else {
            let message = format!("`{partition}` is not the number of a partition");
            return self.reader.invalid(self.key, place, message);
        };
        let parsed = offset.value.trim().parse::<i64>().ok();
        let Some(parsed) = parsed.filter(|offset| *offset >= 0) else {
            let message = format!("`{}` is not an offset: those are 0 or more", offset.value);
            return self.reader.invalid(self.key, offset.span, message);
        };
        let partitions = self.found.entry(topic.clone()).or_default();
        if partitions.insert(number, parsed).is_some() {
            let message = format!("partition {number} of `{topic}` is there twice: remove one");
            self.reader.invalid(self.key, place, message);
        }
    }
}

/// Partitions by topic: `{ orders: [0, 4-7] }`.
pub(super) fn read_partitions(
    reader: &mut Reader<'_>,
    key: &'static Key,
) -> BTreeMap<String, BTreeSet<i32>> {
    let mut found: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for (topic, span, node) in reader.map(key) {
        let given = Given {
            value: topic.clone(),
            shown: topic.clone(),
            substituted: false,
            span,
        };
        super::source::check_topic(reader, key, &given);
        let nodes = match &node.value {
            Value::List(nodes) if !nodes.is_empty() => nodes.clone(),
            Value::Scalar { .. } if !node.is_null() => vec![node.clone()],
            _ => {
                let problem = Problem::WrongType {
                    expected: "a list of partitions, such as [0, 4-7]".to_owned(),
                    found: node.describe(),
                };
                reader.report(key, node.span, problem);
                continue;
            }
        };
        let partitions = found.entry(topic).or_default();
        for node in &nodes {
            let Some(given) = reader.entry(key, node) else {
                continue;
            };
            match range(&given.value) {
                Some(range) => {
                    for partition in range {
                        if !partitions.insert(partition) {
                            let message =
                                format!("partition {partition} is there twice: remove one");
                            reader.invalid(key, given.span, message);
                            break;
                        }
                    }
                }
                None => {
                    let message = format!(
                        "`{}` is not a partition, or a range such as 4-7 of at most {RANGE_MAX}",
                        given.shown
                    );
                    reader.invalid(key, given.span, message);
                }
            }
        }
    }
    if found.is_empty() && reader.given(key).is_some() {
        let span = reader.place(key);
        reader.invalid(key, span, format!("empty: give {}", expected(key)));
    }
    found
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<i32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (partition_number(first)?, partition_number(last)?);
    (first <= last && last - first < RANGE_MAX).then_some(first..=last)
}

fn partition_number(text: &str) -> Option<i32> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
