//! The files that `aws configure` writes, as far as credentials go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Credentials, CredentialsError, Env};

/// What a profile says of who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// By a key.
    Keys(Credentials),
    /// By a role that is taken with the token of a file.
    WebIdentity { role: String, token_file: PathBuf },
}

/// The two files, in the order in which they count.
pub(super) fn files(env: Env<'_>) -> Vec<PathBuf> {
    let home = env("HOME").map(PathBuf::from);
    let file = |variable: &str, name: &str| {
        env(variable)
            .map(PathBuf::from)
            .or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
    };
    [
        file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        file("AWS_CONFIG_FILE", "config"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Looks a profile up. `None` where no file has it.
///
/// # Errors
/// A file that cannot be read, and a profile that is there without credentials that weir can use.
pub(super) fn profile(name: &str, files: &[PathBuf]) -> Result<Option<Profile>, CredentialsError> {
    let missing = |why: String| Err(CredentialsError::Missing(why));
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut found = None;
    for file in files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return missing(format!("{}: {error}", file.display())),
        };
        let Some(settings) = section(&text, name) else {
            continue;
        };
        found.get_or_insert_with(|| file.clone());
        for (key, value) in settings {
            all.entry(key).or_insert(value);
        }
    }
    let Some(file) = found else { return Ok(None) };
    read(&all, name, &file)
}

fn read(
    settings: &BTreeMap<String, String>,
    name: &str,
    file: &Path,
) -> Result<Option<Profile>, CredentialsError> {
    let get = |key: &str| settings.get(key).filter(|value| !value.is_empty()).cloned();
    let at = format!("profile {name} of {}", file.display());
    let missing = |why: String| Err(CredentialsError::Missing(why));
    match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            return Ok(Some(Profile::Keys(Credentials {
                access_key_id,
                secret_access_key,
                session_token: get("aws_session_token"),
                expires: None,
            })));
        }
        (None, None) => {}
        (Some(_), None) => return missing(format!("{at} has no aws_secret_access_key")),
        (None, Some(_)) => return missing(format!("{at} has no aws_access_key_id")),
    }
    if let (Some(role), Some(token_file)) = (get("role_arn"), get("web_identity_token_file")) {
        let token_file = PathBuf::from(token_file);
        return Ok(Some(Profile::WebIdentity { role, token_file }));
    }
    let others = [
        "credential_process",
        "credential_source",
        "source_profile",
        "role_arn",
    ];
    let sso = ["sso_session", "sso_start_url"];
    match others.iter().chain(&sso).find(|key| get(key).is_some()) {
        Some(other) => missing(format!(
            "{at} gets its credentials by {other}, which weir does not know: put them into the \
             environment, as `aws configure export-credentials --profile {name} --format env` shows \
             them, or give the profile a key"
        )),
        // Such as one with a region only.
        None => Ok(None),
    }
}

/// The settings of a profile in an INI file; in `config` its name has a word before it.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found = None;
    let mut is_it = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = trimmed.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            let title = header.strip_prefix("profile ").unwrap_or(header).trim();
            is_it = title == name;
            if is_it {
                found.get_or_insert_with(BTreeMap::new);
            }
            continue;
        }
        // What is indented belongs to the setting above it.
        let is_nested = line.starts_with([' ', '\t']);
        if let (true, false, Some(settings), Some((key, value))) =
            (is_it, is_nested, found.as_mut(), trimmed.split_once('='))
        {
            settings.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str, credentials: &str, config: &str) -> Result<Option<Profile>, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = ["credentials", "config"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], credentials).unwrap();
        std::fs::write(&files[1], config).unwrap();
        let gone = folder.path().display().to_string();
        profile(name, &files).map_err(|error| error.to_string().replace(&gone, ""))
    }

    #[test]
    fn keys_are_found_in_both_files() {
        let credentials = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=S=/+\n\n\
                           [other]\naws_access_key_id=B\n  aws_secret_access_key = nested\n";
        let config = "[default]\nregion=x\naws_access_key_id = not this\n[profile other]\n\
                      AWS_SECRET_ACCESS_KEY = T\naws_session_token = U\n";
        let keys = |id: &str, key: &str, token: Option<&str>| {
            Ok(Some(Profile::Keys(Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: key.to_owned(),
                session_token: token.map(str::to_owned),
                expires: None,
            })))
        };
        assert_eq!(
            find("default", credentials, config),
            keys("A", "S=/+", None)
        );
        assert_eq!(
            find("other", credentials, config),
            keys("B", "T", Some("U"))
        );
        assert_eq!(find("third", credentials, config), Ok(None));
    }

    #[test]
    fn what_is_half_there_or_not_known_is_said() {
        assert_eq!(
            find("p", "[p]\naws_access_key_id = A\n", "").unwrap_err(),
            "profile p of /credentials has no aws_secret_access_key"
        );
        let sso = find("p", "", "[profile p]\nsso_session = s\n").unwrap_err();
        assert!(sso.starts_with("profile p of /config gets its credentials by sso_session"));
        assert_eq!(find("p", "", "[profile p]\nregion = s\n"), Ok(None));
        let role = find(
            "p",
            "",
            "[profile p]\nrole_arn = r\nweb_identity_token_file = /t\n",
        );
        let token_file = PathBuf::from("/t");
        let role_arn = "r".to_owned();
        assert_eq!(
            role,
            Ok(Some(Profile::WebIdentity {
                role: role_arn,
                token_file
            }))
        );
    }
}
