//! Records that cannot be decoded, and a registry that cannot be asked.

use std::time::Duration;

use serde_json::Value;
use weir_tests::groups::committed;
use weir_tests::mock::Mock;
use weir_tests::records::{Record, produce};
use weir_tests::registry::{Fault, Registry};
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker as _, orders};

/// The mock cluster and a registry with the schema of orders.
struct Peers {
    mock: Mock,
    registry: Registry,
    schema_id: u32,
}

impl Peers {
    fn start() -> Self {
        let mock = Mock::start();
        let (registry, schema_id) = orders::registry();
        mock.create_topic("orders", 1);
        Self {
            mock,
            registry,
            schema_id,
        }
    }

    fn produce(&self, values: impl IntoIterator<Item = Vec<u8>>) {
        let records = values.into_iter();
        let records: Vec<Record> = records
            .map(|value| Record::new("orders").value(value))
            .collect();
        produce(self.mock.brokers(), &records);
    }

    fn good(&self, n: i64) -> Vec<u8> {
        orders::framed(self.schema_id, n)
    }

    /// A bounded pipeline in batches of `rows`.
    fn pipeline(&self, rows: u32, rest: &str) -> String {
        format!(
            "name: orders
source:
  bootstrap.servers: {}
  topics: [orders]
  stop.mode: latest
  batch.max.rows: {rows}
{}schema.registry.url: {}
schema.registry.request.timeout.ms: 1000
deserializer: {{ value: {{ plugin: avro }} }}
{rest}",
            self.mock.brokers(),
            self.mock.source_keys(),
            self.registry.url()
        )
    }

    /// The offset from which a run of the same group would read.
    fn committed(&self) -> i64 {
        committed(self.mock.brokers(), "weir-orders", "orders", 1)[0].unwrap_or(0)
    }
}

fn rows(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    numbers.into_iter().map(orders::row).collect()
}

/// The reason that standard error gives for the record at `offset`.
fn reason(finished: &Finished, offset: i64) -> &str {
    let start = format!("bad record in orders[0] at offset {offset}: ");
    match finished.lines_with(&start)[..] {
        [line] => line.split_once(&start).expect("it has the text").1,
        _ => panic!("not one line for offset {offset} in:\n{}", finished.stderr),
    }
}

/// Bad payloads, each made of a good one, and what is said of each.
fn bad_payloads(peers: &Peers) -> Vec<(Vec<u8>, String)> {
    let good = peers.good(5);
    let with = |at: usize, bytes: &[u8]| {
        let mut payload = good.clone();
        payload.splice(at..at + bytes.len(), bytes.iter().copied());
        payload
    };
    // After the frame comes the id in one byte, then the length of the customer's name.
    let length_of_customer = 6;
    let reasons = [
        (
            good[..good.len() - 3].to_vec(),
            "field `occurred_at`, byte 51: the record ends in the middle of a value",
        ),
        (
            good[..3].to_vec(),
            "3 bytes are too few for the Confluent wire format",
        ),
        (Vec::new(), "0 bytes are too few"),
        (with(0, &[1]), "the first byte is 0x01, not the zero byte"),
        (with(1, &[0, 0, 3, 232]), "schema id 1000 not found: "),
        (
            with(length_of_customer, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            "field `customer`, byte 6: a length reaches beyond the end of the record",
        ),
        (
            with(length_of_customer, &[0x01]),
            "field `customer`, byte 2: a length is negative",
        ),
        (
            [good.as_slice(), b"rest"].concat(),
            "byte 57: there are bytes after the end of the record",
        ),
    ];
    reasons
        .map(|(bytes, reason)| (bytes, reason.to_owned()))
        .into()
}

#[test]
fn bad_records_are_reported_and_all_others_delivered() {
    let peers = Peers::start();
    let bad = bad_payloads(&peers);
    let last = i64::try_from(bad.len()).expect("few");
    // Good and bad in turn, then a batch of good ones.
    let interleaved = (0..).zip(&bad).flat_map(|(n, (payload, _))| {
        let payload = payload.clone();
        [peers.good(n), payload]
    });
    peers.produce(interleaved.chain((last..2 * last).map(|n| peers.good(n))));

    let batch = u32::try_from(2 * last).expect("few");
    let yaml = peers.pipeline(batch, "");
    let run = Project::new().run(&yaml).finish().with_code(0);

    assert_eq!(run.rows(), rows(0..2 * last));
    for (n, (_, expected)) in (0..).zip(&bad) {
        let reason = reason(&run, 2 * n + 1);
        assert!(reason.contains(expected), "{n}: {reason}");
    }
    assert!(
        run.summary()
            .ends_with(&format!(", {} bad records", bad.len())),
        "{}",
        run.summary()
    );
    assert_eq!(peers.committed(), 3 * last);
}

#[test]
fn many_bad_records_of_one_batch_share_a_line() {
    let peers = Peers::start();
    peers.produce((0..50).map(|_| b"junk".to_vec()));

    let yaml = peers.pipeline(100, "");
    let run = Project::new().run(&yaml).finish().with_code(0);

    assert_eq!(
        run.lines_with("bad record in orders[0] at offset").len(),
        20
    );
    let rest = run.lines_with("30 more bad records in orders[0] at offsets 20, 21, 22");
    assert_eq!(rest.len(), 1, "{}", run.stderr);
}

#[test]
fn without_tolerance_the_first_bad_record_stops_before_its_batch() {
    let peers = Peers::start();
    let values = (0..10).map(|n| match n {
        7 => b"junk".to_vec(),
        _ => peers.good(n),
    });
    peers.produce(values);

    let yaml = peers.pipeline(5, "errors: { tolerance: none }\n");
    let run = Project::new().run(&yaml).finish().with_code(1);

    assert_eq!(
        run.stderr.lines().last(),
        Some(
            "error: orders[0] at offset 7: 4 bytes are too few for the Confluent wire format, which starts with a \
             zero byte and a 4-byte schema id; stopped because errors.tolerance is none. Nothing of its batch is \
             committed"
        )
    );
    assert_eq!(run.rows(), rows(0..5));
    assert_eq!(peers.committed(), 5);
}

#[test]
fn a_registry_that_is_down_holds_everything_and_loses_nothing() {
    for fault in [Fault::Down, Fault::Status(503), Fault::Status(429)] {
        let peers = Peers::start();
        peers.registry.set_fault(fault);
        peers.produce((0..30).map(|n| peers.good(n)));

        let yaml = peers.pipeline(10, "");
        let project = Project::new();
        let run = project.run(&yaml).start();
        run.wait_for_stderr("orders[0] from offset 0: schema id 1: ");
        run.wait_for_stderr("trying again in 600 ms");
        assert_eq!(run.rows(), rows([]));
        assert_eq!(peers.committed(), 0);
        peers.registry.set_fault(Fault::None);
        let run = run.finish().with_code(0);

        assert_eq!(run.rows(), rows(0..30), "{fault:?}");
        assert_eq!(run.lines_with("bad record").len(), 0, "{}", run.stderr);
        assert_eq!(peers.committed(), 30);
    }
}

#[test]
fn a_registry_that_stays_down_does_not_keep_a_pipeline_from_stopping() {
    let peers = Peers::start();
    peers
        .registry
        .set_fault(Fault::Slow(Duration::from_secs(5)));
    peers.produce([peers.good(0)]);

    let project = Project::new();
    let mut run = project.run(&peers.pipeline(10, "")).start();
    run.wait_for_stderr("did not answer within 1000 ms");
    run.terminate();
    let run = run.finish_within(Duration::from_secs(10)).with_code(0);

    assert_eq!(run.rows(), rows([]));
    assert_eq!(peers.committed(), 0, "{}", run.stderr);
}

#[test]
fn what_the_registry_refuses_is_bad_and_the_rest_goes_on() {
    let peers = Peers::start();
    peers.produce([peers.good(0), orders::framed(99, 1), peers.good(2)]);
    let missing = Project::new().run(&peers.pipeline(10, "")).finish();
    let missing = missing.with_code(0);
    assert_eq!(missing.rows(), rows([0, 2]));
    let said = reason(&missing, 1);
    assert!(
        said.starts_with("schema id 99 not found: ")
            && said.contains("/schemas/ids/99")
            && said.ends_with("Schema not found"),
        "{said}"
    );

    peers.produce([peers.good(3)]);
    for (fault, expected) in [
        (
            Fault::Garbage,
            "answered with something that is not a schema",
        ),
        (
            Fault::Status(401),
            "answered 401: set `schema.registry.basic.auth.user.info`",
        ),
    ] {
        peers.registry.set_fault(fault);
        let yaml = peers
            .pipeline(10, "errors: { tolerance: none }\n")
            .replace("name: orders", "name: refused")
            .replace("stop.mode", "startup.mode: earliest\n  stop.mode");
        let refused = Project::new().run(&yaml).finish().with_code(1);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
}
