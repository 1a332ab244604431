//! Mistakes in pipeline files, and how they are shown.

use std::fs;
use std::path::Path;

use super::{FIRST_FILE, env, parse};
use crate::config::{ConfigErrors, PipelineConfig, Problem, Topics};

fn errors(text: &str) -> String {
    let config: Result<PipelineConfig, ConfigErrors> = parse(text);
    config
        .map(|config| format!("{config:?}"))
        .unwrap_err()
        .to_string()
}

#[test]
fn all_errors_are_found_at_once_and_in_order() {
    let text = "\
source:
  bootstrap.servers: localhost:9092
  topics: [orders, ]
  isolation.levle: read_committed
  batch.max.rows: 100000
  security.protocol: sasl_tls
sink: { file: { path: ./out } }
";
    assert_eq!(
        errors(text),
        "\
orders.yaml:1:1: deserializer.value.plugin: missing: write `deserializer: avro`

orders.yaml:4:3: source.isolation.levle: unknown key; did you mean `isolation.level`?
  4 |   isolation.levle: read_committed
    |   ^^^^^^^^^^^^^^^

orders.yaml:5:19: source.batch.max.rows: `100000` is out of range: give a whole number of rows, 1 to 65536
  5 |   batch.max.rows: 100000
    |                   ^^^^^^

orders.yaml:6:22: source.security.protocol: `sasl_tls` is not one of plaintext, ssl, sasl_plaintext, sasl_ssl; did you mean `sasl_ssl`?
  6 |   security.protocol: sasl_tls
    |                      ^^^^^^^^

orders.yaml:7:9: sink.file.format: missing: write `format: parquet`
  7 | sink: { file: { path: ./out } }
    |         ^^^^"
    );
}

/// Lines to put below a file that is fine, each with the errors it has to give.
const ERRORS: &str = include_str!("errors.txt");

#[test]
fn each_mistake_is_shown_with_its_place_and_its_fix() {
    let dotted = "\
source.bootstrap.servers: localhost:9092
source.topics: [orders]
deserializer: avro
";
    let mut count = 0;
    let mut blessed = String::new();
    let bless = std::env::var_os("WEIR_BLESS").is_some();
    for case in ERRORS.split("=== ").skip(1) {
        let (line, expected) = case.split_once('\n').unwrap();
        let file = format!("{dotted}{line}\n");
        blessed.push_str(&format!("=== {line}\n{}\n\n", errors(&file)));
        assert!(
            bless || errors(&file) == expected.trim_end(),
            "for {line}: {}",
            errors(&file)
        );
        count += 1;
    }
    if bless {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/errors.txt");
        fs::write(path, format!("{}\n", blessed.trim_end())).unwrap();
    }
    assert!(count > 90, "{count} cases");
}

#[test]
fn a_first_file_that_lacks_something_says_what_to_write() {
    assert_eq!(
        errors(""),
        "\
orders.yaml:1:1: source.bootstrap.servers: missing: write `source.bootstrap.servers: localhost:9092`

orders.yaml:1:1: source.topics: missing: write `topics: [orders]`, or `topic.pattern: orders-.*`

orders.yaml:1:1: deserializer.value.plugin: missing: write `deserializer: avro`"
    );
    assert_eq!(
        errors("sorce:\n  topics: [a]\ndeserialiser: avro\n"),
        "\
orders.yaml:1:1: sorce: unknown key; did you mean `source`?
  1 | sorce:
    | ^^^^^

orders.yaml:3:1: deserialiser: unknown key; did you mean `deserializer`?
  3 | deserialiser: avro
    | ^^^^^^^^^^^^"
    );
}

#[test]
fn serializers_do_not_know_which_rows_are_late() {
    let file = |late: &str| {
        format!(
            "{FIRST_FILE}sink.kafka: {{ topic: a, serializer: avro }}\nwatermark.late.records: {late}\n"
        )
    };
    assert!(parse(&file("drop")).is_ok());
    let message = parse(&file("column")).unwrap_err().to_string();
    let expected = "watermark.late.records: `column` and `sink.kafka.serializer.plugin`: rows are \
                    serialized before it is known which of them are late";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn topics_are_checked_one_by_one() {
    let with = |topics: &str| {
        let file = FIRST_FILE.replace("[orders]", topics);
        parse(&file).map(|config| config.source.topics)
    };
    for good in [
        "orders, returns",
        "[orders, returns]",
        "\n  - orders\n  - returns",
    ] {
        let topics = with(good).unwrap();
        assert!(matches!(topics, Topics::Names(names) if names == ["orders", "returns"]));
    }
    for (bad, column, why) in [
        ("\"\"", 11, "empty"),
        ("a,", 13, "an entry is empty"),
        ("[a, '']", 15, "empty"),
        ("[a, ~]", 15, "an entry is empty"),
        ("[]", 11, "an empty list"),
        ("a,a", 13, "`a` is there twice"),
        ("[a, ^b.*]", 15, "`^b.*` is not a topic's name"),
        ("[..]", 12, "`..` is not a topic's name"),
    ] {
        let message = with(bad).unwrap_err().to_string();
        let expected = format!("orders.yaml:3:{column}: source.topics: {why}");
        assert!(message.starts_with(&expected), "{bad}: {message}");
    }
    let unclosed = FIRST_FILE.replace("topics: [orders]", "topic.pattern: orders-(");
    assert_eq!(
        errors(&unclosed),
        "\
orders.yaml:3:18: source.topic.pattern: not a regular expression: unclosed group
  3 |   topic.pattern: orders-(
    |                  ^^^^^^^^"
    );
}

#[test]
fn brokers_are_checked_one_by_one() {
    let with = |servers: &str| parse(&FIRST_FILE.replace("localhost:9092", servers));
    for good in [
        "broker",
        "a:1, b:65535",
        "[a:1, b:2]",
        "\"[::1]:9092\"",
        "PLAINTEXT://a:1",
    ] {
        with(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for bad in [
        "a:0",
        "a:65536",
        "a:b",
        ":9092",
        "a:1,,b:2",
        "http://a:1",
        "a b:1",
    ] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn doubled_keys_are_found_in_every_spelling() {
    let file = format!("{FIRST_FILE}source.topics: [b]\nsource: {{ group.id: a, group.id: b }}\n");
    assert_eq!(
        errors(&file),
        "\
orders.yaml:5:1: source.topics: given twice, first on line 3: remove one
  5 | source.topics: [b]
    | ^^^^^^^^^^^^^

orders.yaml:6:1: source: given twice, first on line 1: remove one
  6 | source: { group.id: a, group.id: b }
    | ^^^^^^

orders.yaml:6:24: source.group.id: given twice, first on line 6: remove one
  6 | source: { group.id: a, group.id: b }
    |                        ^^^^^^^^"
    );
}

#[test]
fn values_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("id"), "from-file\r\n").unwrap();
    let file = format!("{FIRST_FILE}source.client.id: x-${{file:id}}\n");
    let path = folder.path().join("orders.yaml");
    fs::write(&path, file).unwrap();
    let config = PipelineConfig::load(&path, &env).unwrap();
    assert_eq!(config.source.client.get("client.id"), Some("x-from-file"));
}

#[test]
fn a_file_that_is_none_is_told() {
    let error = PipelineConfig::load(Path::new("/nowhere/orders.yaml"), &env).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nowhere/orders.yaml: cannot read the pipeline file: No such file or directory (os error 2)"
    );
    assert!(errors("- a\n").contains("found a list, expected a map of keys"));
    assert!(errors(&"[".repeat(100)).contains("nested too deeply"));
    assert!(errors("a: *x\n").contains("not valid YAML: while parsing node, found unknown anchor"));
    assert!(errors("a: &x 1\nb: *x\n").contains("aliases"));
    assert!(errors("a: { b: ${env:X} }\n").contains("put a `${…}` in quotes"));
}

#[test]
fn secrets_are_never_shown() {
    let files = [
        "schema.registry.basic.auth.user.info: hunter2",
        "schema.registry.basic.auth.user.inof: hunter2",
        "schema.registry: { url: 'http://a', basic.auth.user.info: hunter2, wibble: 1 }",
        "schema.registry.url: ftp://weir:hunter2@a",
        "schema.registry.url: http://weir:hunter2@a#b",
        "source: { sasl.pasword: hunter2 }",
        "source.librdkafka: { acks: 1, sasl.password: hunter2 }",
        "source.librdkafka:\n  acks: 1\n  ssl.key.pem: |\n    a\n    hunter2",
        "interceptors: [{ plugin: ./a.wasm, options: { api.key: hunter2, n: .nan } }]",
        "interceptors: [{ plugin: wibble, options: { token: [a, { b: hunter2 }] } }]",
        "source.librdkafka: { sasl.password: hunter2",
        "schema.registry.basic.auth.user.info: \"weir:hunter2",
        "a:\n  password:\n    - hunter2: [",
        "source.batch.max.rows: ${env:REGISTRY_AUTH}",
        "source.topics: ${env:REGISTRY_AUTH}",
        "sink.kafka: { topic: '${env:REGISTRY_AUTH}' }",
        "deserializer.value.plugin: ${env:REGISTRY_AUTH}",
        "source.startup.mode: ${env:REGISTRY_AUTH}",
        "name: ${env:REGISTRY_AUTH}",
        "schema.registry.url: ${env:REGISTRY_AUTH}",
    ];
    for file in files {
        let error = parse(&format!("source.bootstrap.servers: a\n{file}\n")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let config = parse(&format!(
        "{FIRST_FILE}
schema.registry: {{ url: 'http://a', basic.auth.user.info: 'weir:hunter2' }}
source.security.protocol: sasl_ssl
source.sasl: {{ mechanism: PLAIN, username: u, password: hunter2 }}
source.ssl.key.pem: hunter2
source.ssl.certificate.pem: a
interceptors: [{{ plugin: ./a.wasm, options: {{ where: hunter2 }} }}]
"
    ));
    assert!(!format!("{:?}", config.unwrap()).contains("hunter2"));
}

#[test]
fn files_are_looked_for_in_a_step_of_its_own() {
    let file = "\
source: { bootstrap.servers: a, topics: [orders] }
schema.files: { 1: ./nowhere.avsc }
deserializer: ./nowhere.wasm
source.security.protocol: ssl
source.ssl.ca.location: ./nowhere.pem
";
    let path = Path::new("conf/orders.yaml");
    let config = PipelineConfig::parse(file, path, &env).unwrap();
    assert_eq!(
        config.check_files().unwrap_err().to_string(),
        "\
conf/orders.yaml:2:20: schema.files: conf/nowhere.avsc: No such file or directory (os error 2)
  2 | schema.files: { 1: ./nowhere.avsc }
    |                    ^^^^^^^^^^^^^^

conf/orders.yaml:3:15: deserializer.value.plugin: conf/nowhere.wasm: No such file or directory (os error 2)
  3 | deserializer: ./nowhere.wasm
    |               ^^^^^^^^^^^^^^

conf/orders.yaml:5:25: source.ssl.ca.location: conf/nowhere.pem: No such file or directory (os error 2)
  5 | source.ssl.ca.location: ./nowhere.pem
    |                         ^^^^^^^^^^^^^"
    );
}

#[test]
fn what_is_for_later_is_told_as_such_and_never_as_a_typo() {
    let file = "\
name: orders
source:
  bootstrap.servers: localhost:9092
  topics: [orders]
  group.id: weir-orders
  startup.mode: earliest
  security.protocol: sasl_ssl
  sasl.mechanism: SCRAM-SHA-512
  sasl.username: weir
  sasl.password: ${env:REGISTRY_AUTH}
schema.registry.url: https://registry.example:8081
interceptors:
  - plugin: ./plugins/drop-test-traffic.wasm
deserializer:
  value: { plugin: avro }
  key: { plugin: ./plugins/house-key.wasm, options: { width: 16 } }
watermark: { event.time: occurred_at, max.out.of.orderness.ms: 5000, idle.timeout.ms: 30000 }
sink: { kafka: { topic: orders-clean, serializer: { plugin: json } } }
errors: { tolerance: all, dead.letter.queue.topic: orders-dlq }
delivery.guarantee: exactly-once
";
    let errors = parse(file).unwrap_err().errors;
    let lines: Vec<usize> = errors.iter().map(|error| error.location.line).collect();
    assert_eq!(lines, [19, 20]);
    for error in errors {
        assert!(matches!(error.problem, Problem::NotYet { .. }), "{error}");
    }
}
