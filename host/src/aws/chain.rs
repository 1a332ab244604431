//! Where credentials are looked for: as Amazon's own clients do, in the same order.

use std::path::Path;

use super::endpoints::{Endpoints, WebIdentity};
use super::profiles::{self, Profile};
use super::{Credentials, CredentialsError, Env};

/// The standard chain. Each look begins anew: keys are rotated in files and at endpoints.
pub(crate) struct Chain {
    /// A profile that the pipeline file names: then nothing else is looked at.
    profile: Option<String>,
    region: String,
}

impl Chain {
    pub(crate) fn new(profile: Option<String>, region: String) -> Self {
        Self { profile, region }
    }

    /// The first credentials that there are.
    ///
    /// # Errors
    /// What was looked at, where there is none, and what is wrong with the first place that was to
    /// have some.
    pub(crate) fn credentials(&self, env: Env<'_>) -> Result<Credentials, CredentialsError> {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let files = profiles::files(env);
        let shown: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        let shown = shown.join(" and ");
        let endpoints = Endpoints::new(env, &self.region);

        if let Some(name) = &self.profile {
            return match profiles::profile(name, &files)? {
                Some(profile) => of_profile(profile, &endpoints, env),
                None => Err(CredentialsError::Missing(format!(
                    "sasl.aws.profile: there is no profile {name} with credentials in {shown}"
                ))),
            };
        }
        match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                return Ok(Credentials {
                    access_key_id,
                    secret_access_key,
                    session_token: get("AWS_SESSION_TOKEN"),
                    expires: None,
                });
            }
            (Some(_), None) => {
                return Err(CredentialsError::Missing(
                    "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not".to_owned(),
                ));
            }
            _ => {}
        }
        let named = get("AWS_PROFILE");
        let name = named.as_deref().unwrap_or("default");
        match profiles::profile(name, &files)? {
            Some(profile) => return of_profile(profile, &endpoints, env),
            None if named.is_some() => {
                return Err(CredentialsError::Missing(format!(
                    "AWS_PROFILE: there is no profile {name} with credentials in {shown}"
                )));
            }
            None => {}
        }
        if let (Some(role), Some(file)) = (get("AWS_ROLE_ARN"), get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            return web_identity(&endpoints, &role, Path::new(&file), env);
        }
        if let Some(answer) = endpoints.container() {
            return answer;
        }
        endpoints.instance().map_err(|why| match why {
            CredentialsError::Missing(why) => CredentialsError::Missing(format!(
                "no AWS credentials: looked at AWS_ACCESS_KEY_ID, profile {name} of {shown}, \
                 AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_CREDENTIALS_FULL_URI and _RELATIVE_URI, \
                 and the machine's metadata ({why})"
            )),
            unavailable @ CredentialsError::Unavailable(_) => unavailable,
        })
    }
}

fn of_profile(
    profile: Profile,
    endpoints: &Endpoints<'_>,
    env: Env<'_>,
) -> Result<Credentials, CredentialsError> {
    match profile {
        Profile::Keys(credentials) => Ok(credentials),
        Profile::WebIdentity { role, token_file } => {
            web_identity(endpoints, &role, &token_file, env)
        }
    }
}

fn web_identity(
    endpoints: &Endpoints<'_>,
    role: &str,
    file: &Path,
    env: Env<'_>,
) -> Result<Credentials, CredentialsError> {
    let token = std::fs::read_to_string(file).map_err(|error| {
        CredentialsError::Missing(format!(
            "the web identity's token {}: {error}",
            file.display()
        ))
    })?;
    endpoints.web_identity(&WebIdentity {
        role,
        session: &env("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "weir".to_owned()),
        token: token.trim(),
    })
}

#[cfg(test)]
mod tests;
