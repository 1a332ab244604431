//! Transactions: what is read of them, and where reading ends.

use std::ops::Range;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use weir_tests::groups::{committed, ends};
use weir_tests::kafka::Kafka;
use weir_tests::{available, orders};

use super::{Orders, PATIENCE, ids};

/// A producer of transactions.
struct Transactions(BaseProducer);

impl Transactions {
    fn start(kafka: &Kafka, id: &str) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka.brokers())
            .set("transactional.id", id)
            .create()
            .expect("a producer");
        producer.init_transactions(PATIENCE).expect("a coordinator");
        Self(producer)
    }

    fn begin(&self, served: &Orders, topic: &str, numbers: Range<i64>) {
        self.0.begin_transaction().expect("a transaction");
        for n in numbers {
            let value = orders::framed(served.id, n);
            let record = BaseRecord::<(), [u8]>::to(topic).payload(&value);
            self.0.send(record).expect("there is room");
        }
        self.0.flush(PATIENCE).expect("all is sent");
    }

    fn commit(&self) {
        self.0.commit_transaction(PATIENCE).expect("it commits");
    }

    fn abort(&self) {
        self.0.abort_transaction(PATIENCE).expect("it aborts");
    }
}

#[test]
fn aborted_transactions_are_read_only_when_asked_for() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("isolated", 1);
    let transactions = Transactions::start(kafka, "isolated");
    transactions.begin(&served, "isolated", 0..5);
    transactions.abort();
    transactions.begin(&served, "isolated", 5..10);
    transactions.commit();
    let read = |name: &str, more: &[&str]| {
        let source = [&["topics: [isolated]", "stop.mode: latest"], more].concat();
        served.read(kafka, name, &source)
    };

    assert_eq!(read("isolated", &[]), ids(5..10));
    for (level, expected) in [
        ("read_committed", ids(5..10)),
        ("read_uncommitted", ids(0..10)),
    ] {
        let isolation = format!("isolation.level: {level}");
        assert_eq!(read(level, &[&isolation]), expected, "{level}");
        let group = format!("weir-{level}");
        assert_eq!(
            committed(kafka.brokers(), &group, "isolated", 1),
            [Some(12)]
        );
    }
}

/// The bound is what can be read at the start, not the end of the log.
#[test]
fn an_open_transaction_does_not_keep_bounded_reading_from_its_end() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("open", 1);
    let transactions = Transactions::start(kafka, "open");
    transactions.begin(&served, "open", 0..5);
    transactions.commit();
    transactions.begin(&served, "open", 5..10);

    let source = ["topics: [open]", "stop.mode: latest"];
    assert_eq!(served.read(kafka, "open", &source), ids(0..5));

    transactions.commit();
    assert_eq!(served.read(kafka, "open", &source), ids(5..10));
}

#[test]
fn each_mode_stops_in_a_topic_that_ends_in_markers_of_transactions() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("marked", 1);
    let transactions = Transactions::start(kafka, "marked");
    transactions.begin(&served, "marked", 0..10);
    transactions.commit();
    transactions.begin(&served, "marked", 10..15);
    transactions.abort();
    assert_eq!(ends(kafka.brokers(), "marked", 1), [Some(17)]);
    let to = |name: &str, source: &[&str]| {
        let source = [&["topics: [marked]"], source].concat();
        served.read(kafka, name, &source)
    };

    // The first marker is at 10, what was aborted follows, and ends with the marker at 16.
    for offset in [10, 11, 14, 17] {
        let offsets = format!("stop.specific.offsets: {{ 0: {offset} }}");
        assert_eq!(
            to(
                &format!("marked-{offset}"),
                &["stop.mode: specific-offsets", &offsets]
            ),
            ids(0..10),
            "{offset}"
        );
    }
    let latest = to("marked", &["stop.mode: latest"]);
    assert_eq!(latest, ids(0..10));
    assert_eq!(
        committed(kafka.brokers(), "weir-marked", "marked", 1),
        [Some(17)]
    );
    let group = to(
        "marked",
        &["startup.mode: earliest", "stop.mode: group-offsets"],
    );
    assert_eq!(group, ids(0..10));
    let time = to(
        "marked-time",
        &[
            "stop.mode: timestamp",
            "stop.timestamp.ms: 2999-01-01T00:00:00Z",
        ],
    );
    assert_eq!(time, ids(0..10));
}
