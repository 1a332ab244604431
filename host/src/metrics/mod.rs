//! A pipeline's figures for Prometheus, in the OpenMetrics text format.

mod event_time;
mod serve;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::kafka::{LatestStatistics, Statistics};
use crate::plugin::{Metric, PluginMetrics};
use crate::progress::Progress;

pub use serve::Listener;

/// Everything that a running pipeline counts.
#[derive(Debug)]
pub struct Figures {
    /// How far it is.
    pub progress: Arc<Progress>,
    /// The figures that plug-ins keep, for each plug-in and worker.
    pub plugins: Vec<PluginFigures>,
    /// The statistics of Kafka clients, by `source` or `sink`.
    pub clients: Vec<(&'static str, LatestStatistics)>,
}

/// What one plug-in of one worker counts.
#[derive(Clone, Debug)]
pub struct PluginFigures {
    /// The plug-in's name.
    pub plugin: String,
    /// Counted from 0.
    pub worker: usize,
    /// Its figures.
    pub metrics: PluginMetrics,
}

impl Figures {
    /// As a registry, whose metrics begin with `weir_` and have the pipeline's name as a
    /// label.
    #[must_use]
    pub fn into_registry(self, pipeline: &str) -> Registry {
        let label = ("pipeline".into(), pipeline.to_owned().into());
        let mut registry = Registry::with_prefix_and_labels("weir", [label].into_iter());
        registry.register_collector(Box::new(self));
        registry
    }
}

/// The labels of one sample.
type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Copy)]
enum Value {
    Count(u64),
    Seconds(f64),
    Level(i64),
    Real(f64),
}

/// Writes one metric with all its samples; nothing when there are none.
fn write(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> fmt::Result {
    let mut samples = samples.into_iter().peekable();
    let Some((_, first)) = samples.peek() else {
        return Ok(());
    };
    let kind = match first {
        Value::Count(_) | Value::Seconds(_) => MetricType::Counter,
        Value::Level(_) | Value::Real(_) => MetricType::Gauge,
    };
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in samples {
        let mut sample = metric.encode_family(&labels)?;
        match value {
            Value::Count(count) => sample.encode_counter::<NoLabelSet, _, u64>(&count, None)?,
            Value::Seconds(seconds) => {
                sample.encode_counter::<NoLabelSet, _, u64>(&seconds, None)?;
            }
            Value::Level(level) => sample.encode_gauge(&level)?,
            Value::Real(real) => sample.encode_gauge(&real)?,
        }
    }
    Ok(())
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.pipeline(&mut encoder)?;
        self.partitions(&mut encoder)?;
        self.event_time(&mut encoder)?;
        self.clients(&mut encoder)?;
        self.plugins(&mut encoder)
    }
}

impl Figures {
    fn pipeline(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let p = &self.progress;
        for (name, help, value) in [
            ("messages", "Messages read, bad ones included", &p.messages),
            ("bytes", "Bytes of keys, values and headers read", &p.bytes),
            ("rows", "Rows that the sink has made durable", &p.rows),
            (
                "dropped",
                "Messages that an interceptor dropped on purpose",
                &p.dropped,
            ),
            (
                "tombstones",
                "Messages without a value, which have no rows",
                &p.tombstones,
            ),
            (
                "skipped",
                "Other messages for which the deserializer made no row",
                &p.skipped,
            ),
            (
                "bad_records",
                "Messages that could not be handled",
                &p.errors,
            ),
            (
                "retries",
                "Times that a batch had to wait for something outside",
                &p.retries,
            ),
        ] {
            let count = Value::Count(value.get());
            write(encoder, (name, help), [(Vec::new(), count)])?;
        }
        let seconds = Value::Seconds(p.plugin_time().as_secs_f64());
        let about = ("plugin_seconds", "Time spent in plug-ins, over all workers");
        write(encoder, about, [(Vec::new(), seconds)])
    }

    fn partitions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let partitions = self.progress.partitions();
        let samples = |value: fn(&crate::progress::PartitionProgress) -> Option<i64>| {
            partitions.iter().filter_map(move |(source, progress)| {
                let labels = vec![
                    ("topic", source.topic.to_string()),
                    ("partition", source.partition.to_string()),
                ];
                Some((labels, Value::Level(value(progress)?)))
            })
        };
        let about = ("position", "Offset of the next message to be read");
        write(encoder, about, samples(|p| Some(p.position)))?;
        let about = (
            "delivered",
            "Offset of the first message that is not delivered",
        );
        write(encoder, about, samples(|p| Some(p.delivered)))?;
        let about = ("log_end", "Offset after the last message that can be read");
        write(encoder, about, samples(|p| p.log_end))?;
        let about = ("lag", "Messages of the partition that are not delivered");
        write(
            encoder,
            about,
            samples(crate::progress::PartitionProgress::lag),
        )
    }

    fn clients(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let latest: Vec<(&str, Arc<Statistics>)> = self
            .clients
            .iter()
            .filter_map(|(client, latest)| Some((*client, latest.get()?)))
            .collect();
        let count = |n: i64| Value::Count(u64::try_from(n).unwrap_or(0));
        type Of<T> = fn(&T) -> i64;
        let of_client: [(&str, &str, bool, Of<Statistics>); 6] = [
            ("kafka_requests", "Requests sent", true, |s| s.tx),
            ("kafka_request_bytes", "Bytes of requests sent", true, |s| {
                s.tx_bytes
            }),
            ("kafka_responses", "Responses received", true, |s| s.rx),
            (
                "kafka_response_bytes",
                "Bytes of responses received",
                true,
                |s| s.rx_bytes,
            ),
            (
                "kafka_queued_messages",
                "Messages in the producer's queues",
                false,
                |s| s.msg_cnt,
            ),
            (
                "kafka_queued_bytes",
                "Bytes of those messages",
                false,
                |s| s.msg_size,
            ),
        ];
        for (name, help, grows, value) in of_client {
            let samples = latest.iter().map(|(client, statistics)| {
                let value = value(statistics);
                let value = if grows {
                    count(value)
                } else {
                    Value::Level(value)
                };
                (vec![("client", (*client).to_owned())], value)
            });
            write(encoder, (name, help), samples)?;
        }
        let of_group: [(&str, &str, bool, Of<crate::kafka::GroupStatistics>); 2] = [
            (
                "kafka_rebalances",
                "Times that partitions were assigned or revoked",
                true,
                |g| g.rebalance_cnt,
            ),
            (
                "kafka_assigned_partitions",
                "Partitions assigned",
                false,
                |g| g.assignment_size,
            ),
        ];
        for (name, help, grows, value) in of_group {
            let samples = latest.iter().filter_map(|(client, statistics)| {
                let value = value(statistics.cgrp.as_ref()?);
                let value = if grows {
                    count(value)
                } else {
                    Value::Level(value)
                };
                Some((vec![("client", (*client).to_owned())], value))
            });
            write(encoder, (name, help), samples)?;
        }
        let of_broker: [(&str, &str, bool, Of<crate::kafka::BrokerStatistics>); 9] = [
            (
                "kafka_broker_up",
                "1 when requests can be sent",
                false,
                |b| (b.state == "UP").into(),
            ),
            (
                "kafka_broker_waiting_requests",
                "Requests that wait to be sent",
                false,
                |b| b.outbuf_cnt,
            ),
            (
                "kafka_broker_open_requests",
                "Requests that wait for an answer",
                false,
                |b| b.waitresp_cnt,
            ),
            ("kafka_broker_send_errors", "Errors of sending", true, |b| {
                b.txerrs
            }),
            (
                "kafka_broker_receive_errors",
                "Errors of receiving",
                true,
                |b| b.rxerrs,
            ),
            (
                "kafka_broker_timeouts",
                "Requests that were not answered in time",
                true,
                |b| b.req_timeouts,
            ),
            (
                "kafka_broker_disconnects",
                "Connections that were lost",
                true,
                |b| b.disconnects,
            ),
            (
                "kafka_broker_round_trip_mean_microseconds",
                "From a request to its answer, the mean of the last interval",
                false,
                |b| b.rtt.avg,
            ),
            (
                "kafka_broker_round_trip_p99_microseconds",
                "The same, the 99th percentile",
                false,
                |b| b.rtt.p99,
            ),
        ];
        for (name, help, grows, value) in of_broker {
            let samples = latest.iter().flat_map(|(client, statistics)| {
                // Others are ways to the cluster, or its roles.
                let brokers = statistics.brokers.values().filter(|b| b.nodeid >= 0);
                brokers.map(move |broker| {
                    let labels = vec![
                        ("client", (*client).to_owned()),
                        ("broker", broker.nodeid.to_string()),
                    ];
                    let value = value(broker);
                    (
                        labels,
                        if grows {
                            count(value)
                        } else {
                            Value::Level(value)
                        },
                    )
                })
            });
            write(encoder, (name, help), samples)?;
        }
        let of_partition: [(&str, &str, Of<crate::kafka::PartitionStatistics>); 2] = [
            (
                "kafka_fetched_messages",
                "Messages that were fetched and not yet read",
                |p| p.fetchq_cnt,
            ),
            ("kafka_fetched_bytes", "Bytes of those messages", |p| {
                p.fetchq_size
            }),
        ];
        for (name, help, value) in of_partition {
            let consumers = latest.iter().filter(|(_, s)| s.cgrp.is_some());
            let samples = consumers.flat_map(|(_, statistics)| {
                statistics.topics.iter().flat_map(move |(topic, of_topic)| {
                    let partitions = of_topic.partitions.iter();
                    let partitions = partitions.filter(|(number, _)| *number != "-1");
                    partitions.map(move |(number, partition)| {
                        let labels = vec![("topic", topic.clone()), ("partition", number.clone())];
                        (labels, Value::Level(value(partition)))
                    })
                })
            });
            write(encoder, (name, help), samples)?;
        }
        Ok(())
    }

    /// A metric for each name: a counter where any plug-in has a counter by it.
    fn plugins(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut by_name: std::collections::BTreeMap<(String, bool), Vec<(Labels, Value)>> =
            std::collections::BTreeMap::new();
        for figures in &self.plugins {
            for (name, metric) in figures.metrics.snapshot() {
                let labels = vec![
                    ("plugin", figures.plugin.clone()),
                    ("worker", figures.worker.to_string()),
                ];
                let (grows, value) = match metric {
                    Metric::Counter(sum) => (true, Value::Count(sum)),
                    Metric::Gauge(real) => (false, Value::Real(real)),
                };
                by_name
                    .entry((name, grows))
                    .or_default()
                    .push((labels, value));
            }
        }
        let mut written = String::new();
        for ((name, _), samples) in by_name.into_iter().rev() {
            if name != written {
                let metric = format!("plugin_{name}");
                write(encoder, (&metric, "A figure of a plug-in's own"), samples)?;
                written = name;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
