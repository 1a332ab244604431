//! What librdkafka says of itself every `statistics.interval.ms`: the part of its statistics
//! that weir exports. Names and meaning are those of librdkafka's STATISTICS.md.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

/// The figures of one client. What is missing is 0.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Messages in the producer's queues.
    pub msg_cnt: i64,
    /// Their bytes.
    pub msg_size: i64,
    /// Requests sent.
    pub tx: i64,
    /// Their bytes.
    pub tx_bytes: i64,
    /// Responses received.
    pub rx: i64,
    /// Their bytes.
    pub rx_bytes: i64,
    /// By name.
    pub brokers: BTreeMap<String, BrokerStatistics>,
    /// By name.
    pub topics: BTreeMap<String, TopicStatistics>,
    /// Of a consumer.
    pub cgrp: Option<GroupStatistics>,
}

/// One broker, or a way to one: those of `bootstrap.servers` have the id -1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BrokerStatistics {
    /// Its number in the cluster.
    pub nodeid: i64,
    /// `UP` when requests can be sent.
    pub state: String,
    /// Requests that wait to be sent.
    pub outbuf_cnt: i64,
    /// Requests that wait for an answer.
    pub waitresp_cnt: i64,
    /// Errors of sending.
    pub txerrs: i64,
    /// Errors of receiving.
    pub rxerrs: i64,
    /// Requests that were not answered in time.
    pub req_timeouts: i64,
    /// Connections that were lost.
    pub disconnects: i64,
    /// From a request to its answer, in µs, in the last interval.
    pub rtt: Window,
}

/// What was measured in one interval.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Window {
    /// The mean.
    pub avg: i64,
    /// The 99th percentile.
    pub p99: i64,
}

/// The partitions of one topic.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TopicStatistics {
    /// By number, as text. -1 is for messages that have no partition yet.
    pub partitions: BTreeMap<String, PartitionStatistics>,
}

/// One partition, as its consumer sees it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct PartitionStatistics {
    /// Messages that were fetched and not yet read.
    pub fetchq_cnt: i64,
    /// Their bytes.
    pub fetchq_size: i64,
    /// The offset after the last message, -1001 for unknown.
    pub hi_offset: i64,
    /// The offset after the last message of a finished transaction, -1001 for unknown.
    pub ls_offset: i64,
}

impl Default for PartitionStatistics {
    fn default() -> Self {
        Self {
            fetchq_cnt: 0,
            fetchq_size: 0,
            hi_offset: UNKNOWN,
            ls_offset: UNKNOWN,
        }
    }
}

/// librdkafka's `RD_KAFKA_OFFSET_INVALID`.
const UNKNOWN: i64 = -1001;

/// The consumer group, as one member sees it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GroupStatistics {
    /// How often partitions were assigned or revoked.
    pub rebalance_cnt: i64,
    /// Partitions assigned.
    pub assignment_size: i64,
}

impl Statistics {
    /// librdkafka's text, which is not always JSON: then there is nothing this time.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json)
            .inspect_err(|error| tracing::debug!(target: "kafka", "statistics: {error}"))
            .ok()
    }

    /// The offset after the last message that can be read, of each partition where it is
    /// known.
    pub fn ends(&self, read_committed: bool) -> impl Iterator<Item = (&str, i32, i64)> {
        self.topics.iter().flat_map(move |(topic, of_topic)| {
            of_topic.partitions.iter().filter_map(move |(number, p)| {
                let end = if read_committed {
                    p.ls_offset
                } else {
                    p.hi_offset
                };
                let number = number.parse().ok().filter(|number| *number >= 0)?;
                (end >= 0).then_some((topic.as_str(), number, end))
            })
        })
    }
}

/// The latest statistics of a client, which one thread puts there and others look at.
#[derive(Clone, Debug, Default)]
pub struct LatestStatistics(Arc<Mutex<Option<Arc<Statistics>>>>);

impl LatestStatistics {
    /// `None` before the first interval is over.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Statistics>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn put(&self, statistics: Arc<Statistics>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(statistics);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_partitions() {
        let json = br#"{
            "msg_cnt": -3, "unknown": [1],
            "topics": { "t": { "partitions": {
                "0": { "hi_offset": 10, "ls_offset": 7 },
                "1": { "hi_offset": 5, "ls_offset": -1001 },
                "-1": { "hi_offset": 5, "ls_offset": 5 },
                "2": {}
            } } }
        }"#;
        let statistics = Statistics::parse(json).unwrap();
        assert_eq!(statistics.msg_cnt, -3);
        let committed: Vec<_> = statistics.ends(true).collect();
        assert_eq!(committed, [("t", 0, 7)]);
        let all: Vec<_> = statistics.ends(false).collect();
        assert_eq!(all, [("t", 0, 10), ("t", 1, 5)]);
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for text in [&b""[..], b"{", b"7", b"{\"topics\":{\"t\":\xff}}"] {
            assert_eq!(Statistics::parse(text), None);
        }
    }
}
