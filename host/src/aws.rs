//! Amazon's credentials, and the tokens that MSK takes in place of a password.
//!
//! No clock and no environment of their own: both are arguments. The only I/O is to read the files
//! and ask the endpoints that the standard chain names.

mod chain;
mod endpoints;
mod profiles;
mod token;

use std::time::SystemTime;

pub(crate) use chain::Chain;
pub(crate) use token::{SignedToken, msk_token};

/// The environment, as configuration reads it.
pub(crate) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Who asks. Neither shown nor logged: [`std::fmt::Debug`] has the id only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The id of the access key.
    pub(crate) access_key_id: String,
    /// The access key itself.
    pub(crate) secret_access_key: String,
    /// What temporary ones have beside it.
    pub(crate) session_token: Option<String>,
    /// When temporary ones end.
    pub(crate) expires: Option<SystemTime>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// A person has to put them somewhere, or to correct what is there.
    #[error("{0}")]
    Missing(String),
    /// An endpoint did not answer as it should: asking again may help.
    #[error("{0}")]
    Unavailable(String),
}
