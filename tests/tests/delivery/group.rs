//! Members that join and leave while records come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_tests::groups::{committed, ends};
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{Broker, on_both_brokers, orders};

use super::{Orders, distinct};

on_both_brokers!(a_member_that_joins_and_leaves_costs_nothing);

const PARTITIONS: i32 = 4;

fn a_member_that_joins_and_leaves_costs_nothing(broker: &dyn Broker) {
    let served = Orders::start();
    broker.create_topic("shared", PARTITIONS);
    let pipeline = served.pipeline(broker, "shared", "  batch.max.rows: 50\n");
    let (first, second) = (Project::new(), Project::new());
    let done = AtomicBool::new(false);
    let brokers = broker.brokers();

    let (rows, joined) = std::thread::scope(|scope| {
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
        (rows, joined.rows().len())
    });

    assert!(joined >= 200);
    assert_eq!(rows.len(), distinct(&rows).len(), "delivered twice");
    assert_eq!(
        committed(broker.brokers(), "weir-shared", "shared", PARTITIONS),
        ends(broker.brokers(), "shared", PARTITIONS)
    );
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
