//! What librdkafka says of the source's and the sink's clients.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Value, write};
use crate::kafka::{
    BrokerStatistics, GroupStatistics, LatestStatistics, PartitionStatistics, Statistics,
};

pub(super) fn write_clients(
    encoder: &mut DescriptorEncoder<'_>,
    clients: &[(&'static str, LatestStatistics)],
) -> fmt::Result {
    let latest: Vec<(&str, Arc<Statistics>)> = clients
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
    let of_group: [(&str, &str, bool, Of<GroupStatistics>); 2] = [
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
    let of_broker: [(&str, &str, bool, Of<BrokerStatistics>); 9] = [
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
    let of_partition: [(&str, &str, Of<PartitionStatistics>); 2] = [
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
