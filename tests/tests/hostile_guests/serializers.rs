//! Serializers that break: nothing is lost or sent in part, and the rows at fault are named.

use std::sync::OnceLock;

use serde_json::json;
use weir_tests::groups::committed;
use weir_tests::mock::Mock;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker as _, guest};

/// The serializer of `tests/guests/misbehaving`, built once.
fn misbehaving() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let project = Project::new();
        let out = project.path().join("guest.wasm");
        let options = ["--features", "serializer"];
        guest::build_with(&options, "tests/guests/misbehaving", &out);
        std::fs::read(out).expect("it was built")
    })
}

/// Puts rows with one text each through the misbehaving serializer, in one partition.
struct Run {
    mock: Mock,
    project: Project,
}

impl Run {
    fn of(texts: &[&str]) -> Self {
        let mock = Mock::start();
        mock.create_topic("hostile", 1);
        mock.create_topic("out", 1);
        let record =
            |text: &&str| Record::new("hostile").value(json!({ "what": text }).to_string());
        produce(
            mock.brokers(),
            &texts.iter().map(record).collect::<Vec<_>>(),
        );
        let project = Project::new();
        project.write("writer.wasm", misbehaving());
        Self { mock, project }
    }

    fn finish(&self, rows: usize, options: &str) -> Finished {
        let yaml = format!(
            "name: hostile
source:
  bootstrap.servers: {}
  topics: [hostile]
  stop.mode: latest
  batch.max.rows: {rows}
{}deserializer: {{ value: {{ plugin: json, options: {{ columns: {{ what: utf8 }} }} }} }}
sink.kafka: {{ topic: out, serializer: {{ plugin: ./writer.wasm, options: {options} }} }}
plugin.memory.max.bytes: 67108864
plugin.call.timeout.ms: 1000
",
            self.mock.brokers(),
            self.mock.source_keys()
        );
        self.project.run(&yaml).finish()
    }

    /// The payloads that were sent.
    fn sent(&self) -> Vec<String> {
        let records = Reader::new(self.mock.brokers(), "out").to_end();
        let text = |record: Record| {
            String::from_utf8(record.value.expect("no tombstone")).expect("a text")
        };
        records.into_iter().map(text).collect()
    }

    fn committed(&self) -> Option<i64> {
        committed(self.mock.brokers(), "weir-hostile", "hostile", 1)[0]
    }
}

#[test]
fn rows_that_break_a_serializer_are_found_and_the_others_sent() {
    let not_valid = |what: &str| format!("the plug-in's answer is not valid: {what}");
    let offsets = "payloads: offsets have to start at 0, never decrease and end at";
    let breaks = [
        (
            "trap",
            "the plug-in trapped: wasm trap: wasm `unreachable` instruction executed".to_owned(),
        ),
        (
            "panic",
            "the plug-in trapped: wasm trap: wasm `unreachable` instruction executed (panicked at "
                .to_owned(),
        ),
        ("loop", "the plug-in ran for longer than 1000 ms".to_owned()),
        (
            "eat",
            "the plug-in needs more memory than plugin.memory.max.bytes allows (67108864 bytes)"
                .to_owned(),
        ),
        ("refuse", "told to".to_owned()),
        (
            "lie payload missing",
            not_valid("payloads: 1 offsets for 1 values, which have one more"),
        ),
        (
            "lie payload extra",
            not_valid("payloads: 3 offsets for 1 values, which have one more"),
        ),
        (
            "lie no payloads",
            not_valid("payloads: 0 offsets for 1 values, which have one more"),
        ),
        ("lie offsets beyond", not_valid(offsets)),
        ("lie offsets back", not_valid(offsets)),
        ("lie bytes left", not_valid(offsets)),
        (
            "lie short validity",
            not_valid("payloads: a validity bitmap of 0 bytes for 1 values"),
        ),
        (
            "lie error beyond",
            not_valid("an error is about message 4294967295 of 1"),
        ),
        (
            "lie error twice",
            not_valid("errors are not in ascending order of messages"),
        ),
        (
            "lie headers missing",
            not_valid("headers: row offsets: 1 offsets for 1 values, which have one more"),
        ),
        (
            "lie headers beyond",
            not_valid("headers: row offsets: offsets have to start at 0"),
        ),
        ("lie header names", not_valid("headers: names: offsets")),
    ];
    let mut texts = Vec::new();
    let good: Vec<String> = (0..=breaks.len()).map(|n| format!("good {n}")).collect();
    for (good, (bad, _)) in good.iter().zip(&breaks) {
        texts.extend([good.as_str(), *bad]);
    }
    texts.push(&good[breaks.len()]);
    let run = Run::of(&texts);

    let finished = run.finish(texts.len(), "{}").with_code(0);

    assert_eq!(run.sent(), good, "{}", finished.stderr);
    for (n, (text, expected)) in breaks.iter().enumerate() {
        let offset = 2 * n + 1;
        let start = format!("bad record in hostile[0] at offset {offset}: ");
        let [line] = finished.lines_with(&start)[..] else {
            panic!("not one line for offset {offset} in:\n{}", finished.stderr);
        };
        let expected = format!("{start}its value cannot be written: {expected}");
        assert!(line.contains(&expected), "{text}: {line}");
    }
    let search = finished.lines_with("looking for the messages at fault among the");
    assert!(search[0].contains("writer.wasm: "), "{}", search[0]);
    assert!(!finished.stderr.contains(['\u{7}', '\u{1b}']));
    assert_eq!(run.committed(), Some(35));
}

#[test]
fn a_serializer_that_fails_a_batch_stops_the_pipeline_and_sends_nothing_of_it() {
    let run = Run::of(&["0", "1", "2", "fail"]);

    let finished = run.finish(2, "{}").with_code(1);

    let last = finished.stderr.lines().last().expect("an error");
    assert!(
        last.ends_with("writer.wasm: told to fail by a row"),
        "{last}"
    );
    assert_eq!(run.sent(), ["0", "1"]);
    assert_eq!(run.committed(), Some(2));
}

#[test]
fn a_serializer_that_breaks_on_all_rows_stops_the_pipeline() {
    let run = Run::of(&["trap"; 40]);

    let finished = run.finish(40, "{}").with_code(1);

    let last = finished.stderr.lines().last().expect("an error");
    assert!(
        last.contains("writer.wasm: the plug-in trapped: ")
            && last.contains("it is the plug-in that is broken, not the messages"),
        "{last}"
    );
    assert!(run.sent().is_empty());
    assert_eq!(run.committed().unwrap_or(0), 0);
}

#[test]
fn a_serializer_that_breaks_while_it_learns_of_columns_stops_before_anything_is_sent() {
    for (told, why) in [
        ("trap", "the plug-in trapped: wasm trap"),
        ("loop", "the plug-in ran for longer than 1000 ms"),
        ("fail", "no such columns, I say"),
    ] {
        let run = Run::of(&["0", "1"]);
        let finished = run
            .finish(1, &format!("{{ prepare: {told} }}"))
            .with_code(1);
        let last = finished.stderr.lines().last().expect("an error");
        assert!(
            last.contains("writer.wasm: ") && last.contains(why),
            "{told}: {last}"
        );
        assert!(run.sent().is_empty(), "{told}");
        assert_eq!(run.committed().unwrap_or(0), 0, "{told}");
    }
}

#[test]
fn what_a_serializer_waits_for_is_waited_for() {
    let run = Run::of(&["0", "1", "2"]);

    let finished = run.finish(2, "{ prepare: wait }").with_code(0);

    assert!(
        !finished.lines_with("not now").is_empty(),
        "{}",
        finished.stderr
    );
    assert_eq!(run.sent(), ["0", "1", "2"]);
    assert_eq!(run.committed(), Some(3));
}

#[test]
fn a_serializer_that_breaks_while_it_is_opened_is_named_before_anything_runs() {
    let run = Run::of(&["0"]);
    let finished = run.finish(1, "{ on: panic }");
    assert_ne!(finished.code, Some(0));
    for part in ["writer.wasm", "opened to panic"] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    assert!(run.sent().is_empty());
}
