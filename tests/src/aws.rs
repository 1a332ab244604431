//! AWS credentials for tokens of MSK, as the broker of [`crate::kafka::Options::msk`] takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::http::{Response, Server};

/// The only region that the broker takes tokens for.
pub const REGION: &str = "eu-test-1";

/// The environment that makes weir see nothing of this machine's own credentials.
pub const NO_OTHERS: [(&str, &str); 5] = [
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"),
    ("AWS_CONFIG_FILE", "/nowhere/config"),
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_PROFILE", ""),
];

/// The secret access key of this id.
#[must_use]
pub fn secret_of(access_key_id: &str) -> String {
    format!("secret of {access_key_id}")
}

/// What a container's agent gives away (`AWS_CONTAINER_CREDENTIALS_FULL_URI`): another access key each
/// time, that ends soon.
#[derive(Debug)]
pub struct ContainerCredentials {
    server: Server,
    requests: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

impl ContainerCredentials {
    /// Starts an agent whose credentials end after this time.
    #[must_use]
    pub fn start(lifetime: Duration) -> Self {
        let (requests, is_down) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, down) = (Arc::clone(&requests), Arc::clone(&is_down));
        let server = Server::start(move |_| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            if down.load(Ordering::Relaxed) {
                return Some(Response::html(503, "down"));
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let ends = now.expect("a clock after 1970") + lifetime;
            let id = format!("AKIATEST{number}");
            Some(Response::json(
                200,
                &json!({
                    "AccessKeyId": id,
                    "SecretAccessKey": secret_of(&id),
                    "Token": format!("ends {}", ends.as_millis()),
                    "Expiration": rfc_3339(ends),
                }),
            ))
        });
        Self {
            server,
            requests,
            is_down,
        }
    }

    /// The agent's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/credentials", self.server.url())
    }

    /// How often it was asked, also in vain.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Makes it answer 503, or as usual again.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }
}

/// To the second, as AWS writes it.
fn rfc_3339(since_epoch: Duration) -> String {
    let (days, seconds) = (
        since_epoch.as_secs() / 86_400,
        since_epoch.as_secs() % 86_400,
    );
    // Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_aws_does() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
        ] {
            assert_eq!(rfc_3339(Duration::from_secs(seconds)), text);
        }
    }
}
