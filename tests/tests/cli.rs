//! The command line without a broker: what it says, and what it exits with.

use serde_json::{Value, json};
use weir_tests::orders;
use weir_tests::weir::Project;

const GOOD: &str = "\
source:
  bootstrap.servers: localhost:1
  topics: [orders]
schema.files: { 1: ./order.avsc }
interceptors:
  - { plugin: drop-by-header, options: { name: test } }
deserializer: { value: { plugin: avro } }
sink: { file: { path: ./out, format: parquet } }
";

fn project() -> Project {
    let project = Project::new();
    project.write("order.avsc", orders::SCHEMA);
    project
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn help_teaches_the_exit_codes() {
    let help = Project::new().weir(["--help"]).finish().with_code(0).stdout;
    for part in ["Exit codes:", "130", "WEIR_LOG", "weir demo", "weir check"] {
        assert!(help.contains(part), "no `{part}` in:\n{help}");
    }
}

#[test]
fn an_unknown_command_is_a_mistake_of_the_command_line() {
    let finished = Project::new().weir(["rum"]).finish().with_code(2);
    assert!(finished.stderr.contains("'run'"), "{}", finished.stderr);
}

#[test]
fn check_says_what_a_good_file_does() {
    let project = project();
    project.write("orders.yaml", GOOD);

    let finished = project.weir(["check", "orders.yaml"]).finish().with_code(0);

    assert_eq!(
        finished.stdout,
        "\
orders.yaml is right: orders at localhost:1
  ─► drop-by-header 0.1.0 (consumer interceptor)
  ─► avro 0.1.0 (deserializer)
  ─► parquet files in ./out
"
    );
    assert_eq!(finished.stderr, "");
    assert!(
        !project.path().join("out").exists(),
        "a check changes nothing"
    );
}

#[test]
fn check_shows_each_mistake_with_its_line_and_the_nearest_name() {
    let project = project();
    let bad = GOOD
        .replace("  topics:", "  isolation.levle: read_committed\n  topics:")
        .replace("format: parquet", "format: parket")
        .replace("1: ./order.avsc", "1: ./ordr.avsc");
    project.write("bad.yaml", bad);

    for command in ["check", "run"] {
        let finished = project.weir([command, "bad.yaml"]).finish().with_code(2);
        assert_eq!(finished.stdout, "");
        for part in [
            "bad.yaml:3:3: source.isolation.levle: unknown key; did you mean `isolation.level`?",
            "\n  3 |   isolation.levle: read_committed\n",
            "bad.yaml:9:38: sink.file.format: `parket` is not one of ndjson, arrow, parquet",
        ] {
            assert!(
                finished.stderr.contains(part),
                "no `{part}` in:\n{}",
                finished.stderr
            );
        }
    }

    project.write("lost.yaml", GOOD.replace("./order.avsc", "./ordr.avsc"));
    let lost = project.weir(["check", "lost.yaml"]).finish().with_code(2);
    assert!(
        lost.stderr.contains("lost.yaml:4:") && lost.stderr.contains("ordr.avsc"),
        "{}",
        lost.stderr
    );

    let missing = project.weir(["check", "missing.yaml"]).finish();
    assert!(missing.with_code(2).stderr.contains("missing.yaml"));
}

#[test]
fn check_lets_plug_ins_look_at_their_options() {
    let project = project();
    project.write(
        "orders.yaml",
        GOOD.replace("{ name: test }", "{ nam: test }"),
    );

    let finished = project.weir(["check", "orders.yaml"]).finish().with_code(2);

    assert!(
        finished.stderr.contains("drop-by-header: ") && finished.stderr.contains("`nam`"),
        "{}",
        finished.stderr
    );
}

#[test]
fn the_demo_ends_by_itself_and_has_its_first_row_within_two_seconds() {
    let project = Project::new();
    // Compiles the plug-in, which the first start of a fresh machine does too.
    let _ = project.weir(["demo"]).finish().with_code(0);

    let finished = project.weir(["demo"]).finish().with_code(0);

    let summary = finished.summary();
    assert!(
        summary.contains("1,707 rows of 1,707 messages"),
        "{summary}"
    );
    let (_, seconds) = summary.split_once("first row after ").expect("its figure");
    let seconds: f64 = seconds.trim_end_matches(" s").parse().expect("a number");
    assert!(seconds < 2.0, "{summary}");
    assert_eq!(
        finished.lines_with("magnitude").len(),
        10,
        "{}",
        finished.stderr
    );
}

#[test]
fn decode_takes_a_payload_in_hexadecimal() {
    let project = project();
    let decode = |payload: &str| {
        let schema = ["decode", "--plugin", "avro", "--schema", "1=order.avsc"];
        project.weir(schema).arg("--hex").arg(payload).finish()
    };
    let payload = hex(&orders::framed(1, 4));

    let good = decode(&payload).with_code(0);
    assert_eq!(good.rows(), [orders::row(4)]);
    assert_eq!(good.stderr, "");

    let truncated = decode(&payload[..payload.len() - 2]).with_code(1);
    assert_eq!(truncated.stdout, "");
    assert!(
        truncated.stderr.starts_with("error: payload 1: ")
            && truncated
                .stderr
                .ends_with("error: 1 of 1 payloads could not be decoded\n"),
        "{}",
        truncated.stderr
    );

    let magic = decode("7b 7d 00 00 01").with_code(1);
    assert!(
        magic.stderr.contains(
            "payload 1: the first byte is 0x7b, not the zero byte of the Confluent wire format"
        ),
        "{}",
        magic.stderr
    );

    let digits = decode("0").with_code(2);
    assert_eq!(
        digits.stderr,
        "error: --hex: 1 hexadecimal digits do not make whole bytes\n"
    );
}

#[test]
fn encode_is_the_way_back() {
    let project = Project::new();
    let rows = [
        json!({"id": 1, "name": "pump \u{e4}", "at": {"x": 1.5}, "tags": ["a", "b"]}),
        json!({"id": 2, "name": "", "at": null, "tags": []}),
    ];
    let lines = rows.each_ref().map(ToString::to_string).join("\n");
    project.write("rows.ndjson", lines);
    let weir = |arguments: &[&str]| project.weir(arguments.iter().copied()).finish();
    let encode = |plugin: &str, options: &str| {
        let arguments = ["encode", "--plugin", plugin, "--options", options];
        weir(&[&arguments[..], &["--rows", "rows.ndjson"]].concat())
    };
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},
        {"name":"name","type":"string"},
        {"name":"at","type":["null",{"type":"record","name":"A","fields":[{"name":"x","type":["null","double"]}]}]},
        {"name":"tags","type":{"type":"array","items":["null","string"]}}]}"#;
    project.write("r.avsc", schema);
    let options = json!({ "framing": "raw", "schema": schema }).to_string();
    let payloads = encode("avro", &options).with_code(0).stdout;
    project.write("payloads", &payloads);
    let options = r#"{"framing":"raw","schema.id":1}"#;
    let decode = [
        "decode",
        "--plugin",
        "avro",
        "--options",
        options,
        "--schema",
        "1=r.avsc",
    ];
    let read = weir(&[&decode[..], &["--hex-lines", "payloads"]].concat()).with_code(0);
    assert_eq!(read.rows(), rows);

    let arguments = [
        "encode",
        "--plugin",
        "json-schema",
        "--options",
        r#"{"framing":"raw"}"#,
    ];
    let text = weir(&[&arguments[..], &["--text", "--rows", "rows.ndjson"]].concat());
    assert_eq!(text.with_code(0).rows(), rows);
    let binary = encode("protobuf", r#"{"framing":"raw"}"#).with_code(0);
    assert_eq!(binary.stdout.lines().count(), 2, "{}", binary.stdout);

    let narrow = schema.replace(
        r#"{"name":"id","type":"long"}"#,
        r#"{"name":"id","type":{"type":"enum","name":"E","symbols":["A"]}}"#,
    );
    let options = json!({ "framing": "raw", "schema": narrow }).to_string();
    let refused = encode("avro", &options).with_code(1);
    let why = "column `id` (Arrow format `l`) cannot be written as `E`";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    let unknown = encode("avor", "{}").with_code(2);
    let known = "built in are avro, json-schema, protobuf";
    assert!(unknown.stderr.contains(known), "{}", unknown.stderr);
}

#[test]
fn inspect_knows_the_plug_ins_that_are_built_in() {
    let project = Project::new();
    let text = project
        .weir(["plugin", "inspect", "avro"])
        .finish()
        .with_code(0)
        .stdout;
    assert!(text.starts_with("avro 0.1.0: "), "{text}");
    assert!(
        text.contains("asks for ") && text.contains("schemas"),
        "{text}"
    );

    let facts = project
        .weir(["plugin", "inspect", "--json", "drop-by-header"])
        .finish()
        .with_code(0)
        .stdout;
    let facts: Value = serde_json::from_str(&facts).expect("one JSON object");
    assert_eq!(facts["kind"], "consumer interceptor");
    assert_eq!(facts["options"]["required"], json!(["name"]));

    let unknown = project.weir(["plugin", "inspect", "arvo"]).finish();
    assert_eq!(
        unknown.with_code(2).stderr,
        "error: no plug-in is called `arvo`; built in are avro, drop-by-header, json, protobuf; a path contains `/` or ends in .wasm\n"
    );
}

#[test]
fn check_explains_every_property_and_shows_no_secret() {
    let project = project();
    let secure = GOOD.replace(
        "  topics: [orders]\n",
        "  topics: [orders]\n  security.protocol: sasl_ssl\n  sasl.mechanism: PLAIN\n  sasl.username: \
         weir\n  sasl.password: ${env:KAFKA_PASSWORD}\n",
    );
    project.write("orders.yaml", format!("{secure}profile: throughput\n"));

    let finished = project
        .weir(["check", "orders.yaml", "--explain"])
        .env("KAFKA_PASSWORD", "hunter2")
        .finish()
        .with_code(0);

    let lines: Vec<String> = finished
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in [
        "sasl.password *** (source.sasl.password, line 7)",
        "auto.offset.reset error (weir)",
        "fetch.min.bytes 65536 (default of source.fetch.min.bytes in profile throughput)",
        "session.timeout.ms 45000 (default of source.session.timeout.ms)",
        "socket.max.fails 1 (librdkafka's default)",
    ] {
        assert!(
            lines.iter().any(|shown| shown == line),
            "{line}\n{}",
            finished.stdout
        );
    }
    assert!(!finished.stdout.contains("hunter2"), "{}", finished.stdout);
}

#[test]
fn keys_are_listed_for_people_and_for_editors() {
    let keys = |arguments: &[&str]| {
        let arguments = ["keys"].iter().chain(arguments);
        Project::new().weir(arguments).finish()
    };
    let table = keys(&["source.startup"]).with_code(0).stdout;
    let names: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        names,
        [
            "source.startup.mode",
            "source.startup.timestamp.ms",
            "source.startup.specific.offsets"
        ]
    );
    let lines = keys(&["--sink", "--format", "json"]).with_code(0).stdout;
    for line in lines.lines() {
        let key: Value = serde_json::from_str(line).expect("one object a line");
        assert!(
            key["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("sink."))
        );
    }
    let schema = keys(&["--format", "schema"]).with_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("one JSON Schema");
    let rows = &schema["properties"]["source"]["properties"]["batch.max.bytes"];
    assert_eq!(rows["default"], json!("1048576"));
    let refused = keys(&["nowhere"]).with_code(2);
    assert!(refused.stderr.contains("`nowhere`"), "{}", refused.stderr);
}
