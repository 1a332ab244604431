//! The demo on brokers that are not its own, and its pipeline file there.

use weir_tests::available;
use weir_tests::kafka::Kafka;
use weir_tests::weir::Project;

#[test]
fn it_publishes_to_brokers_of_ones_own_as_often_as_one_likes() {
    let Some(kafka) = available(Kafka::shared()) else {
        return;
    };
    let project = Project::new();
    for time in 1..=2 {
        let demo = project.weir(["demo", "--bootstrap-servers", kafka.brokers()]);
        let summary = demo.finish().with_code(0).summary().to_owned();
        assert!(summary.contains("1,707 rows"), "time {time}: {summary}");
    }
}

#[test]
fn brokers_that_are_not_there_are_an_error_that_names_them() {
    let demo = Project::new()
        .weir(["demo", "--bootstrap-servers", "localhost:1"])
        .finish();
    let error = demo.with_code(1).stderr;
    assert!(
        error.contains("making topic earthquakes at localhost:1: "),
        "{error}"
    );
}
