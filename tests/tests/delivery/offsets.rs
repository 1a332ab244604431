//! Offsets that are not those of records: markers of transactions, and what was deleted.

use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use weir_tests::groups::{committed, ends};
use weir_tests::kafka::Kafka;
use weir_tests::records::produce;
use weir_tests::weir::Project;
use weir_tests::{available, orders};

use super::{Orders, ids};

const PATIENCE: Duration = Duration::from_secs(20);

fn client(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    config
}

#[test]
fn messages_that_were_deleted_before_they_were_read_are_not_passed_over() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("retained", 1);
    let bounded = served.pipeline(kafka, "retained", "  stop.mode: latest\n");
    let project = Project::new();
    produce(
        kafka.brokers(),
        &orders::records("retained", served.id, 0..10),
    );
    let _ = project.run(&bounded).finish().with_code(0);
    produce(
        kafka.brokers(),
        &orders::records("retained", served.id, 10..40),
    );
    delete_before(kafka, "retained", 25);

    let lost = project.run(&bounded).finish().with_code(1);

    assert_eq!(lost.stdout, "");
    assert_eq!(
        lost.stderr.lines().last(),
        Some(
            "error: source: the committed offset 10 of retained[0] is not in the log, which has 25 to 40: messages \
             were deleted before they were read, or the topic was made anew. To accept the loss, set startup.mode \
             to earliest or latest for one run"
        )
    );
    assert_eq!(
        committed(kafka.brokers(), "weir-retained", "retained", 1),
        [Some(10)]
    );

    let accepted = bounded.replace("  stop.mode", "  startup.mode: earliest\n  stop.mode");
    let accepted = project.run(&accepted).finish().with_code(0);
    assert_eq!(ids(&accepted.rows()), (25..40).collect::<Vec<_>>());
}

#[test]
fn a_topic_that_ends_in_markers_of_transactions_is_read_to_its_end() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let served = Orders::start();
    kafka.create_topic("transacted", 1);
    let producer: BaseProducer = client(kafka)
        .set("transactional.id", "weir-tests-transacted")
        .create()
        .expect("a producer");
    producer.init_transactions(PATIENCE).expect("a coordinator");
    for (numbers, commits) in [
        (0..10, true),
        (10..20, false),
        (20..30, true),
        (30..40, false),
    ] {
        producer.begin_transaction().expect("a transaction");
        for n in numbers {
            let value = orders::framed(served.id, n);
            let record = BaseRecord::<(), [u8]>::to("transacted").payload(&value);
            producer.send(record).expect("there is room");
        }
        producer.flush(PATIENCE).expect("all is sent");
        if commits {
            producer.commit_transaction(PATIENCE).expect("it commits");
        } else {
            producer.abort_transaction(PATIENCE).expect("it aborts");
        }
    }
    let project = Project::new();

    let bounded = served.pipeline(kafka, "transacted", "  stop.mode: latest\n");
    let run = project.run(&bounded).finish().with_code(0);

    let visible: Vec<i64> = (0..10).chain(20..30).collect();
    assert_eq!(ids(&run.rows()), visible);
    let end = ends(kafka.brokers(), "transacted", 1);
    assert_eq!(end, [Some(44)], "four transactions have four markers");
    assert_eq!(
        committed(kafka.brokers(), "weir-transacted", "transacted", 1),
        end
    );
}

/// Deletes the records of partition 0 before an offset, as retention does.
pub(super) fn delete_before(kafka: &Kafka, topic: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = client(kafka).create().expect("an admin client");
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("a valid offset");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let deleted = block_on(admin.delete_records(&offsets, &options)).expect("it answers");
    for element in deleted.elements() {
        element.error().expect("the records are deleted");
    }
}
