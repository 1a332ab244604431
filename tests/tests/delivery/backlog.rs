//! A sink that is slower than the topic.

use std::io::{BufRead as _, BufReader};
use std::process::ChildStdout;
use std::time::Duration;

use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::records::{Record, produce_with};
use weir_tests::weir::{Project, Running};
use weir_tests::{Broker, available};

use super::Orders;

/// What the host may have in memory, whatever waits.
const MEMORY_MAX: u64 = 150 << 20;

/// Puts `count` orders on each partition.
fn fill(broker: &dyn Broker, topic: &str, schema_id: u32, partitions: i32, count: usize) {
    let value = weir_tests::orders::framed(schema_id, 5);
    let mut client = rdkafka::ClientConfig::new();
    client
        .set("bootstrap.servers", broker.brokers())
        .set("linger.ms", "50")
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "1000000");
    for partition in 0..partitions {
        let record = Record::new(topic).partition(partition).value(&value);
        for chunk in 0..count.div_ceil(100_000) {
            let left = (count - chunk * 100_000).min(100_000);
            produce_with(&client, &vec![record.clone(); left]);
        }
    }
}

/// Reads nothing for a while, then a little, then all that is left; returns the number of
/// rows and the most memory that was seen.
fn read_slowly(run: &mut Running<'_>, stdout: ChildStdout, all: usize) -> (usize, u64) {
    let mut most = 0;
    let mut watch = |run: &mut Running<'_>, steps: u32| {
        for _ in 0..steps {
            std::thread::sleep(Duration::from_millis(100));
            most = most.max(run.memory_bytes().unwrap_or(0));
        }
    };
    let mut lines = BufReader::new(stdout).lines();
    watch(run, 40);
    let mut count = 0;
    for _ in 0..10 {
        count += lines.by_ref().take(200).map_while(Result::ok).count();
        watch(run, 1);
    }
    while count < all && lines.next().is_some_and(|line| line.is_ok()) {
        count += 1;
        if count % 10_000 == 0 {
            most = most.max(run.memory_bytes().unwrap_or(0));
        }
    }
    (count, most)
}

#[test]
fn partitions_pause_while_nobody_reads_and_go_on_after() {
    const PARTITIONS: i32 = 8;
    const EACH: usize = 20_000;
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("backlog", PARTITIONS);
    fill(&mock, "backlog", served.id, PARTITIONS, EACH);
    let all = EACH * 8;
    let project = Project::new();

    let pipeline = served.pipeline(&mock, "backlog", "  stop.mode: latest\n");
    let (mut run, stdout) = project
        .run(&pipeline)
        .env("WEIR_LOG", "weir=debug")
        .start_unread();
    let (count, most) = read_slowly(&mut run, stdout, all);
    let run = run.finish().with_code(0);

    assert_eq!(count, all, "{}", run.stderr);
    assert!(most < MEMORY_MAX, "{} MiB", most >> 20);
    assert!(
        !run.lines_with("pausing 8 partitions").is_empty()
            && !run.lines_with("resuming 8 partitions").is_empty(),
        "{}",
        run.stderr
    );
}

#[test]
fn a_million_messages_wait_in_kafka_not_in_memory() {
    const PARTITIONS: i32 = 8;
    const EACH: usize = 125_000;
    const ALL: usize = 1_000_000;
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("million", PARTITIONS);
    fill(kafka, "million", served.id, PARTITIONS, EACH);
    let project = Project::new();

    let pipeline = served.pipeline(kafka, "million", "  stop.mode: latest\n");
    let (mut run, stdout) = project.run(&pipeline).start_unread();
    let (count, most) = read_slowly(&mut run, stdout, ALL);
    let _ = run.finish().with_code(0);

    assert_eq!(count, ALL);
    assert!(most < MEMORY_MAX, "{} MiB", most >> 20);
}
