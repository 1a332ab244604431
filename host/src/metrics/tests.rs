use std::collections::BTreeMap;

use prometheus_client::encoding::text;

use super::*;
use crate::batch::TopicPartition;
use crate::event_time::{EventTime, GroupView, Scan, Settings};
use crate::kafka::{BrokerStatistics, PartitionStatistics, Statistics, TopicStatistics};
use crate::progress::PartitionProgress;

fn exported(figures: Figures) -> Vec<String> {
    let mut body = String::new();
    text::encode(&mut body, &figures.into_registry("p\"1")).unwrap();
    assert!(body.ends_with("# EOF\n"));
    body.lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn figures() -> Figures {
    Figures {
        progress: Arc::default(),
        plugins: Vec::new(),
        clients: Vec::new(),
    }
}

#[test]
fn counters_have_the_label_of_their_pipeline() {
    let figures = figures();
    figures.progress.messages.add(7);
    let lines = exported(figures);
    let expected = "weir_messages_total{pipeline=\"p\\\"1\"} 7";
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
    assert_eq!(lines.len(), 9, "only what there is: {lines:#?}");
}

#[test]
fn lag_is_there_once_the_end_is_known() {
    let figures = figures();
    for partition in 0..2 {
        let topic = "t".into();
        let progress = PartitionProgress {
            delivered: 4,
            log_end: (partition == 1).then_some(10),
            ..PartitionProgress::default()
        };
        let source = TopicPartition { topic, partition };
        figures.progress.assign(source, progress);
    }
    let lines = exported(figures);
    let lag: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("weir_lag"))
        .collect();
    assert_eq!(
        lag,
        ["weir_lag{pipeline=\"p\\\"1\",topic=\"t\",partition=\"1\"} 6"]
    );
}

#[test]
fn brokers_and_partitions_of_clients() {
    let latest = LatestStatistics::default();
    let broker = |nodeid, state: &str| BrokerStatistics {
        nodeid,
        state: state.to_owned(),
        ..BrokerStatistics::default()
    };
    let partition = PartitionStatistics {
        fetchq_cnt: 3,
        ..PartitionStatistics::default()
    };
    let partitions = BTreeMap::from([
        ("0".to_owned(), partition.clone()),
        ("-1".to_owned(), partition),
    ]);
    latest.put(Arc::new(Statistics {
        brokers: BTreeMap::from([
            ("a:1/1".to_owned(), broker(1, "UP")),
            ("a:2/2".to_owned(), broker(2, "DOWN")),
            ("a:1/bootstrap".to_owned(), broker(-1, "UP")),
        ]),
        topics: BTreeMap::from([("t".to_owned(), TopicStatistics { partitions })]),
        cgrp: Some(Default::default()),
        ..Statistics::default()
    }));
    let mut figures = figures();
    figures.clients = vec![("source", latest), ("sink", LatestStatistics::default())];
    let lines = exported(figures);
    let of = |metric: &str| -> Vec<&str> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(&format!("{metric}{{pipeline=\"p\\\"1\",")))
            .collect()
    };
    assert_eq!(
        of("weir_kafka_broker_up"),
        [
            "client=\"source\",broker=\"1\"} 1",
            "client=\"source\",broker=\"2\"} 0"
        ]
    );
    assert_eq!(
        of("weir_kafka_fetched_messages"),
        ["topic=\"t\",partition=\"0\"} 3"]
    );
}

#[test]
fn event_time_by_partition_and_what_holds_it_back() {
    let figures = figures();
    let settings = Settings::default();
    let event_time = EventTime::new(settings, None, 0, std::time::Instant::now());
    for (partition, assignment) in [(0, 1), (1, 2)] {
        let topic = "t".into();
        event_time.assign(assignment, TopicPartition { topic, partition });
    }
    for (assignment, max) in [(1, 9_500), (2, 7_250)] {
        let max = Some(max);
        let scan = Scan {
            max,
            ..Scan::default()
        };
        event_time.observe(assignment, &scan, None);
    }
    figures.progress.late.add(3);
    event_time.see_group(GroupView {
        known: true,
        members: 2,
        floor: Some(6_500),
        ..GroupView::default()
    });
    figures.progress.follow(event_time);
    let lines = exported(figures);
    for expected in [
        "weir_late_rows_total{pipeline=\"p\\\"1\"} 3",
        "weir_watermark_seconds{pipeline=\"p\\\"1\"} 7.25",
        "weir_alignment_group_members{pipeline=\"p\\\"1\"} 2",
        "weir_alignment_group_watermark_seconds{pipeline=\"p\\\"1\"} 6.5",
        "weir_partition_drift_seconds{pipeline=\"p\\\"1\",topic=\"t\",partition=\"0\"} 2.25",
        "weir_partition_holds_watermark{pipeline=\"p\\\"1\",topic=\"t\",partition=\"1\"} 1",
        "weir_partition_holds_watermark{pipeline=\"p\\\"1\",topic=\"t\",partition=\"0\"} 0",
        "weir_partition_idle{pipeline=\"p\\\"1\",topic=\"t\",partition=\"0\"} 0",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}: {lines:#?}"
        );
    }
}
