//! Certificates and secrets that change while records flow: none is lost, none comes twice.

mod certificates;
mod secrets;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use weir_tests::certificates::Identity;
use weir_tests::kafka::Client;
use weir_tests::orders;
use weir_tests::records::{Reader, produce};
use weir_tests::weir::{Project, Running};

/// How long records may take on their way.
const SOON: Duration = Duration::from_secs(60);

/// Produces in small pieces, so that some are under way whatever happens meanwhile.
fn flow(brokers: &str, topic: &str, id: u32, numbers: Range<i64>) {
    let last = numbers.end;
    for start in numbers.step_by(5) {
        produce(
            brokers,
            &orders::records(topic, id, start..last.min(start + 5)),
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).expect("the file is copied");
}

fn show(identity: &Identity, project: &Project) {
    copy(identity.certificate(), &project.path().join("client.pem"));
    copy(identity.key(), &project.path().join("client.key"));
}

fn end(mut weir: Running<'_>) -> String {
    weir.terminate();
    weir.finish().with_code(0).stderr
}

/// The numbers of the orders on a topic, once there are so many.
fn numbers(brokers: &str, topic: &str, count: usize) -> Vec<i64> {
    let written = Reader::new(brokers, topic).at_least(count, SOON);
    written
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("a row");
            orders::id(&serde_json::from_slice(value).expect("JSON"))
        })
        .collect()
}

/// From topic `in` to topic `out`, both by this client.
fn pipeline(client: &Client, registry: &str, sink: &str) -> String {
    format!(
        "source:
{}  topics: [in]
  group.id: g
  commit.interval.ms: 200
schema.registry.url: {registry}
deserializer: avro
sink:
  kafka:
    topic: out
{sink}",
        client.yaml()
    )
}
