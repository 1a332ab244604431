//! What a test does when a peer is not installed.

use std::io::Write as _;

/// A peer that this machine does not have.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{peer} is not available: {reason}")]
pub struct Unavailable {
    /// The peer, as a reader of the test's output knows it.
    pub peer: &'static str,
    /// What is missing, and how to get it.
    pub reason: String,
    /// The environment variable that, set to `1`, makes this a failure.
    pub required_by: &'static str,
}

/// The peer, or `None` after a line that says that this test is skipped.
///
/// # Panics
///
/// If the peer is missing although its `WEIR_REQUIRE_…` variable is `1`.
pub fn available<T>(peer: Result<T, Unavailable>) -> Option<T> {
    let missing = match peer {
        Ok(peer) => return Some(peer),
        Err(missing) => missing,
    };
    assert!(
        std::env::var_os(missing.required_by).is_none_or(|required| required != "1"),
        "{missing}, and {}=1 requires it",
        missing.required_by
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not `eprintln!`: the test harness would swallow the line of a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {test} because {missing}");
    None
}
