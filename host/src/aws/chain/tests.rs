use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

/// A request line, its headers in lower case, and its body.
type Seen = (String, Vec<String>, String);

/// Answers each request line with a status and a text.
struct Stub {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    fn start(answers: &'static [(&'static str, u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), answers, &shared);
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answers: &[(&str, u16, &str)], seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return;
        }
        match line.trim() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let request = lines.remove(0).replace(" HTTP/1.1", "");
    let headers: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|h| h.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let found = answers.iter().find(|(known, ..)| *known == request);
    let (status, text) = found.map_or((404, "nothing here"), |(_, status, text)| (*status, *text));
    let body = String::from_utf8(body).unwrap();
    seen.lock().unwrap().push((request, headers, body));
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
    .unwrap();
}

/// An environment with a home of its own, and nothing of the machine's.
struct World {
    home: TempDir,
    variables: HashMap<String, String>,
}

impl World {
    fn new(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let own = [
            ("HOME", home.path().to_str().unwrap()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let all = own.iter().chain(variables);
        Self {
            variables: all
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            home,
        }
    }

    fn with_file(self, path: &str, text: &str) -> Self {
        let path: PathBuf = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn find(&self, profile: Option<&str>) -> Result<Credentials, CredentialsError> {
        let chain = Chain::new(profile.map(str::to_owned), "eu-west-1".to_owned());
        chain.credentials(&|name| self.variables.get(name).cloned())
    }

    fn id(&self, profile: Option<&str>) -> String {
        match self.find(profile) {
            Ok(found) => found.access_key_id,
            Err(error) => error.to_string(),
        }
    }
}

const PROFILES: &str = "[default]\naws_access_key_id=D\naws_secret_access_key=S\n\
                        [p]\naws_access_key_id=P\naws_secret_access_key=S\n";

#[test]
fn the_environment_comes_before_profiles_and_a_named_profile_before_both() {
    let keys = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "S")];
    let world = World::new(&keys).with_file(".aws/credentials", PROFILES);
    assert_eq!(world.id(None), "E");
    assert_eq!(world.id(Some("p")), "P");

    let world = World::new(&[]).with_file(".aws/credentials", PROFILES);
    assert_eq!(world.id(None), "D");
    let world = World::new(&[("AWS_PROFILE", "p")]).with_file(".aws/credentials", PROFILES);
    assert_eq!(world.id(None), "P");
    let session = [&keys[..], &[("AWS_SESSION_TOKEN", "T")]].concat();
    let found = World::new(&session).find(None).unwrap();
    assert_eq!(found.session_token.as_deref(), Some("T"));
}

#[test]
fn what_is_missing_is_named_with_all_that_was_looked_at() {
    let nowhere = World::new(&[]).id(None);
    for place in [
        "no AWS credentials: looked at AWS_ACCESS_KEY_ID, profile default of ",
        "/.aws/credentials and ",
        "/.aws/config, AWS_WEB_IDENTITY_TOKEN_FILE",
        "(AWS_EC2_METADATA_DISABLED is set)",
    ] {
        assert!(nowhere.contains(place), "{nowhere}");
    }
    let profile = World::new(&[]).id(Some("gone"));
    let expected = "sasl.aws.profile: there is no profile gone with credentials in ";
    assert!(profile.starts_with(expected), "{profile}");
    let half = World::new(&[("AWS_ACCESS_KEY_ID", "E")]).id(None);
    assert_eq!(
        half,
        "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"
    );
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere"),
        ("AWS_ROLE_ARN", "r"),
    ];
    let token = World::new(&variables).id(None);
    assert!(
        token.starts_with("the web identity's token /nowhere: No such file"),
        "{token}"
    );
}

const CREDENTIALS: &str = r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T",
    "Expiration":"2026-01-02T03:04:05Z"}"#;

fn expected() -> Credentials {
    Credentials {
        access_key_id: "A".to_owned(),
        secret_access_key: "S".to_owned(),
        session_token: Some("T".to_owned()),
        expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)),
    }
}

#[test]
fn a_containers_credentials_come_with_its_token() {
    let stub = Stub::start(&[("GET /creds", 200, CREDENTIALS), ("GET /no", 403, "hidden")]);
    let world = |path: &str| {
        let url = format!("{}{path}", stub.url);
        let variables = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer b"),
        ];
        World::new(&variables)
    };
    assert_eq!(world("/creds").find(None), Ok(expected()));
    assert!(
        stub.seen()[0]
            .1
            .contains(&"authorization: bearer b".to_owned())
    );
    let refused = world("/no").find(None).unwrap_err();
    let words = "the container's credentials: refused with 403 Forbidden";
    assert_eq!(refused, CredentialsError::Missing(words.to_owned()));

    let far = World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://far.example/c")]);
    assert!(
        far.id(None)
            .contains("neither https nor an address of this machine")
    );
}

#[test]
fn a_machines_role_is_asked_for_in_a_session() {
    let stub = Stub::start(&[
        ("PUT /latest/api/token", 200, "session"),
        (
            "GET /latest/meta-data/iam/security-credentials/",
            200,
            "role\n",
        ),
        (
            "GET /latest/meta-data/iam/security-credentials/role",
            200,
            CREDENTIALS,
        ),
    ]);
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", stub.url.as_str()),
    ];
    assert_eq!(World::new(&variables).find(None), Ok(expected()));
    let seen = stub.seen();
    let session = "x-aws-ec2-metadata-token: session".to_owned();
    assert!(
        seen[1..]
            .iter()
            .all(|(_, headers, _)| headers.contains(&session)),
        "{seen:?}"
    );

    let without_role = Stub::start(&[("PUT /latest/api/token", 200, "session")]);
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            without_role.url.as_str(),
        ),
    ];
    let none = World::new(&variables).id(None);
    assert!(none.ends_with("(the machine has no role)"), "{none}");
}

#[test]
fn a_role_is_taken_by_web_identity() {
    let stub = Stub::start(&[(
        "POST /",
        200,
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>\
         <Expiration>2026-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>",
    )]);
    let url = format!("{}/", stub.url);
    let world = World::new(&[("AWS_ENDPOINT_URL_STS", &url), ("AWS_ROLE_ARN", "arn:a/b")]);
    let mut world = world.with_file("token", "web&token\n");
    let file = world.home.path().join("token").display().to_string();
    world
        .variables
        .insert("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(), file);
    assert_eq!(world.find(None), Ok(expected()));
    assert_eq!(
        stub.seen()[0].2,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aa%2Fb&\
         RoleSessionName=weir&WebIdentityToken=web%26token"
    );

    let refusing = Stub::start(&[(
        "POST /",
        403,
        "<ErrorResponse><Error><Message>Not authorized</Message></Error></ErrorResponse>",
    )]);
    let url = format!("{}/", refusing.url);
    world
        .variables
        .insert("AWS_ENDPOINT_URL_STS".to_owned(), url);
    let words =
        "the Security Token Service, for role arn:a/b: refused with 403 Forbidden: Not authorized";
    assert_eq!(
        world.find(None),
        Err(CredentialsError::Missing(words.to_owned()))
    );
}

#[test]
fn an_endpoint_that_is_down_may_come_back() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/creds", gone.local_addr().unwrap());
    drop(gone);
    let world = World::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    assert!(matches!(
        world.find(None),
        Err(CredentialsError::Unavailable(_))
    ));
}
