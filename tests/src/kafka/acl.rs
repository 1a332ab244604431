//! Access control lists, by Kafka's own protocol: rdkafka has no requests for them, and a
//! command of Kafka's would start a Java machine for each.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::sasl::User;
use super::settings::Settings;

const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

/// Allows a user an operation on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acl<'a> {
    /// Who: a [`User`]'s name, a token's subject, or a certificate's common name.
    pub user: &'a str,
    /// May do what.
    pub operation: Operation,
    /// With what.
    pub resource: Resource<'a>,
}

/// A resource of the broker's, by its whole name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "these are Kafka's own names")]
pub enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    Cluster,
    TransactionalId(&'a str),
}

/// What can be done with a resource, by the code that Kafka's protocol has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "these are Kafka's own names")]
#[repr(u8)]
pub enum Operation {
    All = 2,
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Alter = 7,
    Describe = 8,
    ClusterAction = 9,
    DescribeConfigs = 10,
    AlterConfigs = 11,
    IdempotentWrite = 12,
}

/// The kinds of requests about ACLs, of which version 1 is written here.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Api {
    Describe = 29,
    Create = 30,
    Delete = 31,
}

pub(super) fn add_authorizer_to(settings: Settings) -> Settings {
    settings
        .property(
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        )
        .property(
            "super.users",
            &format!("User:ANONYMOUS;User:{}", User::ALICE.name),
        )
}

pub(super) fn create(brokers: &str, acl: &Acl<'_>) {
    change(brokers, Api::Create, acl);
    wait_until(brokers, acl, true);
}

pub(super) fn delete(brokers: &str, acl: &Acl<'_>) {
    change(brokers, Api::Delete, acl);
    wait_until(brokers, acl, false);
}

/// Both answers begin with a throttle time and a list, whose element begins with an error.
fn change(brokers: &str, api: Api, acl: &Acl<'_>) {
    let mut body = 1_i32.to_be_bytes().to_vec();
    body.extend(acl.encoded());
    let answer = ask(brokers, api as u8, 1, &body);
    let error = answer.get(8..10).expect("the answer has an error code");
    assert_eq!(error, [0, 0], "the broker refuses {acl:?}: {answer:?}");
}

/// The broker answers a change before it applies it.
fn wait_until(brokers: &str, acl: &Acl<'_>, wanted: bool) {
    let deadline = Instant::now() + IN_FORCE_WITHIN;
    loop {
        let answer = ask(brokers, Api::Describe as u8, 1, &acl.encoded());
        // A throttle time, an error, and its message, which is null.
        let found = answer.get(8..12).expect("the answer has a list");
        if (found != [0; 4]) == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{acl:?} does not come into force"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a request and returns the body of its answer.
pub(super) fn ask(brokers: &str, api: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let mut request = vec![0, api, 0, version];
    request.extend(0_i32.to_be_bytes()); // correlation
    request.extend(string("weir-tests"));
    request.extend(body);
    let mut stream = TcpStream::connect(brokers).expect("the broker takes connections");
    stream
        .write_all(&length(request.len()).to_be_bytes())
        .and_then(|()| stream.write_all(&request))
        .expect("the broker takes the request");

    let mut head = [0; 8]; // length and correlation
    stream.read_exact(&mut head).expect("the broker answers");
    let length = u32::from_be_bytes(head[..4].try_into().expect("four bytes"));
    let mut answer = vec![0; usize::try_from(length - 4).expect("a short answer")];
    stream.read_exact(&mut answer).expect("the broker answers");
    answer
}

impl Acl<'_> {
    /// The element of CreateAcls, which is also the filter of the other two.
    fn encoded(&self) -> Vec<u8> {
        let (kind, name) = match self.resource {
            Resource::Topic(name) => (2, name),
            Resource::Group(name) => (3, name),
            Resource::Cluster => (4, "kafka-cluster"),
            Resource::TransactionalId(name) => (5, name),
        };
        let mut bytes = vec![kind];
        bytes.extend(string(name));
        bytes.push(3); // the literal name
        bytes.extend(string(&format!("User:{}", self.user)));
        bytes.extend(string("*")); // from every host
        bytes.extend([self.operation as u8, 3]); // allow
        bytes
    }
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short string");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a short request")
}
