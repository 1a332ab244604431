//! Registries as companies run them: with TLS, with client certificates, with tokens, several of
//! them, and down at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use weir_tests::Broker as _;
use weir_tests::certificates::{Certificates, KEY_PASSWORD};
use weir_tests::mock::Mock;
use weir_tests::oidc::{Oidc, TokenFault};
use weir_tests::orders;
use weir_tests::records::produce;
use weir_tests::registry::{Fault, NewSchema, Registry};
use weir_tests::weir::{Finished, Project};

/// Ten orders in a topic, whose schema is the first of the registry.
fn ten_orders(registry: &Registry) -> Mock {
    let id = registry.register("orders-value", NewSchema::avro(orders::SCHEMA));
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
