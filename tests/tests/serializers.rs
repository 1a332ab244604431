//! Rows as messages that others read: through the whole command, from topic to topic.

use serde_json::{Value, json};
use weir::config::RegistryConfig;
use weir::schemas::{
    NewSchema as NewSchemaOf, RegistrySource, SchemaSource as _, SchemaType, SubjectVersion,
};
use weir_tests::mock::Mock;
use weir_tests::python::python_peer;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::{Fault, NewSchema, Registry};
use weir_tests::srfake::Srfake;
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker, available, on_both_brokers, orders};

on_both_brokers!(what_is_written_as_avro_others_read);

/// A bounded pipeline that decodes Avro.
fn pipeline(broker: &dyn Broker, registry: &Registry, topic: &str, rest: &str) -> String {
    format!(
        "source:
  bootstrap.servers: {}
  topics: [{topic}]
  startup.mode: earliest
  stop.mode: latest
{}schema.registry:
  url: {}
  auto.register.schemas: true
deserializer: avro
{rest}",
        broker.brokers(),
        broker.source_keys(),
        registry.url(),
    )
}

fn run(broker: &dyn Broker, registry: &Registry, topic: &str, rest: &str) -> Finished {
    Project::new()
        .run(&pipeline(broker, registry, topic, rest))
        .finish()
}

/// A mock with ten orders in `in`, and an empty topic `out`.
fn ten_orders() -> (Mock, Registry) {
    let (registry, id) = orders::registry();
    let mock = Mock::start();
    mock.create_topic("in", 1);
    mock.create_topic("out", 1);
    produce(mock.brokers(), &orders::records("in", id, 0..10));
    (mock, registry)
}

/// What Python's deserializers make of a topic.
fn python_reads(
    broker: &dyn Broker,
    registry: &str,
    topic: &str,
    count: usize,
    (key, value): (&str, &str),
) -> Option<Vec<Value>> {
    let python = available(python_peer())?;
    let count = count.to_string();
    let mut arguments = vec!["--brokers", broker.brokers(), "--registry", registry];
    arguments.extend(["--topic", topic, "--count", &count]);
    arguments.extend(["--key", key, "--value", value]);
    Some(python.run("read_messages.py", &arguments))
}

/// An order as Python reads it: instants are microseconds.
fn order(n: i64) -> Value {
    let mut row = orders::row(n);
    row["occurred_at"] = json!((1_700_000_000_000 + n % 40 * 1000 + n % 1000) * 1000);
    row
}

fn what_is_written_as_avro_others_read(broker: &dyn Broker) {
    let (registry, id) = orders::registry();
    broker.create_topic("avro-in", 1);
    broker.create_topic("avro-out", 1);
    broker.create_topic("avro-header", 1);
    produce(broker.brokers(), &orders::records("avro-in", id, 0..100));

    // By a schema made from the columns, which is registered.
    let sink =
        "sink.kafka: { topic: avro-out, key.field: id, key.serializer: avro, serializer: avro }\n";
    let _ = run(broker, &registry, "avro-in", sink).with_code(0);
    assert_eq!(registry.versions("avro-out-value").len(), 1);
    let key = registry.versions("avro-out-key");
    assert_eq!(registry.schema(key[0]).as_deref(), Some("\"long\""));
    let read_back = run(broker, &registry, "avro-out", "");
    let expected: Vec<Value> = (0..100).map(orders::row).collect();
    assert_eq!(read_back.with_code(0).rows(), expected);

    // By the schema that is there, named in a header.
    let _ = registry.register("avro-header-value", NewSchema::avro(orders::SCHEMA));
    let sink = "sink.kafka:
  topic: avro-header
  serializer: { plugin: avro, options: { use.latest.version: true, framing: header } }
";
    let _ = run(broker, &registry, "avro-in", sink).with_code(0);
    assert_eq!(registry.versions("avro-header-value"), [id]);
    let messages = Reader::new(broker.brokers(), "avro-header").to_end();
    assert_eq!(messages[7].headers.len(), 1);
    assert_eq!(
        messages[7].value.as_deref(),
        Some(&orders::framed(id, 7)[5..]),
        "the same bytes as apache-avro's"
    );
    let read_back = run(broker, &registry, "avro-header", "");
    assert_eq!(read_back.with_code(0).rows(), expected);

    for (topic, keys) in [("avro-out", "avro"), ("avro-header", "none")] {
        let of = (keys, "avro");
        let Some(read) = python_reads(broker, &registry.url(), topic, 100, of) else {
            return;
        };
        for (n, message) in (0..).zip(&read) {
            assert_eq!(message["value"], order(n), "{topic}");
            let key = match keys {
                "avro" => json!(n),
                _ => json!(format!("order-{n}")),
            };
            assert_eq!(message["key"], key, "{topic}");
        }
    }
}

/// Ten orders from `in` to `out`, and what weir reads there.
fn through(serializer: &str, framing: &str) -> (Mock, Registry, Vec<Value>) {
    let (mock, registry) = ten_orders();
    let sink = format!(
        "sink.kafka: {{ topic: out, serializer: {{ plugin: {serializer}, options: {{ framing: {framing} }} }} }}\n"
    );
    let _ = run(&mock, &registry, "in", &sink).with_code(0);
    let reader = serializer.trim_end_matches("-schema");
    let yaml = pipeline(&mock, &registry, "out", "");
    let yaml = yaml.replace("deserializer: avro", &format!("deserializer: {reader}"));
    let rows = Project::new().run(&yaml).finish().with_code(0).rows();
    (mock, registry, rows)
}

#[test]
fn what_is_written_as_json_others_read() {
    for framing in ["prefix", "header"] {
        let (mock, registry, rows) = through("json-schema", framing);
        // JSON Schema's instants are read in microseconds.
        let expected = |n| {
            let mut row = orders::row(n);
            let at = row["occurred_at"].as_str().expect("a text");
            row["occurred_at"] = json!(at.replace('Z', "000Z"));
            row
        };
        assert_eq!(rows, (0..10).map(expected).collect::<Vec<_>>(), "{framing}");
        let id = registry.versions("out-value")[0];
        let schema = registry.schema(id).expect("it is registered");
        assert!(
            schema.contains(r#""additionalProperties":false"#),
            "{schema}"
        );
        let of = ("none", "json");
        let Some(read) = python_reads(&mock, &registry.url(), "out", 10, of) else {
            return;
        };
        let values: Vec<Value> = read
            .iter()
            .map(|message| message["value"].clone())
            .collect();
        assert_eq!(values, (0..10).map(orders::row).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_written_as_protobuf_others_read() {
    for framing in ["prefix", "header"] {
        let (mock, registry, rows) = through("protobuf", framing);
        let expected = |n| {
            let mut row = orders::row(n);
            let at = row["occurred_at"].as_str().expect("a text");
            row["occurred_at"] = json!(at.replace('Z', "000000Z"));
            row
        };
        assert_eq!(rows, (0..10).map(expected).collect::<Vec<_>>(), "{framing}");
        let of = ("none", "protobuf:out");
        let Some(read) = python_reads(&mock, &registry.url(), "out", 10, of) else {
            return;
        };
        let values: Vec<Value> = read
            .iter()
            .map(|message| message["value"].clone())
            .collect();
        assert_eq!(values, (0..10).map(order).collect::<Vec<_>>());
    }
}

#[test]
fn what_the_registry_refuses_is_not_sent() {
    let (mock, registry) = ten_orders();
    registry.refuse("out-value", "the new schema drops the field `total`");
    let sink = "sink.kafka: { topic: out, serializer: avro }\n";
    let finished = run(&mock, &registry, "in", sink);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    for part in [
        "the schema made from the columns, to be registered as `out-value`",
        "not compatible: the new schema drops the field `total`",
    ] {
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    }
    assert!(Reader::new(mock.brokers(), "out").to_end().is_empty());
}

#[test]
fn nothing_is_registered_without_leave() {
    let (mock, registry) = ten_orders();
    let sink = "sink.kafka: { topic: out, serializer: avro }\n";
    let yaml = pipeline(&mock, &registry, "in", sink);
    let yaml = yaml.replace("  auto.register.schemas: true\n", "");
    let project = Project::new();
    let finished = project.run(&yaml).finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let advice = "set `schema.registry.auto.register.schemas: true`";
    assert!(finished.stderr.contains(advice), "{}", finished.stderr);
    assert!(registry.versions("out-value").is_empty());
    assert!(Reader::new(mock.brokers(), "out").to_end().is_empty());

    // What is registered already may be used: by others with such leave.
    let with_leave = pipeline(&mock, &registry, "in", sink);
    let _ = project.run(&with_leave).finish().with_code(0);
    let again = yaml.replace("source:\n", "name: again\nsource:\n");
    let _ = Project::new().run(&again).finish().with_code(0);
    assert_eq!(registry.versions("out-value").len(), 1);
    assert_eq!(Reader::new(mock.brokers(), "out").to_end().len(), 20);
}

#[test]
fn a_row_that_cannot_be_written_is_named_and_the_others_go_on() {
    let (mock, registry) = ten_orders();
    let schema = r#"{ type: record, name: Order, fields: [
        { name: id, type: { type: enum, name: Id, symbols: [A] } } ] }"#;
    let sink = |schema: &str| {
        format!(
            "sink.kafka: {{ topic: out, serializer: {{ plugin: avro, options: {{ framing: raw, schema: {schema} }} }} }}\n"
        )
    };
    // Columns that do not fit at all stop it before anything is sent.
    let finished = run(&mock, &registry, "in", &sink(schema));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let reason = "column `customer` has no field in the record `Order`: its values would be lost";
    assert!(finished.stderr.contains(reason), "{}", finished.stderr);

    let narrow = orders::SCHEMA.replace(r#"["NEW", "PAID"]"#, r#"["NEW"]"#);
    let narrow = sink(&narrow.replace(['\n'], " "));
    let finished = run(&mock, &registry, "in", &narrow).with_code(0);
    for offset in [1, 3, 5, 7, 9] {
        let line = format!(
            "bad record in in[0] at offset {offset}: its value cannot be written: column `status`: \
             `PAID` is no symbol of the enum"
        );
        assert!(finished.stderr.contains(&line), "{}", finished.stderr);
    }
    let written = Reader::new(mock.brokers(), "out").to_end();
    let values: Vec<_> = written
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    let expected: Vec<_> = [0, 2, 4, 6, 8]
        .map(|n| orders::framed(0, n)[5..].to_vec())
        .into();
    assert_eq!(values, expected);

    let strict = format!("{narrow}errors.tolerance: none\n");
    let yaml = pipeline(&mock, &registry, "in", &strict);
    let finished = Project::new()
        .run(&format!("name: strict\n{yaml}"))
        .finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let stopped = "in[0] at offset 1: its value cannot be written: column `status`";
    assert!(finished.stderr.contains(stopped), "{}", finished.stderr);
}

#[test]
fn each_topic_has_its_own_subject() {
    let (mock, registry) = ten_orders();
    mock.create_topic("NEW", 1);
    mock.create_topic("PAID", 1);
    let sink = "sink.kafka: { topic.field: status, key.fields: [id, customer], \
                key.serializer: avro, serializer: avro }\n";
    let _ = run(&mock, &registry, "in", sink).with_code(0);
    for (topic, first) in [("NEW", 0), ("PAID", 1)] {
        let [value, key] = ["value", "key"].map(|part| {
            let versions = registry.versions(&format!("{topic}-{part}"));
            registry.schema(versions[0]).expect("it is registered")
        });
        assert!(value.contains(&format!("\"name\":\"{topic}\"")), "{value}");
        assert!(
            key.contains(r#""name":"customer","type":"string""#),
            "{key}"
        );
        let yaml = pipeline(&mock, &registry, topic, "");
        let rows = Project::new().run(&yaml).finish().with_code(0).rows();
        let expected: Vec<Value> = (first..10).step_by(2).map(orders::row).collect();
        assert_eq!(rows, expected, "{topic}");
    }
}

/// Keys of one language in, and of another one out; values likewise.
#[test]
fn keys_are_decoded_and_written_again() {
    let (registry, id) = orders::registry();
    let mock = Mock::start();
    mock.create_topic("in", 1);
    mock.create_topic("out", 1);
    let key = |n: i64| json!({ "tenant": format!("t{}", n % 3), "number": n });
    let mut records: Vec<Record> = (0..10)
        .map(|n| {
            let record = Record::new("in").value(orders::framed(id, n));
            match n {
                // No key, a key that is none, and a delete, which has no row.
                4 => record,
                5 => record.key("{"),
                _ => record.key(key(n).to_string()),
            }
        })
        .collect();
    records.push(Record::new("in").key(key(3).to_string()));
    produce(mock.brokers(), &records);
    let sink =
        "sink.kafka: { topic: out, key.field: key, key.serializer: avro, serializer: avro }\n";
    let keys = "deserializer: { value: avro, key: { plugin: json, options: { columns: { tenant: utf8, number: int64 } } } }";
    let yaml = pipeline(&mock, &registry, "in", sink).replace("deserializer: avro", keys);
    let finished = Project::new().run(&yaml).finish().with_code(0);
    let bad = finished.lines_with("bad record in in[0] at offset 5: key:");
    assert_eq!(bad.len(), 1, "{}", finished.stderr);

    let written = Reader::new(mock.brokers(), "out").to_end();
    assert_eq!(written.len(), 9, "a delete's key is in no column");
    let schema = registry.schema(registry.versions("out-key")[0]);
    let schema = schema.expect("it is registered");
    assert!(schema.contains(r#""name":"tenant""#), "{schema}");

    // Both again, by weir and by others.
    let yaml = pipeline(&mock, &registry, "out", "");
    let yaml = yaml.replace(
        "deserializer: avro",
        "deserializer: { value: avro, key: { plugin: avro, column: again } }",
    );
    let rows = Project::new().run(&yaml).finish().with_code(0).rows();
    let expected = (0..10).filter(|n| *n != 5).map(|n| {
        let mut row = orders::row(n);
        let key = if n == 4 { Value::Null } else { key(n) };
        row["key"] = key.clone();
        row["again"] = key;
        row
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
    let of = ("avro", "avro");
    let Some(read) = python_reads(&mock, &registry.url(), "out", 9, of) else {
        return;
    };
    let keys: Vec<&Value> = read.iter().map(|message| &message["key"]).collect();
    for (found, n) in keys.iter().zip([0, 1, 2, 3, 4, 6, 7, 8, 9]) {
        let expected = if n == 4 { Value::Null } else { key(n) };
        assert_eq!(**found, expected);
    }
}

#[test]
fn a_registry_that_is_down_is_waited_for() {
    let (mock, registry) = ten_orders();
    let json = r#"{"id":1}"#;
    mock.create_topic("plain", 1);
    produce(mock.brokers(), &[Record::new("plain").value(json)]);
    registry.set_fault(Fault::Status(503));
    let yaml = pipeline(
        &mock,
        &registry,
        "plain",
        "sink.kafka: { topic: out, serializer: avro }\n",
    );
    let columns = "deserializer: { value: { plugin: json, options: { columns: { id: int64 } } } }";
    let yaml = yaml
        .replace("deserializer: avro", columns)
        .replace("  url:", "  max.retries: 0\n  url:");
    let project = Project::new();
    let running = project.run(&yaml).start();
    running.wait_for_stderr("trying again in");
    registry.set_fault(Fault::None);
    let _ = running.finish().with_code(0);
    assert_eq!(Reader::new(mock.brokers(), "out").to_end().len(), 1);
}

/// A language, with a type in a subject of its own that the schema of orders refers to.
struct Referring {
    plugin: &'static str,
    language: SchemaType,
    options: &'static str,
    /// How the schema names the other one.
    name: &'static str,
    money: &'static str,
    order: &'static str,
}

const REFERRING: [Referring; 3] = [
    Referring {
        plugin: "avro",
        language: SchemaType::Avro,
        options: "",
        name: "shop.Money",
        money: r#"{"type":"record","name":"shop.Money","fields":[{"name":"currency","type":"string"},{"name":"units","type":"long"}]}"#,
        order: r#"{"type":"record","name":"shop.Order","fields":[{"name":"id","type":"long"},{"name":"total","type":"shop.Money"}]}"#,
    },
    Referring {
        plugin: "protobuf",
        language: SchemaType::Protobuf,
        options: ", record.name: shop.Order",
        name: "money.proto",
        money: "edition = \"2023\"; package shop; option features.field_presence = IMPLICIT;\nmessage Money { string currency = 1; int64 units = 2; }",
        order: "syntax = \"proto3\"; package shop; import \"money.proto\";\nmessage Other {}\nmessage Order { int64 id = 1; Money total = 2; }",
    },
    Referring {
        plugin: "json-schema",
        language: SchemaType::Json,
        options: "",
        name: "https://shop.example/money.json",
        money: r#"{"$id":"https://shop.example/money.json","type":"object","properties":{"currency":{"type":"string"},"units":{"type":"integer"}},"additionalProperties":false}"#,
        order: r#"{"$id":"https://shop.example/order.json","title":"Order","type":"object","properties":{"id":{"type":"integer"},"total":{"$ref":"https://shop.example/money.json"}},"additionalProperties":false}"#,
    },
];

#[test]
fn a_schema_whose_types_are_in_other_subjects_is_written_by() {
    let Some(registry) = available(Srfake::start()) else {
        return;
    };
    let config = RegistryConfig {
        auto_register: true,
        ..RegistryConfig::new(registry.url())
    };
    let source = RegistrySource::open(&config, None).expect("it is an address");
    let mock = Mock::start();
    mock.create_topic("in", 1);
    let row = |n: i64| json!({ "id": n, "total": { "currency": "EUR", "units": n * 100 } });
    let record = |n| Record::new("in").value(row(n).to_string());
    produce(mock.brokers(), &(0..5).map(record).collect::<Vec<_>>());
    for of in &REFERRING {
        let topic = format!("{}-out", of.plugin);
        mock.create_topic(&topic, 1);
        let register = |subject: &str, text: &str, references| {
            let schema = NewSchemaOf {
                schema_type: of.language,
                text: text.to_owned(),
                references,
            };
            source.register(subject, &schema).expect("it takes it").id
        };
        let money = format!("{}-money", of.plugin);
        register(&money, of.money, Vec::new());
        let reference = SubjectVersion {
            name: of.name.to_owned(),
            subject: money,
            version: 1,
        };
        let subject = format!("{topic}-value");
        let id = register(&subject, of.order, vec![reference]);

        for by in [
            "use.latest.version: true".to_owned(),
            format!("schema.id: {id}"),
        ] {
            let yaml = format!(
                "name: {}-{}
source:
  bootstrap.servers: {}
  topics: [in]
  startup.mode: earliest
  stop.mode: latest
{}schema.registry.url: {}
deserializer: {{ value: {{ plugin: json, options: {{ columns: {{ id: int64, total: {{ currency: utf8, units: int64 }} }} }} }} }}
sink.kafka: {{ topic: {topic}, serializer: {{ plugin: {}, options: {{ {by}{} }} }} }}
",
                of.plugin,
                by.replace([':', ' '], "-"),
                mock.brokers(),
                mock.source_keys(),
                registry.url(),
                of.plugin,
                of.options,
            );
            let _ = Project::new().run(&yaml).finish().with_code(0);
        }
        let written = Reader::new(mock.brokers(), &topic).to_end();
        let prefix = [&[0][..], &id.to_be_bytes()].concat();
        for record in &written {
            assert!(
                record
                    .value
                    .as_deref()
                    .expect("a value")
                    .starts_with(&prefix)
            );
        }
        let latest = source.latest(&subject).expect("it has it");
        assert_eq!(
            (latest.id, latest.version),
            (Some(id), Some(1)),
            "none is added"
        );

        let expected: Vec<Value> = (0..5).chain(0..5).map(row).collect();
        let reader = of.plugin.trim_end_matches("-schema");
        let yaml = format!(
            "source:
  bootstrap.servers: {}
  topics: [{topic}]
  startup.mode: earliest
  stop.mode: latest
{}schema.registry.url: {}
deserializer: {reader}
",
            mock.brokers(),
            mock.source_keys(),
            registry.url(),
        );
        let rows = Project::new().run(&yaml).finish().with_code(0).rows();
        assert_eq!(rows, expected, "{}", of.plugin);

        let folder = Project::new();
        folder.write("money.proto", of.money);
        folder.write("order.proto", of.order);
        let kind = match of.plugin {
            "protobuf" => format!(
                "protoc:{}:shop.Order",
                folder.path().join("order.proto").display()
            ),
            other => other.trim_end_matches("-schema").to_owned(),
        };
        let Some(read) = python_reads(&mock, registry.url(), &topic, 10, ("none", &kind)) else {
            continue;
        };
        let values = read.iter().map(|message| message["value"].clone());
        // Protobuf's JSON has 64 bits as text, and no defaults.
        let expected = expected.iter().map(|row| match of.plugin {
            "protobuf" => proto_json(row),
            _ => row.clone(),
        });
        assert_eq!(
            values.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "{}",
            of.plugin
        );
    }
}

fn proto_json(row: &Value) -> Value {
    match row {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| **value != json!(0));
            members
                .map(|(name, value)| (name.clone(), proto_json(value)))
                .collect()
        }
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    }
}

/// The types of a schema that is given cannot be looked for: nothing says which subject has them.
#[test]
fn a_given_schema_that_lacks_its_types_says_so() {
    let mock = Mock::start();
    mock.create_topic("in", 1);
    mock.create_topic("out", 1);
    let row = json!({ "id": 1, "total": { "currency": "EUR", "units": 1 } });
    produce(mock.brokers(), &[Record::new("in").value(row.to_string())]);
    let registry = Registry::start();
    for (of, why) in REFERRING.iter().zip([
        "shop.Money",
        "imports money.proto, which is not among the schema's references",
        "https://shop.example/money.json",
    ]) {
        let project = Project::new();
        project.write("schema", of.order);
        let yaml = format!(
            "source:
  bootstrap.servers: {}
  topics: [in]
  startup.mode: earliest
  stop.mode: latest
{}schema.registry: {{ url: {}, auto.register.schemas: true }}
deserializer: {{ value: {{ plugin: json, options: {{ columns: {{ id: int64, total: {{ currency: utf8, units: int64 }} }} }} }} }}
sink.kafka: {{ topic: out, serializer: {{ plugin: {}, options: {{ schema: \"${{file:./schema}}\", framing: raw{} }} }} }}
",
            mock.brokers(),
            mock.source_keys(),
            registry.url(),
            of.plugin,
            of.options,
        );
        let finished = project.run(&yaml).finish();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains(why),
            "{}: {}",
            of.plugin,
            finished.stderr
        );
        assert!(Reader::new(mock.brokers(), "out").to_end().is_empty());
    }
}

#[test]
fn serializers_are_checked_without_a_network() {
    let project = Project::new();
    let file = |sink: &str| {
        project.write(
            "p.yaml",
            format!(
                "source: {{ bootstrap.servers: \"localhost:1\", topics: [a] }}\ndeserializer: avro\n\
                 schema.registry.url: http://localhost:1\nsink.kafka: {{ topic: b, {sink} }}\n"
            ),
        );
        project.weir(["check", "p.yaml"]).finish()
    };
    let good = file("key.field: id, key.serializer: avro, serializer: avro").with_code(0);
    assert_eq!(
        good.stdout.matches("(serializer").count(),
        2,
        "{}",
        good.stdout
    );
    let bad = file("serializer: { plugin: avro, options: { framing: auto } }");
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.contains("p.yaml:4:"), "{}", bad.stderr);
    assert!(
        bad.stderr.contains("`framing`: unknown variant `auto`"),
        "{}",
        bad.stderr
    );

    let inspected = project
        .weir(["plugin", "inspect", "avro"])
        .finish()
        .with_code(0);
    for world in ["deserializer-plugin@0.1.0", "serializer-plugin@0.1.0"] {
        assert!(inspected.stdout.contains(world), "{}", inspected.stdout);
    }
}
