//! A host that is killed, and a broker that is down for a while.

use std::time::Duration;

use weir_tests::kafka::Kafka;
use weir_tests::mock::Mock;
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{Broker, available, on_both_brokers, orders};

use super::{Orders, distinct};

on_both_brokers!(a_host_that_is_killed_loses_nothing);

/// Two kills in the middle of a stream. The session is as short as Apache Kafka allows.
fn a_host_that_is_killed_loses_nothing(broker: &dyn Broker) {
    const TOTAL: i64 = 3000;
    let served = Orders::start();
    broker.create_topic("killed", 2);
    let session = if broker.source_keys().contains("session") {
        ""
    } else {
        "  session.timeout.ms: 6000\n"
    };
    let pipeline = served.pipeline(
        broker,
        "killed",
        &format!("  batch.max.rows: 20\n{session}"),
    );
    let project = Project::new();
    let brokers = broker.brokers();

    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..TOTAL).step_by(100) {
                let some = orders::records("killed", served.id, first..first + 100);
                produce(brokers, &some);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let mut seen = Vec::new();
        for _ in 0..2 {
            let run = project.run(&pipeline).start();
            run.wait_for_rows(300);
            let killed = run.kill();
            assert_eq!(killed.code, None, "{}", killed.stderr);
            seen.extend(killed.rows());
        }
        seen
    });
    assert!(
        distinct(&seen).len() < 3000,
        "killed too late to show anything"
    );

    let last = project
        .run(&pipeline.replace("  topics:", "  stop.mode: latest\n  topics:"))
        .finish()
        .with_code(0);
    assert!(!last.rows().is_empty());
    let all = [seen, last.rows()].concat();
    assert_eq!(distinct(&all), (0..TOTAL).collect());
    for row in &all {
        assert_eq!(*row, orders::row(orders::id(row)));
    }
}

#[test]
fn a_mock_broker_that_is_down_delays_and_loses_nothing() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("outage", 2);
    produce(
        mock.brokers(),
        &orders::records("outage", served.id, 0..100),
    );
    let project = Project::new();

    let mut run = project.run(&served.pipeline(&mock, "outage", "")).start();
    run.wait_for_rows(100);
    mock.broker_down(1);
    run.wait_for_stderr("still trying");
    std::thread::sleep(Duration::from_secs(1));
    mock.broker_up(1);
    produce(
        mock.brokers(),
        &orders::records("outage", served.id, 100..200),
    );
    run.wait_for_rows(200);
    run.terminate();
    let run = run.finish().with_code(0);

    assert_eq!(distinct(&run.rows()), (0..200).collect());
}

#[test]
fn a_broker_that_is_killed_delays_and_loses_nothing() {
    let Some(mut kafka) = available(Kafka::start()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("outage", 2);
    produce(
        kafka.brokers(),
        &orders::records("outage", served.id, 0..100),
    );
    let project = Project::new();

    let mut run = project.run(&served.pipeline(&kafka, "outage", "")).start();
    run.wait_for_rows(100);
    kafka.kill();
    run.wait_for_stderr("still trying");
    kafka.restart();
    produce(
        kafka.brokers(),
        &orders::records("outage", served.id, 100..200),
    );
    run.wait_for_rows(200);
    run.terminate();
    let run = run.finish().with_code(0);

    assert_eq!(distinct(&run.rows()), (0..200).collect());
}

#[test]
fn brokers_that_are_down_at_the_start_are_waited_for() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("late", 1);
    produce(mock.brokers(), &orders::records("late", served.id, 0..10));
    mock.broker_down(1);
    let project = Project::new();
    let pipeline = served.pipeline(&mock, "late", "  stop.mode: latest\n");

    let run = project.run(&pipeline).start();
    run.wait_for_stderr("still trying");
    mock.broker_up(1);

    assert_eq!(run.finish().with_code(0).rows().len(), 10);
}

#[test]
fn a_stop_while_brokers_are_down_says_that_offsets_are_not_committed() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("cut-off", 1);
    produce(
        mock.brokers(),
        &orders::records("cut-off", served.id, 0..10),
    );
    let project = Project::new();
    let pipeline = served.pipeline(&mock, "cut-off", "");
    let pipeline = pipeline.replace("commit.interval.ms: 100", "commit.interval.ms: 60000");

    let mut run = project.run(&pipeline).start();
    run.wait_for_rows(10);
    mock.broker_down(1);
    run.wait_for_stderr("still trying");
    run.terminate();
    let run = run.finish().with_code(1);

    let last = run.stderr.lines().last().expect("an error");
    assert!(
        last.starts_with("error: source: committing the last offsets: "),
        "{last}"
    );
}
