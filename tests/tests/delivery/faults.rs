//! A broker that refuses, answers slowly, or drops connections in mid-fetch.

use std::time::Duration;

use rdkafka::types::RDKafkaApiKey;
use rdkafka::types::RDKafkaRespErr::{self, *};
use weir_tests::mock::Mock;
use weir_tests::orders;
use weir_tests::records::produce;
use weir_tests::weir::Project;

use super::{Orders, ids};

/// Reads 200 orders of a topic with small fetches, while these requests fail.
fn read_with(topic: &str, faults: &[(RDKafkaApiKey, &[RDKafkaRespErr])], prepare: impl Fn(&Mock)) {
    let served = Orders::start();
    let mock = Mock::start();
    mock.create_topic(topic, 1);
    produce(mock.brokers(), &orders::records(topic, served.id, 0..200));
    prepare(&mock);
    for (key, errors) in faults {
        mock.fail_requests(*key, errors);
    }
    let source = "  stop.mode: latest\n  fetch.max.bytes: 1000\n  max.partition.fetch.bytes: 1000\n  \
                  retry.backoff.ms: 10\n  reconnect.backoff.ms: 10\n  librdkafka: { fetch.error.backoff.ms: 10 }\n";
    let yaml = served.pipeline(&mock, topic, source);
    let run = Project::new().run(&yaml).finish().with_code(0);
    assert_eq!(
        ids(&run.rows()),
        (0..200).collect::<Vec<_>>(),
        "{}",
        run.stderr
    );
    assert_eq!(
        weir_tests::groups::committed(mock.brokers(), &format!("weir-{topic}"), topic, 1),
        [Some(200)]
    );
}

#[test]
fn refused_fetches_delay_and_lose_nothing() {
    let errors = [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    ];
    read_with("refused", &[(RDKafkaApiKey::Fetch, &errors)], |_| {});
}

#[test]
fn connections_that_drop_in_mid_fetch_delay_and_lose_nothing() {
    let errors = [RD_KAFKA_RESP_ERR__TRANSPORT; 3];
    read_with("dropped", &[(RDKafkaApiKey::Fetch, &errors)], |_| {});
}

#[test]
fn a_group_that_is_refused_for_a_while_is_joined_in_the_end() {
    let coordinator = [
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    ];
    let faults: [(RDKafkaApiKey, &[RDKafkaRespErr]); 3] = [
        (RDKafkaApiKey::FindCoordinator, &coordinator[..1]),
        (RDKafkaApiKey::JoinGroup, &coordinator[1..]),
        (RDKafkaApiKey::OffsetFetch, &coordinator[1..]),
    ];
    read_with("unjoined", &faults, |_| {});
}

#[test]
fn slow_answers_delay_and_lose_nothing() {
    read_with("slow", &[], |mock| {
        mock.slow_down(1, Duration::from_millis(200));
    });
}
