#[path = "mistakes.rs"]
mod mistakes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::*;

const FIRST_FILE: &str = "\
source:
  bootstrap.servers: localhost:9092
  topics: [orders]
deserializer: avro
";

fn env(name: &str) -> Option<String> {
    match name {
        "BROKERS" => Some("b1:9092,b2:9092".to_owned()),
        "ROWS" => Some("64".to_owned()),
        "REGISTRY_AUTH" => Some("weir:hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<PipelineConfig, ConfigErrors> {
    PipelineConfig::parse(text, Path::new("orders.yaml"), &env)
}

#[test]
fn a_first_file_gets_every_default() {
    let config = parse(FIRST_FILE).unwrap();
    assert_eq!(config.name, "orders");
    let source = &config.source;
    assert!(matches!(&source.topics, Topics::Names(names) if names == &["orders"]));
    assert_eq!(source.group_id, "weir-orders");
    assert_eq!(source.start, Start::GroupOffsets);
    assert_eq!(source.stop, StopAt::Never);
    assert_eq!(source.batch_max_rows, 1000);
    assert_eq!(source.batch_max_bytes, 1 << 20);
    assert_eq!(source.batch_max_wait, Duration::from_millis(50));
    assert_eq!(source.commit_interval, Duration::from_secs(5));
    assert_eq!(source.session_timeout, Duration::from_secs(45));
    for (property, value) in [
        ("bootstrap.servers", "localhost:9092"),
        ("client.id", "weir"),
        ("group.id", "weir-orders"),
        ("isolation.level", "read_committed"),
        ("max.poll.interval.ms", "300000"),
        ("queued.min.messages", "100000"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("auto.offset.reset", "error"),
        ("enable.auto.commit", "false"),
    ] {
        assert_eq!(source.client.get(property), Some(value), "{property}");
    }
    assert_eq!(source.client.get("sasl.mechanisms"), None);
    assert_eq!(
        source.client.get("ssl.endpoint.identification.algorithm"),
        None
    );
    assert!(matches!(config.schemas, SchemasConfig::None));
    assert!(config.interceptors.is_empty());
    assert_eq!(
        config.deserializer.value.plugin,
        PluginRef::BuiltIn("avro".to_owned())
    );
    assert_eq!(config.deserializer.value.options, json!({}));
    assert_eq!(config.limits.memory_max_bytes, 256 << 20);
    assert_eq!(config.limits.memory_recycle_bytes, 128 << 20);
    assert_eq!(config.limits.call_timeout, Duration::from_secs(5));
    let expected = WatermarkConfig {
        event_time: EventTimeFrom::Timestamp,
        max_out_of_orderness: 5_000,
        idle_timeout: Some(Duration::from_secs(30)),
        max_future: 300_000,
        late: LateRecords::Deliver,
        side_topic: None,
        alignment: None,
        group: None,
    };
    assert_eq!(config.watermark, Some(expected));
    assert!(matches!(config.sink, SinkConfig::Stdout));
    assert_eq!(config.errors.tolerance, Tolerance::All);
    assert_eq!(config.delivery_guarantee, DeliveryGuarantee::AtLeastOnce);
    config.check_files().unwrap();
}

#[test]
fn a_full_file_is_read_as_written() {
    let text = r#"
name: full
source:
  bootstrap.servers: ${env:BROKERS}
  topic:
    pattern: orders|returns
  group.id: 7
  startup.mode: EARLIEST
  stop.mode: latest
  batch.max.rows: ${env:ROWS}
  isolation.level: read-uncommitted
  security.protocol: PLAINTEXT
  librdkafka: { socket.max.fails: 3 }
schema.registry:
  url: https://registry.example:8081/prefix
  basic.auth.user.info: ${env:REGISTRY_AUTH}
interceptors:
  - drop-by-header
  - plugin: ./plugins/mine.wasm
    options: { a: [1, -2, 2.5, true, null, "3"], big: 18446744073709551615, t: "$${x} ${env:ROWS}" }
deserializer.value.plugin: ../house.wasm
watermark:
  event.time: $.timestamp.at
  event.time.unit: US
  idle.timeout.ms: 0
  late.records: column
  alignment: { max.drift.ms: 60000, mode: drop_excess, group.id: all, publish.interval.ms: 500 }
sink:
  kafka:
    { topic: clean, compression.type: zstd, queue.buffering.max.ms: 7, serializer: { plugin: json } }
errors.tolerance: none
delivery.guarantee: at_least_once
"#;
    let config = PipelineConfig::parse(text, Path::new("conf/orders.yaml"), &env).unwrap();
    assert_eq!(config.name, "full");
    let expected = WatermarkConfig {
        event_time: EventTimeFrom::Column {
            path: crate::rows::ColumnPath::new("timestamp.at"),
            unit: ColumnUnit::Micros,
        },
        max_out_of_orderness: 5_000,
        idle_timeout: None,
        max_future: 300_000,
        late: LateRecords::Column,
        side_topic: None,
        alignment: Some(AlignmentConfig {
            max_drift: 60_000,
            mode: AlignmentMode::DropExcess,
            check_interval: Duration::from_secs(1),
        }),
        group: Some(AlignmentGroup {
            id: "all".to_owned(),
            topic: "_weir_alignment".to_owned(),
            publish_interval: Duration::from_millis(500),
            member_timeout: Duration::from_secs(10),
        }),
    };
    assert_eq!(config.watermark, Some(expected));
    assert_eq!(config.source.group_id, "7");
    assert_eq!(config.source.start, Start::Earliest);
    assert_eq!(config.source.stop, StopAt::Latest);
    assert_eq!(config.source.batch_max_rows, 64);
    for (property, value) in [
        ("bootstrap.servers", "b1:9092,b2:9092"),
        ("isolation.level", "read_uncommitted"),
        ("socket.max.fails", "3"),
    ] {
        assert_eq!(
            config.source.client.get(property),
            Some(value),
            "{property}"
        );
    }
    assert!(config.source.topics.contains("returns"));
    assert!(!config.source.topics.contains("returns-dlq"));
    assert!(!config.source.topics.contains("old-orders"));
    let SchemasConfig::Registry(registry) = &config.schemas else {
        panic!("{:?}", config.schemas);
    };
    assert_eq!(registry.urls, ["https://registry.example:8081/prefix"]);
    let RegistryAuth::Basic(user_info) = &registry.auth else {
        panic!("{:?}", registry.auth);
    };
    assert_eq!(user_info.reveal(), "weir:hunter2");
    assert_eq!(
        config.interceptors[1].plugin,
        PluginRef::Path(PathBuf::from("conf/plugins/mine.wasm"))
    );
    assert_eq!(
        config.interceptors[1].options,
        json!({
            "a": [1, -2, 2.5, true, null, "3"], "big": u64::MAX, "t": "${x} 64",
        })
    );
    assert_eq!(
        config.deserializer.value.plugin,
        PluginRef::Path(PathBuf::from("conf/../house.wasm"))
    );
    let SinkConfig::Kafka(sink) = &config.sink else {
        panic!("{:?}", config.sink);
    };
    for (property, value) in [
        ("bootstrap.servers", "b1:9092,b2:9092"),
        ("compression.codec", "zstd"),
        ("queue.buffering.max.ms", "7"),
        ("request.required.acks", "all"),
        ("enable.idempotence", "true"),
        ("partitioner", "murmur2_random"),
    ] {
        assert_eq!(sink.client.get(property), Some(value), "{property}");
    }
    assert!(sink.serializer.is_none(), "plain JSON");
    assert_eq!(config.errors.tolerance, Tolerance::None);
}

#[test]
fn every_example_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let env = |name: &str| match name {
        "SCHEMA_REGISTRY" => Some("http://localhost:8081".to_owned()),
        _ => Some("localhost:9092".to_owned()),
    };
    let list = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let folders = list(&folder).filter(|path| path.is_dir());
    let files = list(&folder).chain(folders.flat_map(|folder| list(&folder)));
    let mut count = 0;
    for path in files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    }) {
        PipelineConfig::load(&path, &env).unwrap_or_else(|error| panic!("{error}"));
        count += 1;
    }
    assert!(count >= 4, "{count} examples");
}

#[test]
fn the_table_is_consistent() {
    for key in KEYS.iter() {
        assert!(!key.doc.is_empty(), "{}", key.name);
        assert!(
            key.required.is_none() || key.default.is_none(),
            "{} is required and has a default",
            key.name
        );
        for name in key.names() {
            let same = KEYS.iter().filter(|other| other.names().any(|n| n == name));
            assert_eq!(same.count(), 1, "{name} is declared more than once");
        }
        match key.kind {
            Kind::Integer { min, max, .. } => {
                for default in defaults(key) {
                    let default: u64 = default.parse().unwrap();
                    assert!((min..=max).contains(&default), "{}", key.name);
                }
            }
            Kind::Choice {
                names, later, also, ..
            } => {
                assert!(defaults(key).iter().all(|default| names.contains(default)));
                assert!(also.iter().all(|(_, name)| names.contains(name)));
                assert!(names.iter().all(|name| !later.contains(name)));
            }
            _ => {}
        }
    }
}

fn defaults(key: &Key) -> Vec<&'static str> {
    let by_profile = key.profiles.into_iter().flatten();
    key.default.into_iter().chain(by_profile).collect()
}

#[test]
fn keys_have_a_plug_in_and_a_column_of_their_own() {
    let file = |rest: &str| {
        let text = "source: { bootstrap.servers: 'a:1', topics: [orders], metadata.columns: [key] }\n\
                    deserializer: { value: avro, key: { plugin: json, ";
        parse(&format!("{text}{rest} }} }}\n"))
    };
    let config = file("column: k, options: { framing: raw }").unwrap();
    let key = config.deserializer.key.unwrap();
    assert_eq!(key.column, "k");
    assert_eq!(key.plugin.plugin, PluginRef::BuiltIn("json".to_owned()));
    assert_eq!(key.plugin.options, json!({ "framing": "raw" }));
    let error = file("options: {}").unwrap_err().to_string();
    let expected = "`metadata.columns` has a column `key` already: give one another name";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_default_of_every_key_can_be_written_out() {
    for profile in [Profile::Latency, Profile::Balanced, Profile::Throughput] {
        let mut text = "source: { bootstrap.servers: 'a:1', topics: [orders] }\n\
                        deserializer: { value: avro, key: avro }\n\
                        schema.registry.url: http://localhost:8081\nsink.kafka.topic: clean\n"
            .to_owned();
        let profile = format!("{}\n", profile.as_str());
        text.push_str(&format!("profile: {profile}"));
        let short = parse(&text).unwrap_or_else(|error| panic!("{error}"));
        for key in KEYS.iter().filter(|key| key.name != "profile") {
            // With the plaintext of the default, those have no effect.
            let security = ["sasl.", "ssl."].iter().any(|part| key.name.contains(part));
            let default = key.default_in(short.profile);
            if let Some(default) =
                default.filter(|_| !security && !key.name.starts_with("sink.file"))
            {
                text.push_str(&format!("{}: {default}\n", key.name));
            }
        }
        let long = parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let values = |config: &PipelineConfig| {
            let properties = config.source.client.iter();
            properties
                .map(|(name, property)| (name.to_owned(), property.value.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(values(&short), values(&long));
    }
}

/// A value that a key takes and that is not its default.
fn other_value(key: &Key) -> Option<String> {
    let default = key.default_in(Profile::Balanced);
    Some(match key.kind {
        Kind::Integer { min, max, .. } => {
            let near = default.map_or(min, |default| default.parse().unwrap());
            (if near < max { near + 1 } else { near - 1 }).to_string()
        }
        Kind::Boolean => (default != Some("true")).to_string(),
        Kind::Choice { names, .. } => {
            (*names.iter().find(|name| Some(**name) != default)?).to_owned()
        }
        Kind::List => "roundrobin".to_owned(),
        Kind::Path => "./some.file".to_owned(),
        Kind::Text => "some-text".to_owned(),
        Kind::Url => "http://other:1".to_owned(),
        _ => return None,
    })
}

#[test]
fn every_key_that_names_a_property_reaches_it() {
    let mut reached = 0;
    for key in KEYS.iter().filter(|key| key.librdkafka.is_some()) {
        let Some(mut value) = other_value(key) else {
            continue;
        };
        // What has to go along, for the file to be right.
        let (prefix, leaf) = match key.name.strip_prefix("sink.kafka.") {
            Some(leaf) => ("sink.kafka", leaf),
            None => ("source", key.name.strip_prefix("source.").unwrap()),
        };
        let mut along = Vec::new();
        match leaf {
            "security.protocol" => value = "ssl".to_owned(),
            "bootstrap.servers" => value = "elsewhere:1".to_owned(),
            "compression.level" => along.push("compression.type: gzip"),
            "acks" | "retries" => along.push("enable.idempotence: false"),
            "max.in.flight.requests.per.connection" => value = "4".to_owned(),
            "group.remote.assignor" => along.push("group.protocol: consumer"),
            "sasl.oauthbearer.extensions" => value = "logicalCluster=lkc-1".to_owned(),
            "sasl.username" => along.push("sasl.password: p"),
            "sasl.password" => along.push("sasl.username: u"),
            "sasl.kerberos.keytab" => along.push("sasl.kerberos.principal: p"),
            "ssl.certificate.location" | "ssl.certificate.pem" => along.push("ssl.key.location: k"),
            "ssl.key.location" | "ssl.key.pem" => along.push("ssl.certificate.location: c"),
            "ssl.key.password" => {
                along.extend(["ssl.key.location: k", "ssl.certificate.location: c"]);
            }
            "ssl.keystore.password" => along.push("ssl.keystore.location: k"),
            _ => {}
        }
        if leaf.starts_with("ssl.") {
            along.push("security.protocol: ssl");
        }
        if leaf.starts_with("sasl.kerberos.") {
            along.extend(["security.protocol: sasl_ssl", "sasl.mechanism: GSSAPI"]);
        } else if leaf.starts_with("sasl.oauthbearer.") || leaf.starts_with("https.") {
            along.extend(["security.protocol: sasl_ssl", "sasl.mechanism: OAUTHBEARER"]);
            let needed = [
                "sasl.oauthbearer.token.endpoint.url: http://login",
                "sasl.oauthbearer.client.id: i",
                "sasl.oauthbearer.client.secret: s",
            ];
            along.extend(
                needed
                    .iter()
                    .filter(|line| !line.starts_with(&format!("{leaf}:"))),
            );
        } else if leaf.starts_with("sasl.aws.") {
            along.extend(["security.protocol: sasl_ssl", "sasl.mechanism: AWS_MSK_IAM"]);
            if leaf != "sasl.aws.region" {
                along.push("sasl.aws.region: eu-west-1");
            }
        } else if leaf.starts_with("sasl.") {
            along.extend(["security.protocol: sasl_ssl", "sasl.mechanism: PLAIN"]);
        }
        let mut text = format!("{FIRST_FILE}sink.kafka.topic: clean\n");
        if leaf == "bootstrap.servers" && prefix == "source" {
            text = text.replace("localhost:9092", &value);
        } else {
            text.push_str(&format!("{}: {value}\n", key.name));
        }
        for line in along {
            text.push_str(&format!("{prefix}.{line}\n"));
        }
        let config = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let client = match (&config.sink, prefix) {
            (SinkConfig::Kafka(sink), "sink.kafka") => &sink.client,
            _ => &config.source.client,
        };
        let got = client.get(key.librdkafka.unwrap());
        assert!(
            got.is_some_and(|got| got.ends_with(value.trim_start_matches("./"))),
            "{}: {got:?}",
            key.name
        );
        reached += 1;
        // Those are for weir's own tokens.
        if leaf.starts_with("sasl.aws.") {
            continue;
        }
        // librdkafka knows the property, and takes the value.
        let mut native = rdkafka::ClientConfig::new();
        native.set(key.librdkafka.unwrap(), got.unwrap());
        native
            .create_native_config()
            .unwrap_or_else(|error| panic!("{}: {error}", key.name));
    }
    assert!(reached > 80, "{reached} keys");
}

#[test]
fn event_time_is_not_tracked_where_it_is_switched_off() {
    let text = format!("{FIRST_FILE}watermark.enable.watermark.tracking: false\n");
    assert_eq!(parse(&text).unwrap().watermark, None);
}

#[test]
fn sinks_that_go_by_event_time_need_it() {
    for (sink, key) in [
        (
            "file: { path: out, format: parquet, partition.by: event-time-day }",
            "sink.file.partition.by",
        ),
        (
            "kafka: { topic: out, watermark.header: w }",
            "sink.kafka.watermark.header",
        ),
    ] {
        let text = format!("{FIRST_FILE}sink: {{ {sink} }}\n");
        parse(&text).unwrap();
        let text = format!("{text}watermark.enable.watermark.tracking: false\n");
        let errors = parse(&text).unwrap_err().to_string();
        let expected = format!("{key}: needs event time, which");
        assert!(errors.contains(&expected), "{errors}");
    }
}
