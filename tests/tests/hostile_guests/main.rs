//! Plug-ins that break: the host stays up, names them and the records, and delivers the rest.

mod serializers;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::groups::committed;
use weir_tests::mock::Mock;
use weir_tests::records::{Record, produce};
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker as _, guest};

/// The plug-in of `tests/guests/misbehaving`, built once.
fn misbehaving() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| built("tests/guests/misbehaving"))
}

fn built(folder: &str) -> Vec<u8> {
    let project = Project::new();
    let out: PathBuf = project.path().join("guest.wasm");
    guest::build(folder, &out);
    std::fs::read(out).expect("it was built")
}

/// Puts messages through the misbehaving plug-in, in one partition.
struct Run {
    mock: Mock,
    project: Project,
}

impl Run {
    fn of(messages: &[String]) -> Self {
        let mock = Mock::start();
        mock.create_topic("hostile", 1);
        let record = |message: &String| Record::new("hostile").value(message);
        produce(
            mock.brokers(),
            &messages.iter().map(record).collect::<Vec<_>>(),
        );
        let project = Project::new();
        project.write("misbehaving.wasm", misbehaving());
        Self { mock, project }
    }

    fn finish(&self, rows: usize, rest: &str) -> Finished {
        let yaml = format!(
            "name: hostile
source:
  bootstrap.servers: {}
  topics: [hostile]
  stop.mode: latest
  batch.max.rows: {rows}
{}deserializer: {{ value: {{ plugin: ./misbehaving.wasm }} }}
plugin.memory.max.bytes: 67108864
plugin.memory.recycle.bytes: 33554432
plugin.call.timeout.ms: 1000
{rest}",
            self.mock.brokers(),
            self.mock.source_keys()
        );
        self.project.run(&yaml).finish()
    }

    fn committed(&self) -> Option<i64> {
        committed(self.mock.brokers(), "weir-hostile", "hostile", 1)[0]
    }
}

/// Good messages with a bad one after each.
fn interleaved(bad: &[&str]) -> Vec<String> {
    let pairs = bad.iter().enumerate();
    pairs
        .flat_map(|(n, bad)| [n.to_string(), (*bad).to_owned()])
        .chain(["99".to_owned()])
        .collect()
}

fn numbers(rows: &[Value]) -> Vec<&Value> {
    rows.iter().map(|row| &row["n"]).collect()
}

fn reason(finished: &Finished, offset: usize) -> String {
    let start = format!("bad record in hostile[0] at offset {offset}: ");
    match finished.lines_with(&start)[..] {
        [line] => line
            .split_once(&start)
            .expect("it has the text")
            .1
            .to_owned(),
        _ => panic!("not one line for offset {offset} in:\n{}", finished.stderr),
    }
}

#[test]
fn a_message_that_breaks_the_plug_in_is_found_and_the_others_delivered() {
    let breaks = [
        (
            "trap",
            "the plug-in trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("loop", "the plug-in ran for longer than 1000 ms"),
        (
            "eat",
            "the plug-in needs more memory than plugin.memory.max.bytes allows (67108864 bytes)",
        ),
        (
            "panic",
            "the plug-in trapped: wasm trap: wasm `unreachable` instruction executed (panicked at ",
        ),
        ("no number", "invalid digit found in string"),
    ];
    let messages = interleaved(&breaks.map(|(message, _)| message));
    let run = Run::of(&messages);

    let finished = run.finish(messages.len(), "").with_code(0);

    assert_eq!(
        numbers(&finished.rows()),
        [0, 1, 2, 3, 4, 99],
        "{}",
        finished.stderr
    );
    for (n, (message, expected)) in breaks.iter().enumerate() {
        let reason = reason(&finished, 2 * n + 1);
        assert!(reason.starts_with(expected), "{message}: {reason}");
    }
    assert!(reason(&finished, 7).contains("told to panic"));
    let search = finished
        .lines_with("looking for the messages at fault among the 11 of hostile[0] from offset 0");
    assert_eq!(search.len(), 1, "{}", finished.stderr);
    assert!(search[0].contains("misbehaving.wasm: "), "{}", search[0]);
    assert!(
        finished.summary().ends_with(", 5 bad records"),
        "{}",
        finished.summary()
    );
    assert_eq!(run.committed(), Some(11));
}

#[test]
fn a_message_that_loops_for_ever_takes_seconds_not_minutes() {
    let mut messages: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    messages[617] = "loop".into();
    let run = Run::of(&messages);

    let finished = run.finish(1000, "").with_code(0);

    assert_eq!(finished.rows().len(), 999);
    assert_eq!(
        reason(&finished, 617),
        "the plug-in ran for longer than 1000 ms"
    );
    assert!(
        finished.took < Duration::from_secs(15),
        "{:?}",
        finished.took
    );
}

/// Event time that the plug-in gives, and what it may not say of it.
#[test]
fn a_plug_in_gives_event_times_and_watermarks() {
    // 2023-11-14T22:13:20Z, and seconds after that.
    let at = |second: i64| 1_700_000_000_000 + second * 1_000;
    let messages = [
        format!("at {}", at(10)),
        format!("at {}", at(20)),
        // In batches of two: the watermark is at 20 now.
        format!("at {}", at(19)),
        "7".to_owned(),
        format!("watermark {}", at(60)),
        "8".to_owned(),
        format!("at {}", at(59)),
        // Year 2286: nobody believes it.
        "watermark 9999999999999".to_owned(),
        // Of more messages than there are.
        "marks 3".to_owned(),
        format!("at {}", at(61)),
    ];
    let run = Run::of(&messages);
    let watermark = "watermark: { event.time: plugin, max.out.of.orderness.ms: 0 }\n";
    let finished = run.finish(2, watermark).with_code(0);
    assert_eq!(finished.rows().len(), 9, "{}", finished.stderr);
    let summary = finished.summary();
    assert!(
        summary.contains("watermark 2023-11-14T22:14:21.000Z"),
        "{summary}"
    );
    assert!(summary.contains(", 1 bad records"), "{summary}");
    // 19 and 59 are late; rows of the numbers and of the watermarks have no event time.
    assert!(
        summary.ends_with(", 2 late, 4 without event time"),
        "{summary}"
    );
    let told = reason(&finished, 8);
    assert!(told.contains("3 event times for 1 messages"), "{told}");
    let future = finished.lines_with("a plug-in gave a watermark that is further in the future");
    assert_eq!(future.len(), 1, "{}", finished.stderr);

    let opened = "deserializer.value.options: { watermark: true }\n";
    let opened = Run::of(&messages).finish(2, opened);
    let told = "weir:connector/event-time.watermark was called outside of `decode`";
    assert!(opened.stderr.contains(told), "{}", opened.stderr);
}

/// A deserializer of keys may say it as well; where that of values does too, that counts.
#[test]
fn a_deserializer_of_keys_gives_event_times() {
    let at = |second: i64| format!("at {}", 1_700_000_000_000 + second * 1_000);
    let mock = Mock::start();
    mock.create_topic("hostile", 1);
    let messages = [
        (at(10), "1".to_owned()),
        (at(30), "2".to_owned()),
        // By its key it would be in time.
        (at(31), at(20)),
        (at(29), "3".to_owned()),
        (at(40), "4".to_owned()),
    ];
    let records = messages.map(|(key, value)| Record::new("hostile").key(key).value(value));
    produce(mock.brokers(), &records);
    let project = Project::new();
    project.write("misbehaving.wasm", misbehaving());
    let run = Run { mock, project };
    let rest = "deserializer.key: { plugin: ./misbehaving.wasm }
watermark: { event.time: plugin, max.out.of.orderness.ms: 0, late.records: column }
";
    let finished = run.finish(1, rest).with_code(0);
    let late: Vec<_> = finished
        .rows()
        .iter()
        .map(|row| row["late"].as_bool())
        .collect();
    let expected = [false, false, true, true, false].map(Some);
    assert_eq!(late, expected, "{}", finished.stderr);
    let summary = finished.summary();
    assert!(
        summary.contains("watermark 2023-11-14T22:14:00.000Z, 2 late"),
        "{summary}"
    );
}

#[test]
fn answers_that_lie_are_not_believed() {
    let lies = [
        ("origin beyond", "a row comes from message 4294967295 of 1"),
        ("origins missing", "0 origins for 1 rows"),
        (
            "too many rows",
            "4294967295 rows for 1 messages cannot have the identity as their origin",
        ),
        ("rows without values", "column `n`"),
        ("short buffer", "column `batch`"),
        ("no buffers", "column `n`: its buffers are missing"),
        (
            "huge length",
            "column `n`: 4294967295 values, and 67108864 are the most",
        ),
        (
            "nulls",
            "column `n`: says 0 nulls, and its validity buffer has 1",
        ),
        ("array missing", "column `batch`: its array is missing"),
        ("array extra", "1 arrays more than the schema has fields"),
        ("error beyond", "an error is about message 4294967295 of 1"),
        (
            "error twice",
            "errors are not in ascending order of messages",
        ),
        ("both", "message 0 has both an error and a result"),
        ("invalid text", "column `lie`: "),
        ("offsets beyond", "column `lie`: "),
        ("offsets back", "column `lie`: "),
        (
            "format",
            "schema 2: field `lie`: format \"q\" is not one that weir takes",
        ),
        (
            "child",
            "schema 3: field `lie`: has 1 children, and 0 fields follow",
        ),
        ("deep", "schema 4: field `lie`: is nested more than 64 deep"),
    ];
    let commands = lies.map(|(about, _)| format!("lie {about}"));
    let messages = interleaved(&commands.each_ref().map(String::as_str));
    let run = Run::of(&messages);

    let finished = run.finish(messages.len(), "").with_code(0);

    let good = (0..lies.len()).chain([99]);
    assert_eq!(
        numbers(&finished.rows()),
        good.collect::<Vec<_>>(),
        "{}",
        finished.stderr
    );
    for (n, (about, expected)) in lies.iter().enumerate() {
        let reason = reason(&finished, 2 * n + 1);
        let expected = format!("the plug-in's answer is not valid: {expected}");
        assert!(reason.starts_with(&expected), "{about}: {reason}");
    }
    assert_eq!(run.committed(), Some(39));
}

#[test]
fn an_instance_that_grew_is_replaced() {
    let messages = ["0", "1", "grow", "3", "4"].map(String::from);
    let run = Run::of(&messages);

    let finished = run.finish(1, "").with_code(0);

    let row = |n: Option<i64>, batch: i64| json!({ "n": n, "batch": batch });
    assert_eq!(
        finished.rows(),
        [
            row(Some(0), 1),
            row(Some(1), 2),
            row(None, 3),
            row(Some(3), 1),
            row(Some(4), 2)
        ]
    );
    assert_eq!(finished.lines_with("bad record").len(), 0);
}

#[test]
fn a_flood_of_log_lines_is_thinned() {
    let messages = ["0", "flood", "2"].map(String::from);
    let run = Run::of(&messages);

    let finished = run.finish(10, "").with_code(0);

    assert_eq!(finished.rows().len(), 3);
    // The first line was for level info, which is not shown.
    assert_eq!(
        finished.lines_with("flood ").len(),
        19,
        "{}",
        finished.stderr
    );
    let note = finished.lines_with("wrote 20 lines in one call: the rest of them are left out");
    assert_eq!(note.len(), 1);
    assert!(!finished.stderr.contains('\u{7}'));
    assert!(finished.stderr.len() < 16 << 10);
}

#[test]
fn a_plug_in_that_breaks_on_all_messages_stops_the_pipeline() {
    let messages: Vec<String> = (0..40).map(|_| "trap".into()).collect();
    let run = Run::of(&messages);

    let finished = run.finish(40, "").with_code(1);

    let last = finished.stderr.lines().last().expect("an error");
    assert!(
        last.starts_with("error: ")
            && last.contains("misbehaving.wasm: the plug-in trapped: ")
            && last.ends_with(
                "so it went with each of the first 16 messages from offset 0 of hostile[0]: it is the \
                 plug-in that is broken, not the messages"
            ),
        "{last}"
    );
    assert_eq!(run.committed().unwrap_or(0), 0);
}

#[test]
fn a_plug_in_that_fails_a_batch_stops_the_pipeline() {
    let messages = ["0", "1", "fail"].map(String::from);
    let run = Run::of(&messages);

    let finished = run.finish(2, "").with_code(1);

    let last = finished.stderr.lines().last().expect("an error");
    assert!(
        last.ends_with("misbehaving.wasm: told to fail by a message"),
        "{last}"
    );
    assert_eq!(numbers(&finished.rows()), [0, 1]);
    assert_eq!(run.committed(), Some(2));
}

#[test]
fn a_plug_in_that_breaks_while_it_is_opened_is_named_before_anything_runs() {
    let project = Project::new();
    project.write("misbehaving.wasm", misbehaving());
    project.write("line.txt", "1\n");

    let decode = [
        "decode",
        "--plugin",
        "./misbehaving.wasm",
        "--lines",
        "line.txt",
    ];
    let finished = project
        .weir(decode)
        .arg("--options")
        .arg(r#"{"how":"panic"}"#)
        .finish()
        .with_code(2);

    assert!(
        finished
            .stderr
            .contains("./misbehaving.wasm: opening it failed: the plug-in trapped: ")
            && finished.stderr.contains("opened to panic"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_a_plug_in_says_of_itself_cannot_colour_the_terminal() {
    let project = Project::new();
    project.write("misbehaving.wasm", misbehaving());

    let finished = project
        .weir(["plugin", "inspect", "misbehaving.wasm"])
        .finish();

    let text = finished.with_code(0).stdout;
    assert!(text.starts_with("misbehaving [31m 0.1.0: "), "{text}");
}

#[test]
fn files_that_are_no_plug_ins_are_refused_with_what_is_missing() {
    let wat = |text: &str| wat::parse_str(text).expect("the text is WebAssembly");
    let exports = "`weir:connector/deserializer@0.1.0` or `weir:connector/serializer@0.1.0` or \
                   `weir:connector/consumer-interceptor@0.1.0` or `weir:connector/producer-interceptor@0.1.0`";
    let truncated = &misbehaving()[..misbehaving().len() / 2];
    let cases: [(Vec<u8>, String); 9] = [
        (
            b"hello, I am a plug-in, honestly".to_vec(),
            "is not WebAssembly: a .wasm file starts with \\0asm, and this one with \"hello, I am a plug-in, h\""
                .into(),
        ),
        (
            Vec::new(),
            "is not WebAssembly: a .wasm file starts with \\0asm, and this one with \"\"".into(),
        ),
        (
            wat(r#"(module (func (export "decode")) (memory (export "memory") 1))"#),
            format!(
                "is a core module without a component type (it exports decode, memory); build it with wit-bindgen \
                 against the package weir:connector@0.1.0, as the weir-guest SDK does, so that it exports {exports}"
            ),
        ),
        (
            truncated.to_vec(),
            "is not valid WebAssembly: unexpected end-of-file".into(),
        ),
        (
            wat("(component)"),
            format!("is not a weir plug-in: the export {exports} is missing; it exports nothing"),
        ),
        (
            wat(r#"(component (instance $i) (export "wasi:http/handler@0.2.0" (instance $i)))"#),
            format!(
                "is not a weir plug-in: the export {exports} is missing; it exports wasi:http/handler@0.2.0"
            ),
        ),
        (
            wat(
                r#"(component (instance $i) (export "weir:connector/deserializer@9.0.0" (instance $i)))"#,
            ),
            format!(
                "is not a weir plug-in: the export {exports} is missing; it exports \
                 weir:connector/deserializer@9.0.0; this weir speaks weir:connector@0.1.0: build the plug-in \
                 against that version"
            ),
        ),
        (
            wat(r#"(component
                (import "wasi:cli/environment@0.2.0" (instance))
                (import "wasi:filesystem/preopens@0.2.0" (instance))
                (instance $i)
                (export "weir:connector/deserializer@0.1.0" (instance $i)))"#),
            "asks for wasi:cli/environment@0.2.0, wasi:filesystem/preopens@0.2.0, which weir does not provide: a \
             plug-in may import weir:connector/schemas, log, metrics and event-time, and there are no grants for anything else \
             yet"
            .into(),
        ),
        (
            wat(
                r#"(component (instance $i) (export "weir:connector/deserializer@0.1.0" (instance $i)))"#,
            ),
            "does not fit weir:connector/deserializer-plugin@0.1.0: ".into(),
        ),
    ];
    let project = Project::new();
    project.write(
        "pipeline.yaml",
        "source: { bootstrap.servers: localhost:1, topics: [t] }\ndeserializer: ./plugin.wasm\n",
    );
    for (bytes, expected) in cases {
        project.write("plugin.wasm", bytes);
        let inspect = project
            .weir(["plugin", "inspect", "./plugin.wasm"])
            .finish();
        let inspect = inspect.with_code(2);
        assert!(
            inspect
                .stderr
                .starts_with(&format!("error: ./plugin.wasm: {expected}")),
            "{expected}\n{}",
            inspect.stderr
        );

        let check = project
            .weir(["check", "pipeline.yaml"])
            .finish()
            .with_code(2);
        assert!(
            check
                .stderr
                .starts_with("error: pipeline.yaml:2:15: ./plugin.wasm: ")
                && check.stderr.contains(&expected),
            "{expected}\n{}",
            check.stderr
        );
    }
}

#[test]
fn an_interceptor_is_not_taken_for_a_deserializer() {
    let project = Project::new();
    project.write("drop.wasm", built("guests/drop-by-header"));
    let check = |deserializer: &str| {
        let yaml = format!(
            "source: {{ bootstrap.servers: localhost:1, topics: [t] }}\ndeserializer: {deserializer}\n"
        );
        project.write("pipeline.yaml", yaml);
        let check = project.weir(["check", "pipeline.yaml"]).finish();
        check.with_code(2).stderr
    };

    let by_name = check("drop-by-header");
    assert!(
        by_name.contains(
            "pipeline.yaml:2:15: deserializer.value.plugin: `drop-by-header` is an interceptor, and this is the \
             place of a deserializer"
        ),
        "{by_name}"
    );
    let by_path = check("{ value: { plugin: ./drop.wasm, options: { name: x } } }");
    assert!(
        by_path.starts_with(
            "error: pipeline.yaml:2:34: ./drop.wasm is a consumer interceptor, and a deserializer is needed here: \
             it exports `weir:connector/consumer-interceptor@0.1.0`, not `weir:connector/deserializer@0.1.0`\n"
        ),
        "{by_path}"
    );
}
