//! Members that join and leave while records come.

use std::io::{BufRead as _, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use weir_tests::groups::{committed, ends};
use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{Broker, available, orders};

use super::{Orders, distinct};

const PARTITIONS: i32 = 4;

#[test]
fn a_member_that_joins_and_leaves_loses_nothing_and_repeats_nothing() {
    if let Some(kafka) = available(Kafka::shared()) {
        assert_eq!(join_and_leave(kafka), 0, "rows were delivered twice");
    }
}

/// The mock refuses the offsets that members commit while others join, so that rows repeat.
#[test]
fn a_member_that_joins_and_leaves_loses_nothing_on_the_mock() {
    let _ = join_and_leave(&Mock::start());
}

/// A second member joins, and leaves again, while records come. Returns how many rows were
/// delivered more than once.
fn join_and_leave(broker: &dyn Broker) -> usize {
    let served = Orders::start();
    broker.create_topic("shared", PARTITIONS);
    let pipeline = served.pipeline(broker, "shared", "  batch.max.rows: 50\n");
    let (first, second) = (Project::new(), Project::new());
    let done = AtomicBool::new(false);
    let brokers = broker.brokers();

    let rows = std::thread::scope(|scope| {
        let stream = scope.spawn(|| {
            let mut next = 0;
            while !done.load(Ordering::Relaxed) {
                let some = orders::records("shared", served.id, next..next + 50);
                produce(brokers, &some);
                next += 50;
                std::thread::sleep(Duration::from_millis(50));
            }
            next
        });
        let watch = scope.spawn(|| never_goes_back(brokers, &done));
        let stop = StopOnDrop(&done);

        let mut stayed = first.run(&pipeline).start();
        stayed.wait_for_rows(200);
        let mut joined = second.run(&pipeline).start();
        joined.wait_for_rows(200);
        joined.terminate();
        let joined = joined.finish().with_code(0);
        let before = stayed.rows().len();
        stayed.wait_for_rows(before + 500);
        drop(stop);

        let total = stream.join().expect("all is produced");
        watch.join().expect("offsets never go back");
        let wanted = usize::try_from(total).expect("positive") - joined.rows().len();
        stayed.wait_for_rows(wanted);
        stayed.terminate();
        let stayed = stayed.finish().with_code(0);

        let rows = [stayed.rows(), joined.rows()].concat();
        assert_eq!(distinct(&rows), (0..total).collect());
        rows
    });

    assert_eq!(
        committed(broker.brokers(), "weir-shared", "shared", PARTITIONS),
        ends(broker.brokers(), "shared", PARTITIONS)
    );
    rows.len() - distinct(&rows).len()
}

#[test]
fn offsets_that_the_group_did_not_take_are_committed_again() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("refused", 1);
    produce(
        mock.brokers(),
        &orders::records("refused", served.id, 0..10),
    );
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    mock.fail_requests(RDKafkaApiKey::OffsetCommit, &[refusal, refusal]);
    let project = Project::new();

    let mut run = project.run(&served.pipeline(&mock, "refused", "")).start();
    run.wait_for_rows(10);
    run.wait_for_stderr("offsets were not committed, and will be tried again: ");
    let offsets = || committed(mock.brokers(), "weir-refused", "refused", 1);
    let deadline = Instant::now() + Duration::from_secs(20);
    while offsets() != [Some(10)] {
        assert!(
            Instant::now() < deadline,
            "{:?}\n{}",
            offsets(),
            run.stderr()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    run.terminate();
    let _ = run.finish().with_code(0);
}

/// Ends the threads of a scope that a failed test would otherwise wait for.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Watches what the group has committed until `done`.
fn never_goes_back(brokers: &str, done: &AtomicBool) {
    let mut last = vec![None; usize::try_from(PARTITIONS).expect("positive")];
    while !done.load(Ordering::Relaxed) {
        let now = committed(brokers, "weir-shared", "shared", PARTITIONS);
        let grows = last.iter().zip(&now).all(|(last, now)| last <= now);
        assert!(grows, "{now:?} after {last:?}");
        last = now;
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Batches that are cut and have no room in the pipeline go to the next owner: nobody has to
/// wait for them.
#[test]
fn a_member_with_a_slow_sink_gives_partitions_up_once_it_is_through() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("slow", 2);
    produce(
        mock.brokers(),
        &orders::records("slow", served.id, 0..20_000),
    );
    // Half a session is how long a member may wait before it gives partitions up.
    let keys = mock.source_keys().replace("2000", "12000");
    let pipeline = served
        .pipeline(
            &mock,
            "slow",
            "  batch.max.rows: 100\n  partition.assignment.strategy: range\n",
        )
        .replace(mock.source_keys(), &keys);
    let (first, second) = (Project::new(), Project::new());

    let (mut slow, stdout) = first.run(&pipeline).env("WEIR_LOG", "info").start_unread();
    std::thread::sleep(Duration::from_secs(3));
    let mut joined = second.run(&pipeline).start();
    std::thread::sleep(Duration::from_secs(1));
    let reader = std::thread::spawn(move || BufReader::new(stdout).lines().count());
    let began = Instant::now();
    slow.wait_for_stderr("2 partitions revoked, 0 left");
    let waited = began.elapsed();
    joined.wait_for_rows(1);
    for run in [&mut slow, &mut joined] {
        run.terminate();
    }
    let slow = slow.finish().with_code(0);
    let _ = joined.finish().with_code(0);

    assert!(
        waited < Duration::from_secs(3),
        "{waited:?}\n{}",
        slow.stderr
    );
    assert_eq!(
        slow.lines_with("are given up before").len(),
        0,
        "{}",
        slow.stderr
    );
    assert!(reader.join().expect("it reads") > 0);
}
