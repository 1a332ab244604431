//! Amazon MSK's way to authenticate, against Apache Kafka with a validator that checks tokens as MSK
//! does, signature included.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_tests::aws::{ContainerCredentials, NO_OTHERS, REGION, secret_of};
use weir_tests::kafka::{Client, Listener, Mechanism, Options, SecureKafka, User};
use weir_tests::records::{Reader, produce};
use weir_tests::weir::{Project, Weir};
use weir_tests::{available, orders};

/// How soon a refusal has to be told.
const SOON: Duration = Duration::from_secs(20);

fn broker() -> Option<SecureKafka> {
    let options = Options::default().listener(Listener::SaslTls).msk();
    available(SecureKafka::start(options))
}

fn client(kafka: &SecureKafka) -> Client {
    kafka
        .sasl_client(Listener::SaslTls, Mechanism::OauthBearer, User::ALICE)
        .set("sasl.mechanism", "aws-msk-iam")
        .set("sasl.aws.region", REGION)
}

fn yaml(client: &Client, registry: &str, more: &str) -> String {
    format!(
        "source:
{}  topics: [in]
  group.id: g
{more}schema.registry.url: {registry}
deserializer: avro
sink: {{ kafka: {{ topic: out }} }}
",
        client.yaml()
    )
}

/// Now, in ms since the epoch.
fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("a time")
}

/// With the credentials of these variables, and no others.
fn with<'p>(mut weir: Weir<'p>, variables: &[(&str, &str)]) -> Weir<'p> {
    for (name, value) in NO_OTHERS.iter().chain(variables) {
        weir = weir.env(name, value);
    }
    weir
}

#[test]
fn records_go_through_with_signed_tokens() {
    let Some(kafka) = broker() else { return };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 2);
    kafka.kafka().create_topic("out", 1);
    produce(brokers, &orders::records("in", id, 0..10));
    let project = Project::new();
    let credentials = "[default]\naws_access_key_id = AKIADEFAULT\n\
                       aws_secret_access_key = wrong\n[weir]\naws_access_key_id = AKIAWEIR\n\
                       aws_secret_access_key = secret of AKIAWEIR\n";
    let file = project.write("credentials", credentials);
    let file = file.display().to_string();
    let profile = client(&kafka).set("sasl.aws.profile", "weir");
    let bounded = yaml(&profile, &registry.url(), "  stop.mode: latest\n");
    let files = [("AWS_SHARED_CREDENTIALS_FILE", file.as_str())];
    let finished = with(project.run(&bounded), &files).finish().with_code(0);
    let summary = finished.summary();
    assert!(summary.contains("10 rows of 10 messages"), "{summary}");
    assert_eq!(Reader::new(brokers, "out").at_least(10, SOON).len(), 10);

    // The same by keys in the environment, and region by the environment too.
    produce(brokers, &orders::records("in", id, 10..20));
    let without_region = client(&kafka).without("sasl.aws.region");
    let bounded = yaml(&without_region, &registry.url(), "  stop.mode: latest\n");
    let secret = secret_of("AKIAENV");
    let keys = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
    ];
    let finished = with(project.run(&bounded), &keys).finish().with_code(0);
    let summary = finished.summary();
    assert!(summary.contains("10 rows of 10 messages"), "{summary}");

    // And what `check` would do.
    let check = project.weir(["check", "--connect", "pipeline.yaml"]);
    let checked = with(check, &keys).finish().with_code(0);
    for said in [&checked.stdout, &checked.stderr] {
        assert!(!said.contains(&secret), "{said}");
    }
    assert!(
        checked.stdout.contains("1 broker, reached at"),
        "{}",
        checked.stdout
    );
}

/// Credentials end after 10 s, and the broker ends sessions when their tokens end (KIP-368). So
/// whoever is idle for longer is let in by a token that came meanwhile: source and sink, the two
/// clients of an alignment group, and that of what is put aside.
#[test]
fn tokens_are_renewed_while_nothing_flows() {
    let Some(kafka) = broker() else { return };
    let brokers = kafka.kafka().brokers();
    let (registry, id) = orders::registry();
    kafka.kafka().create_topic("in", 1);
    kafka.kafka().create_topic("out", 1);
    let agent = ContainerCredentials::start(Duration::from_secs(10));
    let url = agent.url();
    let project = Project::new();
    for topic in ["aside", "msk-alignment"] {
        kafka.kafka().create_topic(topic, 1);
    }
    let watermark = "watermark:
  max.out.of.orderness.ms: 0
  late.records: side-topic
  side.topic: aside
  alignment:
    max.drift.ms: 3600000
    group.id: msk
    group.topic: msk-alignment
    member.timeout.ms: 60000
";
    let yaml = yaml(&client(&kafka), &registry.url(), "") + watermark;
    let late = |n: i64| {
        let record = orders::records("in", id, n..n + 1).remove(0);
        // An hour ago: what is much older is deleted before it is looked at.
        produce(brokers, &[record.timestamp(epoch_ms() - 3_600_000)]);
    };
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str())];
    let mut weir = with(project.run(&yaml), &container).start();
    produce(brokers, &orders::records("in", id, 0..5));
    assert_eq!(Reader::new(brokers, "out").at_least(5, SOON * 2).len(), 5);

    late(100);
    assert_eq!(Reader::new(brokers, "aside").at_least(1, SOON * 2).len(), 1);
    let reports = Reader::new(brokers, "msk-alignment")
        .at_least(1, SOON)
        .len();
    assert!(reports > 0, "{}", weir.stderr());

    // Each of the five asks; all have had four tokens since.
    let asked = agent.requests();
    while agent.requests() < asked + 20 {
        assert!(!weir.has_ended(), "{}", weir.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    produce(brokers, &orders::records("in", id, 5..10));
    assert_eq!(Reader::new(brokers, "out").at_least(10, SOON * 2).len(), 10);
    late(101);
    assert_eq!(Reader::new(brokers, "aside").at_least(2, SOON * 2).len(), 2);
    let more = Reader::new(brokers, "msk-alignment").at_least(reports + 1, SOON * 2);
    assert!(more.len() > reports, "{}", weir.stderr());

    // While there are none for a while, what runs goes on, and it comes back by itself.
    agent.set_down(true);
    weir.wait_for_stderr("no new token for MSK: the container's credentials: 503");
    let down_since = Instant::now();
    while down_since.elapsed() < Duration::from_secs(12) {
        assert!(!weir.has_ended(), "{}", weir.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    agent.set_down(false);
    produce(brokers, &orders::records("in", id, 10..15));
    let written = Reader::new(brokers, "out").at_least(15, SOON * 3);
    let ids: Vec<i64> = written
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("a row");
            orders::id(&serde_json::from_slice(value).expect("JSON"))
        })
        .collect();
    weir.terminate();
    let finished = weir.finish().with_code(0);
    assert_eq!(ids, (0..15).collect::<Vec<_>>(), "{}", finished.stderr);
    for secret in ["secret of", "ends "] {
        assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
    }
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let Some(kafka) = broker() else { return };
    kafka.kafka().create_topic("in", 1);
    let project = Project::new();
    let nowhere = "http://127.0.0.1:9";
    let refused = |client: &Client, variables: &[(&str, &str)], expected: &str| {
        let pipeline = yaml(client, nowhere, "");
        let finished = with(project.run(&pipeline), variables)
            .finish()
            .with_code(1);
        assert!(finished.took < SOON, "{:?}", finished.took);
        let errors = finished.lines_with("error: ");
        assert_eq!(errors.len(), 1, "{}", finished.stderr);
        assert!(errors[0].contains(expected), "{}", finished.stderr);
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
    };
    let missing = "no AWS credentials: looked at AWS_ACCESS_KEY_ID, profile default of \
                   /nowhere/credentials and /nowhere/config, AWS_WEB_IDENTITY_TOKEN_FILE";
    refused(&client(&kafka), &[], missing);
    let profile = client(&kafka).set("sasl.aws.profile", "gone");
    refused(
        &profile,
        &[],
        "there is no profile gone with credentials in /nowhere/credentials",
    );
    let wrong = [
        ("AWS_ACCESS_KEY_ID", "AKIAWRONG"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    refused(&client(&kafka), &wrong, "invalid_token");
    let secret = secret_of("AKIAOLD");
    let expired = [
        ("AWS_ACCESS_KEY_ID", "AKIAOLD"),
        ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
        ("AWS_SESSION_TOKEN", "ends 1000"),
    ];
    refused(&client(&kafka), &expired, "invalid_token");
    let elsewhere = client(&kafka).set("sasl.aws.region", "us-east-1");
    let good = [&expired[..2]].concat();
    refused(&elsewhere, &good, "invalid_token");
    let agent = ContainerCredentials::start(Duration::from_secs(60));
    agent.set_down(true);
    let url = agent.url();
    let down = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str())];
    refused(&client(&kafka), &down, "the container's credentials: 503");
    assert!(agent.requests() <= 10, "{} requests", agent.requests());

    // `check --connect` says so too, with what to do.
    project.write("pipeline.yaml", yaml(&client(&kafka), nowhere, ""));
    let check = project.weir(["check", "--connect", "pipeline.yaml"]);
    let checked = with(check, &wrong).finish().with_code(1);
    assert!(
        checked.stdout.contains("check the AWS credentials"),
        "{}",
        checked.stdout
    );
}
