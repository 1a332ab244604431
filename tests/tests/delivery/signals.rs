//! Ctrl-C, SIGTERM, and a reader that goes away.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use weir_tests::groups::committed;
use weir_tests::mock::Mock;
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{Broker, on_both_brokers, orders};

use super::{Orders, ids};

on_both_brokers!(the_first_signal_delivers_and_commits_what_is_under_way);

fn the_first_signal_delivers_and_commits_what_is_under_way(broker: &dyn Broker) {
    let served = Orders::start();
    for (topic, interrupt) in [("stop-term", false), ("stop-int", true)] {
        broker.create_topic(topic, 1);
        produce(
            broker.brokers(),
            &orders::records(topic, served.id, 0..5000),
        );
        let project = Project::new();

        let mut run = project
            .run(&served.pipeline(broker, topic, "  batch.max.rows: 100\n"))
            .start();
        run.wait_for_rows(1);
        if interrupt {
            run.interrupt();
        } else {
            run.terminate();
        }
        let run = run.finish_within(Duration::from_secs(20)).with_code(0);

        let delivered = run.rows().len();
        assert_eq!(
            ids(&run.rows()),
            (0..5000).take(delivered).collect::<Vec<_>>()
        );
        assert_eq!(run.lines_with("weir: stopping: ").len(), 1);
        assert!(run.summary().starts_with(&format!("weir: {topic}: ")));
        let committed = committed(broker.brokers(), &format!("weir-{topic}"), topic, 1);
        assert_eq!(committed, [i64::try_from(delivered).ok()]);
    }
}

#[test]
fn the_second_signal_ends_without_waiting() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("stuck", 1);
    produce(
        mock.brokers(),
        &orders::records("stuck", served.id, 0..5000),
    );
    let project = Project::new();

    // Nobody reads, so that what is under way can never be delivered.
    let (mut run, _stdout) = project
        .run(&served.pipeline(&mock, "stuck", ""))
        .start_unread();
    std::thread::sleep(Duration::from_secs(2));
    run.terminate();
    run.wait_for_stderr("once more to end at once");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!run.has_ended(), "{}", run.stderr());
    run.terminate();

    let _ = run.finish_within(Duration::from_secs(5)).with_code(130);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mock = Mock::start();
    let served = Orders::start();
    mock.create_topic("head", 1);
    produce(mock.brokers(), &orders::records("head", served.id, 0..5000));
    let project = Project::new();

    let (run, stdout) = project
        .run(&served.pipeline(&mock, "head", ""))
        .start_unread();
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line).expect("a row");
    drop(stdout);
    let run = run.finish_within(Duration::from_secs(20)).with_code(0);

    let row: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(row, orders::row(0));
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.summary().starts_with("weir: head: "));
}
