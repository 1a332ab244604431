//! Partitions that move between the members of a group.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_tests::groups::committed;
use weir_tests::kafka::Kafka;
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{available, orders};

use super::{Orders, ids, sorted, wait_for_all};

#[test]
fn a_second_member_goes_on_where_the_first_was_whatever_both_start_at() {
    hand_over("handed", &["startup.mode: earliest"]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_with_specific_offsets() {
    let offsets = "startup.specific.offsets: { 0: 0, 1: 0, 2: 0, 3: 0 }";
    hand_over("handed-to", &["startup.mode: specific-offsets", offsets]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_when_all_give_up_everything() {
    let strategy = "partition.assignment.strategy: range";
    hand_over("handed-eager", &["startup.mode: earliest", strategy]);
}

#[test]
fn a_second_member_goes_on_where_the_first_was_in_a_group_of_the_new_protocol() {
    let protocol = "group.protocol: consumer";
    hand_over("handed-848", &["startup.mode: earliest", protocol]);
}

/// A second member joins after a first one has read a topic, and each row comes once.
fn hand_over(topic: &str, source: &[&str]) {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic(topic, 4);
    let produce = |numbers| produce(kafka.brokers(), &orders::records(topic, served.id, numbers));
    produce(0..1000);
    let topics = format!("topics: [{topic}]");
    let yaml = served.pipeline(kafka, topic, &[&[topics.as_str()], source].concat());
    let (one, two) = (Project::new(), Project::new());

    let mut first = one.run(&yaml).env("WEIR_LOG", "info").start();
    first.wait_for_rows(1000);
    let mut second = two.run(&yaml).env("WEIR_LOG", "info").start();
    second.wait_for_stderr("2 partitions assigned");
    produce(1000..2000);
    wait_for_all(&[&first, &second], 2000);
    for run in [&mut first, &mut second] {
        run.terminate();
    }
    let (first, second) = (first.finish().with_code(0), second.finish().with_code(0));

    assert!(!second.rows().is_empty(), "{}", second.stderr);
    let rows = [first.rows(), second.rows()].concat();
    assert_eq!(sorted(&rows), ids(0..2000), "{}", second.stderr);
}

/// Ends the thread of a scope that a failed test would otherwise wait for.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_comes_while_partitions_move_is_not_lost_though_members_start_at_the_latest() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "moving", 4);
    let source = [
        "topics: [moving]",
        "startup.mode: latest",
        "commit.interval.ms: 100",
    ];
    let yaml = served.pipeline(kafka, "moving", &source);
    let (one, two) = (Project::new(), Project::new());
    let done = AtomicBool::new(false);

    let mut first = one.run(&yaml).env("WEIR_LOG", "info").start();
    first.wait_for_stderr("4 partitions assigned");
    let rows = std::thread::scope(|scope| {
        let stream = scope.spawn(|| {
            let mut next = 40;
            while !done.load(Ordering::Relaxed) {
                let some = orders::records("moving", served.id, next..next + 20);
                produce(kafka.brokers(), &some);
                next += 20;
                std::thread::sleep(Duration::from_millis(20));
            }
            next
        });
        let stop = StopOnDrop(&done);
        first.wait_for_rows(100);
        let mut second = two.run(&yaml).env("WEIR_LOG", "info").start();
        second.wait_for_stderr("2 partitions assigned");
        second.wait_for_rows(100);
        second.terminate();
        let second = second.finish().with_code(0);
        let before = first.rows().len();
        first.wait_for_rows(before + 200);
        drop(stop);

        let end = stream.join().expect("all is produced");
        let all = usize::try_from(end - 40).expect("positive");
        first.wait_for_rows(all - second.rows().len());
        first.terminate();
        let rows = [first.finish().with_code(0).rows(), second.rows()].concat();
        let read: BTreeSet<i64> = rows.iter().map(orders::id).collect();
        assert_eq!(read, (40..end).collect());
        rows
    });

    let distinct: BTreeSet<i64> = rows.iter().map(orders::id).collect();
    assert_eq!(rows.len(), distinct.len(), "rows were delivered twice");
}

#[test]
fn a_group_of_the_new_protocol_reads_commits_and_goes_on() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "kip-848", 2);
    let source = [
        "topics: [kip-848]",
        "group.protocol: consumer",
        "stop.mode: latest",
    ];

    assert_eq!(served.read(kafka, "kip-848", &source), ids(0..20));
    assert_eq!(
        committed(kafka.brokers(), "weir-kip-848", "kip-848", 2),
        [Some(10), Some(10)]
    );
    produce(
        kafka.brokers(),
        &orders::records("kip-848", served.id, 20..25),
    );
    assert_eq!(served.read(kafka, "kip-848", &source), ids(20..25));
}

#[test]
fn a_static_member_that_restarts_moves_nobody_elses_partitions() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    served.tens(kafka, "static", 2);
    let member = |instance: &str| {
        let instance = format!("group.instance.id: {instance}");
        served.pipeline(kafka, "static", &["topics: [static]", &instance])
    };
    let produce = |numbers: Range<i64>| {
        let records = orders::records("static", served.id, numbers.clone());
        let records = records.into_iter().zip(numbers);
        let records = records.map(|(r, n)| r.partition(i32::from(n % 2 == 1)));
        produce(kafka.brokers(), &records.collect::<Vec<_>>());
    };
    let (one, two) = (Project::new(), Project::new());

    let mut stays = one.run(&member("a")).env("WEIR_LOG", "info").start();
    stays.wait_for_rows(20);
    let mut restarts = two.run(&member("b")).env("WEIR_LOG", "info").start();
    restarts.wait_for_stderr("1 partitions assigned");
    stays.wait_for_stderr("1 partitions revoked, 1 left");
    produce(20..30);
    wait_for_all(&[&stays, &restarts], 30);
    let revocations = stays.stderr().matches("revoked").count();

    restarts.terminate();
    let before = restarts.finish().with_code(0);
    produce(30..40);
    let mut restarted = two.run(&member("b")).env("WEIR_LOG", "info").start();
    restarted.wait_for_rows(5);
    produce(40..50);
    restarted.wait_for_rows(10);
    wait_for_all(&[&stays, &restarted], 50 - before.rows().len());
    assert_eq!(
        stays.stderr().matches("revoked").count(),
        revocations,
        "{}",
        stays.stderr()
    );

    for run in [&mut stays, &mut restarted] {
        run.terminate();
    }
    let (stays, restarted) = (stays.finish().with_code(0), restarted.finish().with_code(0));
    let rows = [stays.rows(), before.rows(), restarted.rows()].concat();
    assert_eq!(sorted(&rows), ids(0..50));
}
