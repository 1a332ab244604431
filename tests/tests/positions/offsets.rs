//! Starting and stopping at offsets that the pipeline file or the group names.

use weir_tests::groups::committed;
use weir_tests::weir::Project;
use weir_tests::{Broker, on_both_brokers};

use super::{NONE, Orders, ids, in_all};

on_both_brokers!(
    specific_offsets_start_there_and_unnamed_partitions_where_the_group_is,
    flink_writes_specific_offsets_as_text,
    a_specific_offset_beyond_the_log_is_an_error,
    specific_offsets_stop_before_them_and_unnamed_partitions_are_not_read,
    group_offsets_stop_where_the_group_is,
);

fn specific_offsets_start_there_and_unnamed_partitions_where_the_group_is(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "specific", 3);
    let read = |source: &[&str]| {
        let source = [&["topics: [specific]"], source].concat();
        served.read(broker, "specific", &source)
    };
    let before = read(&[
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 2, 1: 2 }",
    ]);
    assert_eq!(before, in_all([0..2, 10..12]));

    let from = read(&[
        "startup.mode: specific-offsets",
        "startup.specific.offsets: { specific: { 0: 7 } }",
        "stop.mode: latest",
    ]);

    assert_eq!(from, in_all([7..10, 12..20, 20..30]));
}

fn flink_writes_specific_offsets_as_text(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "flink", 2);
    let read = |name: &str, offsets: &str| {
        let offsets = format!("startup.specific.offsets: \"{offsets}\"");
        let source = [
            "topics: [flink]",
            "startup.mode: specific-offsets",
            &offsets,
            "stop.mode: latest",
        ];
        served.read(broker, name, &source)
    };

    assert_eq!(
        read("flink", "partition:0,offset:3;partition:1,offset:10"),
        ids(3..10)
    );
    assert_eq!(
        read("flink-topic", "topic:flink,partition:1,offset:8"),
        in_all([0..10, 18..20])
    );
}

fn a_specific_offset_beyond_the_log_is_an_error(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "beyond", 2);
    let source = [
        "topics: [beyond]",
        "startup.mode: specific-offsets",
        "startup.specific.offsets: { 0: 0, 1: 11 }",
        "stop.mode: latest",
    ];

    let yaml = served.pipeline(broker, "beyond", &source);
    let refused = Project::new().run(&yaml).finish().with_code(1);

    assert_eq!(refused.stdout, "");
    assert_eq!(
        refused.stderr.lines().last(),
        Some(
            "error: source: startup.specific.offsets has 11 for beyond[1], and its log has 0 to 10"
        )
    );
    assert_eq!(
        committed(broker.brokers(), "weir-beyond", "beyond", 2),
        [None, None]
    );
}

fn specific_offsets_stop_before_them_and_unnamed_partitions_are_not_read(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "stopped", 3);
    let source = [
        "topics: [stopped]",
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 4, 2: 10 }",
    ];

    assert_eq!(
        served.read(broker, "stopped", &source),
        in_all([0..4, 20..30])
    );
    assert_eq!(
        committed(broker.brokers(), "weir-stopped", "stopped", 3),
        [Some(4), Some(0), Some(10)]
    );
    assert_eq!(served.read(broker, "stopped", &source), NONE);
    // Nothing was passed over.
    assert_eq!(
        served.read(
            broker,
            "stopped",
            &["topics: [stopped]", "stop.mode: latest"]
        ),
        in_all([4..10, 10..20])
    );
}

fn group_offsets_stop_where_the_group_is(broker: &dyn Broker) {
    let served = Orders::start();
    served.tens(broker, "again", 2);
    let read = |source: &[&str]| {
        let source = [&["topics: [again]"], source].concat();
        served.read(broker, "again", &source)
    };
    let before = read(&[
        "stop.mode: specific-offsets",
        "stop.specific.offsets: { 0: 6 }",
    ]);
    assert_eq!(before, ids(0..6));

    let again = read(&["startup.mode: earliest", "stop.mode: group-offsets"]);

    assert_eq!(again, ids(0..6));
    assert_eq!(
        committed(broker.brokers(), "weir-again", "again", 2),
        [Some(6), Some(0)]
    );
}
