//! `metrics.listen`: what a pipeline counts, for Prometheus.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use weir_tests::records::produce;
use weir_tests::weir::{Project, Running};
use weir_tests::{Broker, on_both_brokers, orders};

on_both_brokers!(counts_lag_and_clients_are_exported);

const PATIENCE: Duration = Duration::from_secs(30);

fn counts_lag_and_clients_are_exported(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("counted", 2);
    broker.create_topic("counted-out", 1);
    produce(broker.brokers(), &orders::records("counted", id, 0..50));
    let yaml = format!(
        "name: counted
source:
  bootstrap.servers: {}
  topics: [counted]
  statistics.interval.ms: 100
  rate.limit.messages: 0
{}schema.registry.url: {}
deserializer: avro
sink.kafka: {{ topic: counted-out }}
metrics.listen: 127.0.0.1:0
",
        broker.brokers(),
        broker.source_keys(),
        registry.url()
    );
    let project = Project::new();
    let mut run = project.run(&yaml).start();

    // With a rate of 0, nothing is read, and what is there is lag once the ends are known:
    // from the first answer to a fetch.
    let lines = wait_for(&run, |lines| sum(lines, "weir_messages_total") == Some(0));
    assert_eq!(value(&lines, "weir_rows_total", &[]), Some(0));

    let faster = yaml.replace("rate.limit.messages: 0", "rate.limit.messages: 1000000");
    project.write("pipeline.yaml", faster);
    run.hang_up();
    let lines = wait_for(&run, |lines| {
        sum(lines, "weir_delivered") == Some(50) && sum(lines, "weir_log_end") == Some(50)
    });
    for (metric, expected) in [
        ("weir_messages_total", 50),
        ("weir_rows_total", 50),
        ("weir_bad_records_total", 0),
        ("weir_position", 50),
        ("weir_lag", 0),
    ] {
        assert_eq!(sum(&lines, metric), Some(expected), "{metric}");
    }
    let lines = wait_for(&run, |lines| {
        value(
            lines,
            "weir_kafka_assigned_partitions",
            &["client=\"source\""],
        ) == Some(2)
            && sum(lines, "weir_kafka_requests_total").is_some_and(|requests| requests > 2)
    });
    let labels = ["pipeline=\"counted\"", "client=\"source\"", "broker=\"1\""];
    assert_eq!(value(&lines, "weir_kafka_broker_up", &labels), Some(1));

    run.terminate();
    let _ = run.finish().with_code(0);
}

#[test]
fn a_port_that_is_taken_is_an_error_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let yaml = format!(
        "source: {{ bootstrap.servers: 127.0.0.1:1, topics: [a] }}\ndeserializer: avro\n\
         metrics.listen: {address}\n"
    );
    let run = Project::new().run(&yaml).finish().with_code(2);
    let expected = format!("error: metrics.listen: {address}: Address already in use");
    assert_eq!(run.lines_with(&expected).len(), 1, "{}", run.stderr);
}

/// The samples, as soon as they are as they should be.
fn wait_for(run: &Running<'_>, right: impl Fn(&[String]) -> bool) -> Vec<String> {
    run.wait_for_stderr("metrics are at ");
    let stderr = run.stderr();
    let (_, rest) = stderr.split_once("metrics are at ").expect("the address");
    let url = rest.lines().next().expect("a line");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answer = ureq::get(url).call().expect("an answer");
        let kind = answer.headers()["content-type"].to_str().expect("text");
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let body = answer.body_mut().read_to_string().expect("text");
        assert!(body.ends_with("# EOF\n"), "{body}");
        let lines: Vec<String> = body.lines().map(str::to_owned).collect();
        if right(&lines) {
            return lines;
        }
        assert!(Instant::now() < deadline, "{body}\n{}", run.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The values of a metric that has all of these labels.
fn values(lines: &[String], metric: &str, labels: &[&str]) -> Vec<i64> {
    let start = format!("{metric}{{");
    lines
        .iter()
        .filter(|line| line.starts_with(&start) && labels.iter().all(|label| line.contains(label)))
        .map(|line| {
            let (_, value) = line.rsplit_once(' ').expect("a value");
            value.parse().expect("a whole number")
        })
        .collect()
}

fn value(lines: &[String], metric: &str, labels: &[&str]) -> Option<i64> {
    values(lines, metric, labels).first().copied()
}

/// Over all of its labels; `None` where the metric is not there.
fn sum(lines: &[String], metric: &str) -> Option<i64> {
    let values = values(lines, metric, &[]);
    (!values.is_empty()).then(|| values.iter().sum())
}
