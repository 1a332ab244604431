//! URLs of HTTP servers.

use ureq::http::Uri;

use super::key::Key;
use super::reader::{Given, Reader};

/// An `http` or `https` URL without credentials, which would end up in logs: they go to
/// `credentials` instead.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &'static Key,
    credentials: &str,
) -> Option<String> {
    let given = reader.text(key)?;
    check(reader, key, &given, credentials);
    Some(given.value)
}

/// Several of them.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    key: &'static Key,
    credentials: &str,
) -> Vec<String> {
    let all = reader.list(key);
    for given in &all {
        check(reader, key, given, credentials);
    }
    all.into_iter().map(|given| given.value).collect()
}

fn check(reader: &mut Reader<'_>, key: &'static Key, given: &Given, credentials: &str) {
    let problem = match given.value.parse::<Uri>() {
        _ if given.value.contains('#') => Some("has a fragment (`#…`)"),
        Err(_) => Some("is not a URL"),
        Ok(uri) => match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
                let message = format!(
                    "credentials in the URL would end up in logs: write them as {credentials}"
                );
                reader.invalid(key, given.span, message);
                None
            }
            (Some("http" | "https"), Some(_)) if uri.query().is_some() => {
                Some("has a query (`?…`)")
            }
            (Some("http" | "https"), Some(_)) => None,
            _ => Some("is not an http or https URL"),
        },
    };
    if let Some(problem) = problem {
        let shown = if given.value.contains('@') {
            "it"
        } else {
            &format!("`{}`", given.shown)
        };
        let message = format!("{shown} {problem}: write one such as http://localhost:8081");
        reader.invalid(key, given.span, message);
    }
}
