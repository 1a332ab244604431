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
    assert_eq!(source.bootstrap_servers, "localhost:9092");
    assert!(matches!(&source.topics, Topics::Names(names) if names == &["orders"]));
    assert_eq!(source.group_id, "weir-orders");
    assert_eq!(source.client_id, "weir");
    assert_eq!(source.startup_mode, StartupMode::GroupOffsets);
    assert_eq!(source.stop_mode, StopMode::Never);
    assert_eq!(source.batch_max_rows, 1000);
    assert_eq!(source.batch_max_bytes, 1 << 20);
    assert_eq!(source.batch_max_wait, Duration::from_millis(50));
    assert_eq!(source.commit_interval, Duration::from_secs(5));
    assert_eq!(source.isolation_level, IsolationLevel::ReadCommitted);
    assert_eq!(source.session_timeout, Duration::from_secs(45));
    assert_eq!(source.max_poll_interval, Duration::from_secs(300));
    assert_eq!(source.queued_min_messages, 100_000);
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
  librdkafka: { socket.keepalive.enable: true, socket.timeout.ms: 10000 }
schema.registry:
  url: https://registry.example:8081/prefix
  basic.auth.user.info: ${env:REGISTRY_AUTH}
interceptors:
  - drop-by-header
  - plugin: ./plugins/mine.wasm
    options: { a: [1, -2, 2.5, true, null, "3"], big: 18446744073709551615, t: "$${x} ${env:ROWS}" }
deserializer.value.plugin: ../house.wasm
sink:
  kafka: { topic: clean, compression.type: zstd, librdkafka: { linger.ms: 5 } }
  serializer: { plugin: json }
errors.tolerance: none
delivery.guarantee: at_least_once
"#;
    let config = PipelineConfig::parse(text, Path::new("conf/orders.yaml"), &env).unwrap();
    assert_eq!(config.name, "full");
    assert_eq!(config.source.bootstrap_servers, "b1:9092,b2:9092");
    assert_eq!(config.source.group_id, "7");
    assert_eq!(config.source.startup_mode, StartupMode::Earliest);
    assert_eq!(config.source.batch_max_rows, 64);
    assert_eq!(
        config.source.isolation_level,
        IsolationLevel::ReadUncommitted
    );
    assert_eq!(
        config.source.librdkafka.0["socket.keepalive.enable"],
        "true"
    );
    assert!(config.source.topics.contains("returns"));
    assert!(!config.source.topics.contains("returns-dlq"));
    assert!(!config.source.topics.contains("old-orders"));
    let SchemasConfig::Registry(registry) = &config.schemas else {
        panic!("{:?}", config.schemas);
    };
    assert_eq!(registry.url, "https://registry.example:8081/prefix");
    assert_eq!(
        registry.user_info.as_ref().unwrap().reveal(),
        "weir:hunter2"
    );
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
    assert_eq!(sink.bootstrap_servers, "b1:9092,b2:9092");
    assert_eq!(sink.compression_type, Codec::Zstd);
    assert_eq!(sink.serializer, Serializer::Json);
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
    for key in KEYS {
        assert!(!key.doc.is_empty(), "{}", key.name);
        assert!(
            key.required.is_none() || key.default.is_none(),
            "{} is required and has a default",
            key.name
        );
        let same = KEYS.iter().filter(|other| other.name == key.name).count();
        assert_eq!(same, 1, "{} is declared {same} times", key.name);
        match key.kind {
            Kind::Integer { min, max, .. } => {
                let default: u64 = key.default.unwrap().parse().unwrap();
                assert!((min..=max).contains(&default), "{}", key.name);
            }
            Kind::Choice { names, later, .. } => {
                assert!(key.default.is_none_or(|default| names.contains(&default)));
                assert!(names.iter().all(|name| !later.contains(name)));
            }
            _ => {}
        }
    }
}

#[test]
fn the_default_of_every_key_can_be_written_out() {
    let mut text = format!("{FIRST_FILE}schema.registry.url: http://localhost:8081\n");
    for key in KEYS {
        if let Some(default) = key.default
            && !key.name.starts_with("sink.")
        {
            text.push_str(&format!("{}: {default}\n", key.name));
        }
    }
    parse(&text).unwrap_or_else(|error| panic!("{error}"));
}
