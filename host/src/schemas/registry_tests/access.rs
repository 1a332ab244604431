//! Who asks, and what is registered.

use super::*;
use crate::config::{OauthConfig, RegistryTls};
use crate::schemas::{NewSchema, SubjectVersion};

const TOKEN: &str = "/token";

fn token(value: &str, seconds: u64) -> Canned {
    ok(&json!({ "access_token": value, "token_type": "Bearer", "expires_in": seconds }))
}

fn with_tokens(stub: &Stub) -> RegistryConfig {
    let mut config = stub.config();
    config.auth = RegistryAuth::Oauth(Box::new(OauthConfig {
        endpoint: format!("{}{TOKEN}", stub.url),
        client_id: "weir".to_owned(),
        client_secret: Secret::new("p:w d".to_owned()),
        scope: Some("schemas read".to_owned()),
        tls: RegistryTls::default(),
    }));
    config.logical_cluster = Some("lsrc-1".to_owned());
    config.identity_pool = Some("pool-1".to_owned());
    config
}

fn with_schemas(count: u32) -> Stub {
    let stub = Stub::start(Vec::new());
    for id in 1..=count {
        stub.set(
            &format!("/schemas/ids/{id}"),
            ok(&json!({ "schema": id.to_string() })),
        );
    }
    stub
}

#[test]
fn a_token_is_fetched_once_and_sent_with_all_that_goes_along() {
    let stub = with_schemas(2);
    stub.set(TOKEN, token("t1", 3600));
    let source = RegistrySource::open(&with_tokens(&stub), None).unwrap();
    source.by_id(1).unwrap();
    source.by_id(2).unwrap();
    assert_eq!(stub.requests(), [TOKEN, "/schemas/ids/1", "/schemas/ids/2"]);
    let seen = stub.seen();
    let basic = format!("Basic {}", base64_of("weir:p%3Aw%20d"));
    assert_eq!(seen[0].authorization, Some(basic));
    assert_eq!(
        seen[0].body,
        "grant_type=client_credentials&scope=schemas%20read"
    );
    assert_eq!(seen[2].authorization.as_deref(), Some("Bearer t1"));
    for header in [
        "target-sr-cluster: lsrc-1",
        "confluent-identity-pool-id: pool-1",
    ] {
        let sent = seen[1].headers.iter().any(|line| line == header);
        assert!(sent, "{:?}", seen[1].headers);
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_token_that_is_refused_is_renewed_once() {
    let stub = with_schemas(2);
    stub.set_first(TOKEN, vec![token("t1", 3600), token("t2", 3600)]);
    stub.set_first("/schemas/ids/1", vec![failing(401, "")]);
    let source = RegistrySource::open(&with_tokens(&stub), None).unwrap();
    source.by_id(1).unwrap();
    source.by_id(2).unwrap();
    let sent: Vec<_> = stub
        .seen()
        .into_iter()
        .map(|seen| seen.authorization)
        .collect();
    assert_eq!(sent[1].as_deref(), Some("Bearer t1"));
    assert_eq!(sent[3].as_deref(), Some("Bearer t2"));
    assert_eq!(sent[4].as_deref(), Some("Bearer t2"));
    assert_eq!(sent.len(), 5);

    stub.set(TOKEN, token("t3", 3600));
    stub.set("/schemas/ids/3", failing(401, "Go away"));
    let error = source.by_id(3).unwrap_err();
    let requests = stub.requests();
    assert_eq!(requests[5..], ["/schemas/ids/3", TOKEN, "/schemas/ids/3"]);
    assert!(matches!(error, SchemaError::Refused(_)));
    assert!(
        error.to_string().contains("the token is not accepted"),
        "{error}"
    );
}

#[test]
fn a_token_past_its_time_is_renewed_and_kept_while_it_holds() {
    let stub = with_schemas(3);
    stub.set_first(TOKEN, vec![token("t1", 0), token("t2", 1)]);
    stub.set(TOKEN, failing(503, "later"));
    let source = RegistrySource::open(&with_tokens(&stub), None).unwrap();
    source.by_id(1).unwrap();
    source.by_id(2).unwrap();
    // Of the second's life 80% are over, and no other token can be had.
    thread::sleep(Duration::from_millis(850));
    source.by_id(3).unwrap();
    let sent: Vec<_> = stub
        .seen()
        .into_iter()
        .map(|seen| seen.authorization)
        .collect();
    assert_eq!(sent[5].as_deref(), Some("Bearer t2"), "{sent:?}");
    thread::sleep(Duration::from_millis(200));
    let error = source.by_id(4).unwrap_err();
    assert!(matches!(error, SchemaError::Unavailable(_)), "{error}");
}

#[test]
fn a_client_that_is_refused_is_told_what_to_check() {
    let stub = with_schemas(1);
    let body = json!({ "error": "invalid_client", "error_description": "No such client" });
    stub.set(TOKEN, failing(400, &body.to_string()));
    let source = RegistrySource::open(&with_tokens(&stub), None).unwrap();
    let error = source.by_id(1).unwrap_err();
    let expected = format!(
        "{}{TOKEN} gives no token and answered 400: check \
         `schema.registry.bearer.auth.issuer.endpoint.url`, `.client.id`, `.client.secret` and \
         `.scope`: invalid_client: No such client",
        stub.url
    );
    assert_eq!(error, refusal(&expected));
    assert_eq!(stub.requests(), [TOKEN]);
}

fn orders() -> NewSchema {
    NewSchema {
        schema_type: SchemaType::Protobuf,
        text: "syntax".to_owned(),
        references: vec![SubjectVersion {
            name: "a.proto".to_owned(),
            subject: "a".to_owned(),
            version: 2,
        }],
    }
}

const VERSIONS: &str = "/subjects/orders-value/versions";

#[test]
fn nothing_is_registered_unless_the_file_allows_it() {
    let stub = Stub::start(vec![(VERSIONS, ok(&json!({ "id": 7 })))]);
    let error = stub
        .source()
        .register("orders-value", &orders())
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with("or set `schema.registry.auto.register.schemas: true`"),
        "{message}"
    );
    assert!(stub.requests().is_empty());
}

#[test]
fn a_schema_is_registered_as_confluents_clients_do() {
    let guid = "89791762-2336-4186-9674-299b90a802e2";
    let stub = Stub::start(vec![(VERSIONS, ok(&json!({ "id": 7, "guid": guid })))]);
    let mut config = stub.config();
    config.auto_register = true;
    let source = RegistrySource::open(&config, None).unwrap();
    let registration = source.register("orders-value", &orders()).unwrap();
    assert_eq!(
        (registration.id, registration.guid),
        (7, Some(guid.parse().unwrap()))
    );
    let sent: serde_json::Value = serde_json::from_str(&stub.seen()[0].body).unwrap();
    let reference = json!({ "name": "a.proto", "subject": "a", "version": 2 });
    assert_eq!(
        sent,
        json!({ "schema": "syntax", "schemaType": "PROTOBUF", "references": [reference] })
    );
    let avro = NewSchema {
        schema_type: SchemaType::Avro,
        text: "\"string\"".to_owned(),
        references: Vec::new(),
    };
    source.register("orders-value", &avro).unwrap();
    assert_eq!(stub.seen()[1].body, r#"{"schema":"\"string\""}"#);
}

#[test]
fn why_a_schema_is_not_compatible_is_told_in_full() {
    let why = format!(
        "Schema being registered is incompatible: {}",
        "reason ".repeat(60)
    );
    let body = json!({ "error_code": 409, "message": why });
    let stub = Stub::start(vec![(VERSIONS, failing(409, &body.to_string()))]);
    let mut config = stub.config();
    config.auto_register = true;
    let source = RegistrySource::open(&config, None).unwrap();
    let error = source.register("orders-value", &orders()).unwrap_err();
    let expected = format!("{}{VERSIONS}: not compatible: {}", stub.url, why.trim_end());
    assert_eq!(error, refusal(&expected));
}

#[test]
fn a_schema_is_looked_up_under_its_subject() {
    let answer = json!({
        "subject": "orders-value", "id": 7, "version": 3, "schema": "syntax",
        "schemaType": "PROTOBUF", "references": [refers("a")],
    });
    let stub = Stub::start(vec![
        ("/subjects/orders-value", ok(&answer)),
        (
            "/subjects/a/versions/1?deleted=true",
            ok(&json!({ "schema": "A" })),
        ),
    ]);
    let found = stub.source().look_up("orders-value", &orders()).unwrap();
    assert_eq!((found.id, found.version), (Some(7), Some(3)));
    assert_eq!(found.schema.references[0].text, "A");
    stub.set(
        "/subjects/orders-value",
        failing(404, r#"{"error_code":40403,"message":"No"}"#),
    );
    let error = stub
        .source()
        .look_up("orders-value", &orders())
        .unwrap_err();
    assert!(matches!(error, SchemaError::NotFound(_)));
}
