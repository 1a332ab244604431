//! A log that changes while it is read: compacted, cut off at its beginning, made anew.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weir_tests::kafka::Kafka;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::weir::Project;
use weir_tests::{available, orders};

use super::offsets::delete_before;
use super::{Orders, ids};

/// How long the broker may take to compact.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn a_compacted_topic_is_read_to_its_end_from_wherever() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    let properties = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
    ];
    kafka.create_topic_with("compacted", 1, &properties);
    // Each key twice, and then one more: the last segment is never compacted.
    let order = |n: i64| {
        Record::new("compacted")
            .key(format!("{}", n % 10))
            .value(orders::framed(served.id, n))
    };
    produce(kafka.brokers(), &(0..20).map(order).collect::<Vec<_>>());
    let reader = Reader::new(kafka.brokers(), "compacted");
    let deadline = Instant::now() + PATIENCE;
    while reader.to_end().first().and_then(|first| first.offset) == Some(0) {
        assert!(Instant::now() < deadline, "the broker does not compact");
        // A segment is closed by a record that comes when its time is over.
        produce(kafka.brokers(), &[order(20).key("last")]);
        std::thread::sleep(Duration::from_millis(500));
    }
    let left: BTreeMap<i64, Vec<u8>> = reader
        .to_end()
        .into_iter()
        .filter_map(|record| Some((record.offset?, record.value?)))
        .collect();
    assert!(!left.contains_key(&5), "{:?}", left.keys());

    for start in [
        "startup.mode: earliest",
        // An offset that is not there any more: the next one is.
        "startup.mode: specific-offsets\n  startup.specific.offsets: { 0: 5 }",
    ] {
        let source = format!("  {start}\n  stop.mode: latest\n");
        let yaml = served.pipeline(kafka, "compacted", &source);
        let run = Project::new().run(&yaml).finish().with_code(0);
        let read = ids(&run.rows());
        assert_eq!(read[..10], (10..20).collect::<Vec<_>>(), "{start}");
        assert!(read[10..].iter().all(|id| *id == 20), "{start}: {read:?}");
    }
}

/// Reads what is there, and then waits with the limit at 0 while `change` happens.
fn while_it_waits(
    kafka: &Kafka,
    served: &Orders,
    topic: &str,
    change: impl FnOnce(),
) -> weir_tests::weir::Finished {
    kafka.create_topic(topic, 1);
    produce(kafka.brokers(), &orders::records(topic, served.id, 0..10));
    let project = Project::new();
    // Little is fetched ahead, so that what happens to the log happens before it is read.
    let source = "  topic.metadata.refresh.interval.ms: 1000\n  fetch.max.bytes: 1000\n  \
                  max.partition.fetch.bytes: 1000\n  queued.min.messages: 1\n";
    let yaml = served.pipeline(kafka, topic, source);
    let mut run = project.run(&yaml).start();
    assert_eq!(ids(&run.wait_for_rows(10)), (0..10).collect::<Vec<_>>());
    project.write(
        "pipeline.yaml",
        yaml.replace(
            "  commit.interval",
            "  rate.limit.messages: 0\n  commit.interval",
        ),
    );
    run.hang_up();
    run.wait_for_stderr("took its rate limits");
    change();
    project.write("pipeline.yaml", &yaml);
    run.hang_up();
    run.finish_within(PATIENCE)
}

#[test]
fn what_is_deleted_under_a_reader_stops_it() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    let topic = "overtaken";
    let run = while_it_waits(kafka, &served, topic, || {
        for n in 10..40 {
            // A batch of its own for each.
            produce(
                kafka.brokers(),
                &orders::records(topic, served.id, n..n + 1),
            );
        }
        delete_before(kafka, topic, 39);
    })
    .with_code(1);
    let expected = "messages were deleted before they were read, or the topic was made anew";
    assert_eq!(run.lines_with(expected).len(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("overtaken[0]"), "{}", run.stderr);
}

#[test]
fn a_topic_that_is_made_anew_stops_its_reader() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    // Shorter than what was read, and longer.
    for (topic, count) in [("reborn-short", 3), ("reborn-long", 30)] {
        let run = while_it_waits(kafka, &served, topic, || {
            kafka.delete_topic(topic);
            kafka.create_topic(topic, 1);
            let records = orders::records(topic, served.id, 100..100 + count);
            produce(kafka.brokers(), &records);
        })
        .with_code(1);
        let expected = "the topic was made anew";
        assert_eq!(run.lines_with(expected).len(), 1, "{topic}: {}", run.stderr);
        assert!(run.stderr.contains(topic), "{}", run.stderr);
    }
}
