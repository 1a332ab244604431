//! Endpoints that give credentials: a container's, a machine's own (IMDSv2), and the Security
//! Token Service.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body};

use super::{Credentials, CredentialsError, Env};

/// The machine's own metadata is near, or not there at all.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// Where ECS and EKS have theirs, beside loopback: plain HTTP stays on the machine.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

pub(super) struct Endpoints<'e> {
    env: Env<'e>,
    region: &'e str,
}

/// Who takes a role by a token that somebody else has made.
pub(super) struct WebIdentity<'a> {
    pub(super) role: &'a str,
    pub(super) session: &'a str,
    pub(super) token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

type Found = Result<Credentials, CredentialsError>;

impl<'e> Endpoints<'e> {
    pub(super) fn new(env: Env<'e>, region: &'e str) -> Self {
        Self { env, region }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// What an ECS task or an EKS pod has; `None` where there is no such thing.
    pub(super) fn container(&self) -> Option<Found> {
        let full = self.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let relative = self.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let relative = relative.map(|path| format!("http://169.254.170.2{path}"));
        let url = relative.or(full)?;
        Some(self.of_container(&url))
    }

    fn of_container(&self, url: &str) -> Found {
        let missing = |why: &str| Err(CredentialsError::Missing(why.to_owned()));
        if !is_near(url) {
            return missing(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI: neither https nor an address of this machine: \
                 credentials would travel in the clear",
            );
        }
        let token = match self.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => match std::fs::read_to_string(&file) {
                Ok(token) => Some(token.trim().to_owned()),
                Err(error) => {
                    return missing(&format!(
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: {file}: {error}"
                    ));
                }
            },
            None => self.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        };
        let mut request = agent(TIMEOUT).get(url);
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        answer("the container's credentials", request.call())
    }

    /// Those of the machine's role (IMDSv2).
    pub(super) fn instance(&self) -> Found {
        let what = "the machine's metadata";
        let missing = |why: String| Err(CredentialsError::Missing(why));
        if self
            .get("AWS_EC2_METADATA_DISABLED")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
        {
            return missing("AWS_EC2_METADATA_DISABLED is set".to_owned());
        }
        let base = self
            .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
            .unwrap_or_else(|| "http://169.254.169.254".to_owned());
        let base = base.trim_end_matches('/');
        let agent = agent(METADATA_TIMEOUT);
        let session = agent
            .put(format!("{base}/latest/api/token"))
            .header("X-aws-ec2-metadata-token-ttl-seconds", "60")
            .send_empty();
        // On other machines there is nobody, or somebody who knows nothing of it.
        let session = match session {
            Err(error) => return missing(format!("{base} does not answer: {error}")),
            Ok(session) => text(what, Ok(session))?,
        };
        let ask = |path: &str| {
            agent
                .get(format!(
                    "{base}/latest/meta-data/iam/security-credentials/{path}"
                ))
                .header("X-aws-ec2-metadata-token", &session)
                .call()
        };
        let roles = ask("");
        if roles
            .as_ref()
            .is_ok_and(|roles| roles.status() == StatusCode::NOT_FOUND)
        {
            return missing("the machine has no role".to_owned());
        }
        let roles = text(what, roles)?;
        let Some(role) = roles.lines().next().filter(|role| !role.is_empty()) else {
            return missing("the machine has no role".to_owned());
        };
        answer(what, ask(role))
    }

    /// Takes a role (`AssumeRoleWithWebIdentity`).
    pub(super) fn web_identity(&self, who: &WebIdentity<'_>) -> Found {
        let url = self.get("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| {
            let china = if self.region.starts_with("cn-") {
                ".cn"
            } else {
                ""
            };
            format!("https://sts.{}.amazonaws.com{china}/", self.region)
        });
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", who.role),
            ("RoleSessionName", who.session),
            ("WebIdentityToken", who.token),
        ];
        let what = format!("the Security Token Service, for role {}", who.role);
        let xml = text(&what, agent(TIMEOUT).post(url).send_form(form))?;
        let get = |tag: &str| element(&xml, tag);
        match (get("AccessKeyId"), get("SecretAccessKey")) {
            (Some(access_key_id), Some(secret_access_key)) => Ok(Credentials {
                access_key_id,
                secret_access_key,
                session_token: get("SessionToken"),
                expires: get("Expiration").and_then(|text| moment(&text)),
            }),
            _ => Err(CredentialsError::Unavailable(format!(
                "{what}: an answer without credentials"
            ))),
        }
    }
}

/// No proxy and no redirects: credentials come from where they are said to be.
fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// Whether what comes from there does not cross a network in the clear.
fn is_near(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    if uri.scheme_str() == Some("https") {
        return true;
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || CONTAINER_HOSTS.contains(&host)
}

fn answer(what: &str, response: Result<Response<Body>, ureq::Error>) -> Found {
    let text = text(what, response)?;
    // Without serde's words, which may have part of the text.
    let answer: Answer = serde_json::from_str(&text).map_err(|_| {
        CredentialsError::Unavailable(format!("{what}: an answer without credentials"))
    })?;
    Ok(Credentials {
        access_key_id: answer.access_key_id,
        secret_access_key: answer.secret_access_key,
        session_token: answer.token,
        expires: answer.expiration.and_then(|text| moment(&text)),
    })
}

/// What was answered. A refusal is for a person, anything else may pass.
fn text(
    what: &str,
    response: Result<Response<Body>, ureq::Error>,
) -> Result<String, CredentialsError> {
    let unavailable =
        |error: &dyn std::fmt::Display| CredentialsError::Unavailable(format!("{what}: {error}"));
    let mut response = response.map_err(|error| unavailable(&error))?;
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_string();
    if status.is_success() {
        return body.map_err(|error| unavailable(&error));
    }
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        let body = body.unwrap_or_default();
        let why = element(&body, "Message").map(|why| format!(": {why}"));
        let why = why.unwrap_or_default();
        return Err(CredentialsError::Missing(format!(
            "{what}: refused with {status}{why}"
        )));
    }
    Err(unavailable(&status))
}

/// The text of the first element of this name: the service's answers are flat where it counts, and
/// what is in them has nothing that XML would escape.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().to_owned())
}

fn moment(text: &str) -> Option<SystemTime> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(SystemTime::from(timestamp))
}
