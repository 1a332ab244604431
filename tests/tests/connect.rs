//! `weir check --connect`: what it says of brokers, registry and ACLs, and what it leaves alone.

use std::sync::OnceLock;
use std::time::Duration;

use weir_tests::kafka::{Acl, Client, Listener, Mechanism, Operation, Options, Resource};
use weir_tests::kafka::{SecureKafka, User};
use weir_tests::mock::Mock;
use weir_tests::records::{Reader, Record, produce};
use weir_tests::registry::Registry;
use weir_tests::weir::{Finished, Project};
use weir_tests::{available, groups, orders};

/// How soon a refusal has to be told.
const SOON: Duration = Duration::from_secs(20);
/// A port on which nobody listens.
const NOBODY: &str = "127.0.0.1:9";

/// The broker of these tests, on which bob may do only what is allowed.
fn kafka() -> Option<&'static SecureKafka> {
    static SHARED: OnceLock<Option<SecureKafka>> = OnceLock::new();
    let start = || {
        let options = Options::default().listener(Listener::SaslPlaintext).acls();
        available(SecureKafka::start(options))
    };
    SHARED.get_or_init(start).as_ref()
}

fn bob(kafka: &SecureKafka) -> Client {
    kafka.sasl_client(Listener::SaslPlaintext, Mechanism::ScramSha512, User::BOB)
}

fn pipeline(name: &str, client: &Client, registry: &str, more: &str, sink: &str) -> String {
    format!(
        "name: {name}
source:
{}  topics: [{name}-in]
  group.id: {name}
{more}schema.registry.url: {registry}
deserializer: avro
sink: {sink}
",
        client.yaml()
    )
}

fn to_topic(name: &str) -> String {
    format!("{{ kafka: {{ topic: {name}-out }} }}")
}

fn check(yaml: &str) -> Finished {
    let project = Project::new();
    project.write("pipeline.yaml", yaml);
    let check = ["check", "--connect", "pipeline.yaml", "--timeout", "15"];
    let finished = project.weir(check).finish();
    assert!(finished.took < SOON, "{:?}", finished.took);
    for user in User::ALL {
        let shown = [&finished.stdout, &finished.stderr];
        assert!(
            !shown.iter().any(|text| text.contains(user.password)),
            "{shown:?}"
        );
    }
    finished
}

/// The line of what was found about `what`, words apart by single spaces.
fn line(finished: &Finished, what: &str) -> String {
    lines(finished)
        .into_iter()
        .filter(|line| !line.starts_with("─►"))
        .find(|line| line.contains(what))
        .unwrap_or_else(|| panic!("no `{what}` in\n{}{}", finished.stdout, finished.stderr))
}

fn lines(finished: &Finished) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    finished.stdout.lines().map(words).collect()
}

#[test]
fn all_is_well_on_the_mock() {
    let mock = Mock::start();
    mock.create_topic("well-in", 2);
    mock.create_topic("well-out", 3);
    let (registry, id) = orders::registry();
    produce(mock.brokers(), &orders::records("well-in", id, 0..10));
    let client = Client::default().set("bootstrap.servers", mock.brokers());
    let more = "  stop.mode: latest\n";
    let yaml = pipeline("well", &client, &registry.url(), more, &to_topic("well"));
    let finished = check(&yaml).with_code(0);

    let brokers = format!("ok brokers 1 broker, reached at {}", mock.brokers());
    let found = lines(&finished);
    assert_eq!(
        found.iter().filter(|line| **line == brokers).count(),
        2,
        "{found:?}"
    );
    assert!(line(&finished, "topic well-in").contains("2 partitions"));
    let topic = line(&finished, "topic well-out");
    assert!(topic.contains("3 partitions"), "{topic}");
    assert_eq!(
        line(&finished, "idempotent"),
        "ok idempotent writing allowed"
    );
    assert_eq!(line(&finished, "registry").trim(), "schema registry");
    assert!(line(&finished, "ok registry").contains(&registry.url()));
    let to_read: i64 = ["well-in[0]", "well-in[1]"]
        .map(|partition| {
            let found = lines(&finished)
                .into_iter()
                .find(|line| line.starts_with(partition));
            let found = found.expect("each partition has its line");
            let last = found.rsplit(' ').next().expect("a last column").to_owned();
            last.parse::<i64>().expect("a number")
        })
        .iter()
        .sum();
    assert_eq!(to_read, 10, "{}", finished.stdout);
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
    // Nothing was written.
    assert_eq!(Reader::new(mock.brokers(), "well-out").to_end().len(), 0);
}

#[test]
fn nobody_listens() {
    let client = Client::default().set("bootstrap.servers", NOBODY);
    let registry = format!("http://{NOBODY}");
    let yaml = pipeline("dead", &client, &registry, "", &to_topic("dead"));
    let finished = check(&yaml).with_code(1);
    let failed: Vec<String> = lines(&finished)
        .into_iter()
        .filter(|line| line.starts_with("failed"))
        .collect();
    assert_eq!(failed.len(), 3, "{}", finished.stdout);
    assert!(
        failed[0].starts_with("failed brokers not reached at 127.0.0.1:9"),
        "{failed:?}"
    );
    assert!(failed[0].contains("Connection refused"), "{failed:?}");
    assert!(failed[1].starts_with("failed registry"), "{failed:?}");
    assert!(finished.stderr.contains("3 of 3"), "{}", finished.stderr);
}

#[test]
fn a_topic_that_is_not_there_is_named_and_not_made() {
    let Some(kafka) = kafka() else { return };
    let client = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::Plain, User::ALICE);
    let registry = Registry::start();
    let yaml = pipeline("absent", &client, &registry.url(), "", &to_topic("absent"));
    for _ in 0..2 {
        let finished = check(&yaml).with_code(1);
        for topic in ["absent-in", "absent-out"] {
            let found = line(&finished, &format!("topic {topic}"));
            assert_eq!(
                found,
                format!("failed topic {topic} there is no such topic")
            );
        }
        let group = line(&finished, "group absent");
        assert_eq!(group, "ok group absent Read is allowed");
    }
}

#[test]
fn a_wrong_password_is_said_at_once() {
    let Some(kafka) = kafka() else { return };
    let client = bob(kafka).set("sasl.password", "wrong-password");
    let registry = Registry::start();
    let yaml = pipeline("wrong", &client, &registry.url(), "", &to_topic("wrong"));
    let finished = check(&yaml).with_code(1);
    assert!(finished.took < Duration::from_secs(10), "{finished:?}");
    let failed = line(&finished, "failed brokers");
    assert!(failed.contains("uthentication"), "{failed}");
    assert!(line(&finished, "fix:").contains("sasl.username and sasl.password"));
    assert!(!finished.stdout.contains("wrong-password"));
}

/// Each missing ACL is named, with the command that adds it; with all of them a check passes,
/// and neither joins the group nor commits nor writes.
#[test]
fn each_missing_acl_is_named() {
    let Some(kafka) = kafka() else { return };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("acl-in", 1);
    kafka.kafka().create_topic("acl-out", 1);
    produce(brokers, &orders::records("acl-in", id, 0..5));
    let url = registry.url();
    let yaml = pipeline("acl", &bob(kafka), &url, "", &to_topic("acl"));
    let allow = |operation, resource| {
        let user = User::BOB.name;
        kafka.allow(&Acl {
            user,
            operation,
            resource,
        });
    };
    let failed = || -> Vec<String> {
        let finished = check(&yaml);
        let failed = lines(&finished)
            .into_iter()
            .filter(|line| line.starts_with("failed"));
        let failed: Vec<String> = failed.collect();
        let code = i32::from(!failed.is_empty());
        // Shown if the test fails.
        eprintln!("{}", finished.stdout);
        let _ = finished.with_code(code);
        failed
    };

    assert_eq!(
        failed(),
        [
            "failed topic acl-in Read is not allowed, nor is Describe",
            "failed group acl Read is not allowed, nor is Describe",
            "failed topic acl-out Write is not allowed, nor is Describe",
            "failed idempotent writing not allowed",
        ]
    );
    let finished = check(&yaml);
    for command in [
        "--add --allow-principal User:bob --operation Read --topic acl-in",
        "--add --allow-principal User:bob --operation Read --group acl",
        "--add --allow-principal User:bob --operation Write --topic acl-out",
    ] {
        assert!(
            line(&finished, command).starts_with("fix: kafka-acls"),
            "{command}"
        );
    }

    allow(Operation::Describe, Resource::Topic("acl-in"));
    allow(Operation::Describe, Resource::Topic("acl-out"));
    allow(Operation::Describe, Resource::Group("acl"));
    assert_eq!(
        failed(),
        [
            "failed topic acl-in Read is not allowed",
            "failed group acl Read is not allowed",
            "failed topic acl-out Write is not allowed",
            "failed idempotent writing not allowed",
        ]
    );
    allow(Operation::Write, Resource::Topic("acl-out"));
    assert_eq!(
        failed(),
        [
            "failed topic acl-in Read is not allowed",
            "failed group acl Read is not allowed",
        ]
    );
    allow(Operation::Read, Resource::Topic("acl-in"));
    assert_eq!(failed(), ["failed group acl Read is not allowed"]);
    allow(Operation::Read, Resource::Group("acl"));
    assert_eq!(failed(), Vec::<String>::new());

    let finished = check(&yaml).with_code(0);
    assert_eq!(
        line(&finished, "fetch"),
        "ok fetch acl-in[0] a message came"
    );
    assert_eq!(line(&finished, "acl-in[0] -"), "acl-in[0] - 0 - 5");
    let unknown = "? subject acl-in-value not there; messages may have other schemas";
    assert_eq!(line(&finished, "subject"), unknown);
    let group = groups::committed(brokers, "acl", "acl-in", 1);
    assert_eq!(group, [None]);
    assert_eq!(Reader::new(brokers, "acl-out").to_end().len(), 0);
}

#[test]
fn an_offset_that_is_lost_is_named() {
    let Some(kafka) = kafka() else { return };
    let brokers = kafka.kafka().brokers();
    let registry = Registry::start();
    kafka.kafka().create_topic("lost-in", 2);
    produce(brokers, &[Record::new("lost-in").partition(0).value("a")]);
    let client = kafka.sasl_client(Listener::SaslPlaintext, Mechanism::Plain, User::ALICE);
    let more =
        "  startup.mode: specific-offsets\n  startup.specific.offsets: { lost-in: { 0: 7 } }\n";
    let yaml = pipeline("lost", &client, &registry.url(), more, "{ stdout: {} }");
    let finished = check(&yaml).with_code(1);
    let failed = line(&finished, "failed lost-in[0]");
    assert!(
        failed.contains("startup.specific.offsets has 7"),
        "{failed}"
    );
    // The other one stands all the same.
    assert_eq!(line(&finished, "lost-in[1] -"), "lost-in[1] - 0 - 0");
}

/// What a run says of an ACL that it lacks, soon: the same as `check --connect`.
fn run_without(name: &str, yaml: &str) -> String {
    let finished = Project::new().run(yaml).finish().with_code(1);
    assert!(finished.took < SOON, "{name}: {:?}", finished.took);
    let lines = finished.stderr.lines();
    let errors: Vec<&str> = lines.filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{name}: {}", finished.stderr);
    errors[0].to_owned()
}

#[test]
fn a_run_names_the_acl_that_it_lacks() {
    // Of its own: to write any topic allows idempotence, which another test has to lack.
    let options = Options::default().listener(Listener::SaslPlaintext).acls();
    let Some(kafka) = &available(SecureKafka::start(options)) else {
        return;
    };
    let admin = kafka.kafka();
    let (registry, id) = orders::registry();
    admin.create_topic("lacks-in", 1);
    admin.create_topic("lacks-out", 1);
    produce(admin.brokers(), &orders::records("lacks-in", id, 0..3));
    let brokers = kafka.brokers_of(Listener::SaslPlaintext);
    let acl = |operation: &str, resource: &str| {
        format!(
            "kafka-acls --bootstrap-server {brokers} --add --allow-principal User:bob --operation \
             {operation} {resource}"
        )
    };
    let bobs = |operation, resource| Acl {
        user: User::BOB.name,
        operation,
        resource,
    };
    let yaml = pipeline(
        "lacks",
        &bob(kafka),
        &registry.url(),
        "",
        &to_topic("lacks"),
    );
    let read = bobs(Operation::Read, Resource::Topic("lacks-in"));
    kafka.allow(&bobs(Operation::Read, Resource::Group("lacks")));
    kafka.allow(&read);
    let error = run_without("sink", &yaml);
    assert!(
        error.contains(&acl("Write", "--topic lacks-out")),
        "{error}"
    );

    kafka.allow(&bobs(Operation::Write, Resource::Topic("lacks-out")));
    kafka.disallow(&read);
    let error = run_without("topic", &yaml);
    assert!(error.contains(&acl("Read", "--topic lacks-in")), "{error}");

    // An error of one partition is not taken for "nothing committed".
    let named = yaml.replace("topics: [lacks-in]", "partitions: { lacks-in: [0] }");
    let error = run_without("offsets of a topic", &named);
    assert!(error.contains("the group's committed offsets"), "{error}");
    assert!(error.contains(&acl("Read", "--topic lacks-in")), "{error}");

    kafka.allow(&read);
    let others = yaml.replace("group.id: lacks", "group.id: not-lacks");
    let error = run_without("group", &others);
    assert!(error.contains(&acl("Read", "--group not-lacks")), "{error}");

    // With partitions of its own, the group is asked for nothing but its offsets.
    let named = others.replace("topics: [lacks-in]", "partitions: { lacks-in: [0] }");
    let error = run_without("offsets", &named);
    assert!(error.contains(&acl("Read", "--group not-lacks")), "{error}");
}
