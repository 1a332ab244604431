//! A plug-in of a user's own: built with one command, named by its path.

use std::path::PathBuf;

use serde_json::{Value, json};
use weir_tests::groups::committed;
use weir_tests::records::{Record, produce};
use weir_tests::weir::Project;
use weir_tests::{Broker, guest, on_both_brokers};

const LINES: [&str; 3] = [
    "2026-03-01T13:00:00.250+01:00|pump-7|bar=3.25|ok",
    "2026-03-01T12:00:01Z|pump-8|celsius=-4e1|warn",
    "2026-03-01T12:00:02Z|pump-7|bar=-|fail",
];

fn readings() -> Vec<Value> {
    let reading = |read_at: &str, sensor: &str, quantity: &str, value: Option<f64>, state: &str| {
        json!({
            "read_at": read_at,
            "sensor": sensor,
            "quantity": quantity,
            "value": value,
            "state": state,
        })
    };
    vec![
        reading(
            "2026-03-01T12:00:00.250Z",
            "pump-7",
            "bar",
            Some(3.25),
            "ok",
        ),
        reading(
            "2026-03-01T12:00:01.000Z",
            "pump-8",
            "celsius",
            Some(-40.0),
            "warn",
        ),
        reading("2026-03-01T12:00:02.000Z", "pump-7", "bar", None, "fail"),
    ]
}

/// A project with `house_format.wasm` in it.
fn project() -> (Project, PathBuf) {
    let project = Project::new();
    let plugin = project.path().join("house_format.wasm");
    guest::build("examples/house-format", &plugin);
    (project, plugin)
}

on_both_brokers!(a_pipeline_runs_a_plug_in_by_its_path);

fn a_pipeline_runs_a_plug_in_by_its_path(broker: &dyn Broker) {
    let (project, _) = project();
    broker.create_topic("readings", 1);
    let line = |line: &str| Record::new("readings").value(line);
    produce(
        broker.brokers(),
        &[
            line(LINES[0]),
            line(LINES[1]),
            line("2026-03-01T12:00:01Z|pump-8|celsius=hot|warn"),
            line("2026-03-01T12:00:01Z|pump-8|celsius=3|off"),
            line(LINES[2]),
        ],
    );

    let run = project
        .run(&format!(
            "source:
  bootstrap.servers: {}
  topics: [readings]
  group.id: pump-hall
  stop.mode: latest
{}deserializer:
  value: {{ plugin: ./house_format.wasm, options: {{ states: [ok, warn, fail] }} }}
",
            broker.brokers(),
            broker.source_keys()
        ))
        .finish()
        .with_code(0);

    assert_eq!(run.rows(), readings());
    for reason in [
        "bad record in readings[0] at offset 2: `hot` is not a number",
        "bad record in readings[0] at offset 3: unknown state `off`",
    ] {
        assert_eq!(run.lines_with(reason).len(), 1, "{}", run.stderr);
    }
    assert!(
        run.summary().ends_with(", 2 bad records"),
        "{}",
        run.summary()
    );
    assert_eq!(
        committed(broker.brokers(), "pump-hall", "readings", 1),
        [Some(5)]
    );
}

#[test]
fn decode_tries_it_on_lines_without_kafka() {
    let (project, _) = project();
    project.write("lines.txt", LINES.join("\n"));
    let decode = |more: &[&str]| {
        let arguments = ["decode", "--plugin", "./house_format.wasm"];
        project.weir(arguments.iter().chain(more)).finish()
    };

    let good = decode(&["--lines", "lines.txt"]).with_code(0);
    assert_eq!(good.rows(), readings());
    assert_eq!(good.stderr, "");

    project.write(
        "lines.txt",
        format!("{}\nnonsense\n{}\n", LINES[0], LINES[2]),
    );
    let bad = decode(&["--lines", "lines.txt"]).with_code(1);
    assert_eq!(bad.rows(), [readings()[0].clone(), readings()[2].clone()]);
    assert_eq!(
        bad.stderr,
        "error: payload 2: the sensor is missing\nerror: 1 of 3 payloads could not be decoded\n"
    );

    let options = decode(&["--lines", "lines.txt", "--options", r#"{"seperator": ";"}"#]);
    assert_eq!(
        options.with_code(2).stderr,
        "error: ./house_format.wasm: unknown field `seperator`, expected `separator` or `states`\n"
    );
}

#[test]
fn inspect_shows_what_it_is_and_takes() {
    let (project, plugin) = project();

    let text = project
        .weir(["plugin", "inspect", "house_format.wasm"])
        .finish()
        .with_code(0)
        .stdout;
    assert!(
        text.starts_with("house-format 1.0.0: Sensor readings, one line a message\n"),
        "{text}"
    );
    for part in [
        "kind     deserializer\n",
        "world    weir:connector/deserializer-plugin@0.1.0\n",
        "digest   sha256:",
        "separator (string",
        "states (array",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }

    let facts = project
        .weir(["plugin", "inspect", "--json", "house_format.wasm"])
        .finish()
        .with_code(0)
        .stdout;
    let facts: Value = serde_json::from_str(&facts).expect("one JSON object");
    let size = std::fs::metadata(plugin).expect("it is there").len();
    assert_eq!(facts["kind"], "deserializer");
    assert_eq!(facts["size"], size);
    assert_eq!(facts["options"]["properties"]["separator"]["default"], "|");
    let imports = facts["imports"].as_array().expect("a list");
    let ours = |import: &Value| {
        import
            .as_str()
            .is_some_and(|name| name.starts_with("weir:connector/"))
    };
    assert!(imports.iter().all(ours), "{imports:?}");
}
