//! Registries as companies run them: with TLS, with client certificates, with tokens, several of
//! them, and down at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use weir::config::RegistryConfig;
use weir::schemas::{
    NewSchema, RegistrySource, SchemaError, SchemaSource as _, SchemaType, SubjectVersion,
};
use weir_tests::avro::frame;
use weir_tests::certificates::{Certificates, KEY_PASSWORD};
use weir_tests::mock::Mock;
use weir_tests::oidc::{Oidc, TokenFault};
use weir_tests::orders;
use weir_tests::records::{Record, produce};
use weir_tests::registry::{Fault, NewSchema as Registered, Registry};
use weir_tests::srfake::Srfake;
use weir_tests::weir::{Finished, Project};
use weir_tests::{Broker as _, available};

/// A registry that others wrote: register, find, reference, by id, by GUID, by version.
#[test]
fn franz_go_s_registry_is_understood() {
    let Some(registry) = available(Srfake::start()) else {
        return;
    };
    let config = RegistryConfig {
        auto_register: true,
        ..RegistryConfig::new(registry.url())
    };
    let source = RegistrySource::open(&config, None).expect("it is an address");
    let avro = |text: &str, references: Vec<SubjectVersion>| NewSchema {
        schema_type: SchemaType::Avro,
        text: text.to_owned(),
        references,
    };
    let item = avro(
        r#"{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"}]}"#,
        vec![],
    );
    source.register("item", &item).expect("it takes it");
    let named = SubjectVersion {
        name: "Item".to_owned(),
        subject: "item".to_owned(),
        version: 1,
    };
    let basket = r#"{"type":"record","name":"Basket","fields":[{"name":"items","type":{"type":"array","items":"Item"}}]}"#;
    let basket = avro(basket, vec![named]);
    let registered = source
        .register("baskets-value", &basket)
        .expect("it takes it");
    let again = source
        .register("baskets-value", &basket)
        .expect("it knows it");
    assert_eq!(again.id, registered.id);

    let by_id = source.by_id(registered.id).expect("it has it");
    assert_eq!(by_id.text, basket.text);
    assert_eq!(by_id.references[0].text, item.text);
    let version = source.version("baskets-value", 1).expect("it has it");
    let latest = source.latest("baskets-value").expect("it has it");
    assert_eq!((version.id, latest.version), (Some(registered.id), Some(1)));
    let found = source
        .look_up("baskets-value", &basket)
        .expect("it finds it");
    assert_eq!(found.id, Some(registered.id));
    let unknown = source.look_up("baskets-value", &item);
    assert!(
        matches!(unknown, Err(SchemaError::NotFound(_))),
        "{unknown:?}"
    );
    assert!(matches!(
        source.by_id(99_999),
        Err(SchemaError::NotFound(_))
    ));
    assert!(matches!(
        source.latest("nobody"),
        Err(SchemaError::NotFound(_))
    ));
    if let Some(guid) = latest.guid {
        assert_eq!(source.by_guid(guid).expect("it has it").text, basket.text);
    }

    let mock = Mock::start();
    mock.create_topic("orders", 1);
    // A basket of one item, `a`.
    let value = frame(registered.id, &[2, 2, b'a', 0]);
    produce(mock.brokers(), &[Record::new("orders").value(value)]);
    let finished = run(&mock, &[format!("url: {}", registry.url())]).with_code(0);
    assert_eq!(finished.rows(), [json!({ "items": [{ "sku": "a" }] })]);
}

/// Rows of two versions have the fields of the one that is asked for.
#[test]
fn a_reader_schema_comes_from_its_subject() {
    let registry = Registry::start();
    let version = |fields: &str| {
        let text = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        registry.register("orders-value", Registered::avro(&text))
    };
    let first = version(r#"{"name":"id","type":"int"}"#);
    let second =
        version(r#"{"name":"note","type":"string","default":"-"},{"name":"id","type":"long"}"#);
    let mock = Mock::start();
    mock.create_topic("orders", 1);
    let record = |id, datum: &[u8]| Record::new("orders").value(frame(id, datum));
    let messages = [
        record(first, &[2]),
        record(second, &[2, b'x', 4]),
        record(first, &[6]),
    ];
    produce(mock.brokers(), &messages);
    let with = |options: &str| {
        let url = format!("url: {}", registry.url());
        let yaml = pipeline(&mock, &[url]);
        let avro =
            format!("deserializer: {{ value: {{ plugin: avro, options: {{ {options} }} }} }}");
        let yaml = yaml.replace("deserializer: avro", &avro);
        Project::new().run(&yaml).finish()
    };
    let rows = with("reader.schema.subject: orders-value, reader.schema.version: 2").with_code(0);
    let row = |id: u32, note: &str| json!({ "note": note, "id": id });
    assert_eq!(rows.rows(), [row(1, "-"), row(2, "x"), row(3, "-")]);

    let rows = with(
        "reader.schema: '{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"double\"}]}'",
    );
    let ids = [1.0, 2.0, 3.0].map(|id| json!({ "id": id }));
    assert_eq!(rows.with_code(0).rows(), ids);

    let missing =
        with("reader.schema.subject: orders-value, reader.schema.version: 7").with_code(1);
    let expected = "`reader.schema.subject`: version 7 of `orders-value`";
    assert_eq!(missing.lines_with(expected).len(), 1, "{}", missing.stderr);
}

/// Ten orders in a topic, whose schema is the first of the registry.
fn ten_orders(registry: &Registry) -> Mock {
    let id = registry.register("orders-value", Registered::avro(orders::SCHEMA));
    let mock = Mock::start();
    mock.create_topic("orders", 1);
    produce(mock.brokers(), &orders::records("orders", id, 0..10));
    mock
}

/// The pipeline file, with these lines of `schema.registry:`.
fn pipeline(mock: &Mock, registry: &[String]) -> String {
    let lines: String = registry
        .iter()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "source:
  bootstrap.servers: {}
  topics: [orders]
  startup.mode: earliest
  stop.mode: latest
{}errors.tolerance: none
schema:
  registry:
{lines}deserializer: avro
",
        mock.brokers(),
        mock.source_keys()
    )
}

fn run(mock: &Mock, registry: &[String]) -> Finished {
    let project = Project::new();
    project.run(&pipeline(mock, registry)).finish()
}

fn assert_ten(finished: Finished) {
    let finished = finished.with_code(0);
    assert_eq!(finished.rows().len(), 10, "{}", finished.stderr);
}

fn certificates() -> (tempfile::TempDir, Certificates) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate_in(folder.path().to_owned());
    (folder, certificates)
}

#[test]
fn a_client_certificate_in_each_of_its_forms() {
    let (_folder, certificates) = certificates();
    let registry = Registry::start_tls(&certificates.server(), Some(certificates.ca()));
    let mock = ten_orders(&registry);
    let client = certificates.client("weir");
    let url = format!("url: {}", registry.url());
    let ca = format!("ssl.ca.location: {}", certificates.ca().display());
    let certificate = format!(
        "ssl.certificate.location: {}",
        client.certificate().display()
    );
    let of = |lines: &[String]| run(&mock, &[&[url.clone(), ca.clone()], lines].concat());

    assert_ten(of(&[
        certificate.clone(),
        format!("ssl.key.location: {}", client.key().display()),
    ]));
    assert_ten(of(&[
        format!(
            "ssl.certificate.pem: \"${{file:{}}}\"",
            client.certificate().display()
        ),
        format!(
            "ssl.key.pem: \"${{file:{}}}\"",
            client.encrypted_key().display()
        ),
        format!("ssl.key.password: {KEY_PASSWORD}"),
    ]));
    assert_ten(of(&[
        format!("ssl.keystore.location: {}", client.key_store().display()),
        format!("ssl.keystore.password: {KEY_PASSWORD}"),
    ]));

    for (lines, why) in [
        (
            vec![],
            "CertificateRequired: set `schema.registry.ssl.certificate.location`",
        ),
        (
            vec![
                certificate.clone(),
                format!("ssl.key.location: {}", client.encrypted_key().display()),
            ],
            "is encrypted: set `schema.registry.ssl.key.password`",
        ),
        (
            vec![
                certificate.clone(),
                format!("ssl.key.location: {}", client.encrypted_key().display()),
                "ssl.key.password: guessed".to_owned(),
            ],
            "is encrypted with another password",
        ),
        (
            vec![
                certificate.clone(),
                format!(
                    "ssl.key.location: {}",
                    certificates.client("other").key().display()
                ),
            ],
            "the private key is not the certificate's",
        ),
        (
            vec![
                format!("ssl.certificate.location: {}", client.key().display()),
                format!("ssl.key.location: {}", client.key().display()),
            ],
            "holds no certificate in PEM",
        ),
        (
            vec![
                format!("ssl.keystore.location: {}", client.key_store().display()),
                "ssl.keystore.password: guessed".to_owned(),
            ],
            "encrypted with another password",
        ),
    ] {
        let is_config = !lines.is_empty();
        let finished = of(&lines);
        assert!(finished.stderr.contains(why), "{why}: {}", finished.stderr);
        assert!(!finished.stderr.contains("guessed"), "{}", finished.stderr);
        let place = finished.stderr.contains("pipeline.yaml:1");
        assert_eq!(place, is_config, "{}", finished.stderr);
        assert_ne!(finished.code, Some(0));
    }
}

#[test]
fn a_registry_that_is_not_trusted_is_not_asked() {
    let (_folder, certificates) = certificates();
    let registry = Registry::start_tls(&certificates.server(), None);
    let mock = ten_orders(&registry);
    let url = format!("url: {}", registry.url());
    let unknown = format!("ssl.ca.location: {}", certificates.unknown_ca().display());
    for lines in [vec![url.clone()], vec![url.clone(), unknown]] {
        let finished = run(&mock, &lines);
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("certificate"),
            "{}",
            finished.stderr
        );
    }
    assert!(registry.requests().is_empty());
    let ca = format!("ssl.ca.location: {}", certificates.ca().display());
    assert_ten(run(&mock, &[url, ca]));
}

fn oauth(registry: &Registry, oidc: &Oidc, secret: &str) -> Vec<String> {
    vec![
        format!("url: {}", registry.url()),
        "bearer.auth.credentials.source: OAUTHBEARER".to_owned(),
        format!("bearer.auth.issuer.endpoint.url: {}", oidc.token_url()),
        "bearer.auth.client.id: weir".to_owned(),
        format!("bearer.auth.client.secret: {secret}"),
        "bearer.auth.logical.cluster: lsrc-1".to_owned(),
    ]
}

#[test]
fn tokens_are_fetched_and_renewed_when_they_are_refused() {
    let oidc = Oidc::start();
    oidc.add_client("weir", "hunter2");
    let registry = Registry::start();
    let mock = ten_orders(&registry);
    // The first request is refused whatever its token: as after a revocation.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    registry.let_in(move |request| {
        let token = request.header("authorization").unwrap_or_default();
        let of_cluster = request.header("target-sr-cluster") == Some("lsrc-1");
        let is_token = token.starts_with("Bearer ey") && token.matches('.').count() == 2;
        is_token && of_cluster && count.fetch_add(1, Ordering::Relaxed) > 0
    });
    assert_ten(run(&mock, &oauth(&registry, &oidc, "hunter2")));
    assert_eq!(oidc.token_requests("weir"), 2);

    let finished = run(&mock, &oauth(&registry, &oidc, "guessed"));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let advice = "check `schema.registry.bearer.auth.issuer.endpoint.url`, `.client.id`";
    assert!(finished.stderr.contains(advice), "{}", finished.stderr);
    assert!(!finished.stderr.contains("guessed"), "{}", finished.stderr);
}

#[test]
fn a_token_endpoint_in_trouble_is_waited_for() {
    let oidc = Oidc::start();
    oidc.add_client("weir", "hunter2");
    oidc.set_fault("weir", TokenFault::Status(503));
    let registry = Registry::start();
    let mock = ten_orders(&registry);
    let project = Project::new();
    let running = project
        .run(&pipeline(&mock, &oauth(&registry, &oidc, "hunter2")))
        .start();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while oidc.token_requests("weir") < 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "it is not asked again"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        registry.requests().is_empty(),
        "nothing is asked without a token"
    );
    oidc.set_fault("weir", TokenFault::None);
    assert_ten(running.finish());
}

#[test]
fn another_address_of_the_registry_takes_over() {
    let registry = Registry::start();
    let mock = ten_orders(&registry);
    let down = Registry::start();
    down.set_fault(Fault::Status(503));
    let lines = [format!("url: {},{}", down.url(), registry.url())];
    assert_ten(run(&mock, &lines));
    assert_eq!(down.requests().len(), 1);
}

#[test]
fn a_pipeline_starts_while_the_registry_is_down() {
    let registry = Registry::start();
    let mock = ten_orders(&registry);
    let lines = [format!("url: {}", registry.url())];
    let project = Project::new();
    assert_ten(project.run(&pipeline(&mock, &lines)).finish());
    registry.set_fault(Fault::Down);
    let again = project.run(&pipeline(&mock, &lines)).finish();
    let said = again
        .stderr
        .contains("schema 1 is taken as it was when last fetched");
    assert!(said, "{}", again.stderr);
    assert_ten(again);
}

#[test]
fn what_is_wrong_with_a_schema_file_is_told_at_its_line() {
    let mock = Mock::start();
    let project = Project::new();
    project.write("order.proto", "import \"item.proto\";");
    let yaml = format!(
        "source: {{ bootstrap.servers: '{}', topics: [orders] }}
deserializer: avro
schema.files:
  1: ./order.proto
",
        mock.brokers()
    );
    project.write("pipeline.yaml", yaml);
    let finished = project.weir(["check", "pipeline.yaml"]).finish();
    assert_ne!(finished.code, Some(0));
    for part in [
        "pipeline.yaml:4:6",
        "order.proto:1 names `item.proto`, which is not there",
    ] {
        assert!(
            finished.stderr.contains(part),
            "{part}: {}",
            finished.stderr
        );
    }
}
