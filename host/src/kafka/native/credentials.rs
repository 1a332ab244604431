//! A new password for a client that runs.

use std::ffi::{CStr, CString};

use rdkafka::ClientContext;
use rdkafka::bindings as ffi;
use rdkafka::client::Client;

/// Takes effect when the client next connects to a broker; for PLAIN and SCRAM.
///
/// # Errors
/// Why not, in words without the password.
pub(crate) fn set_credentials<C: ClientContext>(
    client: &Client<C>,
    username: &str,
    password: &str,
) -> Result<(), String> {
    let nul = |_| "a user or password with a NUL character".to_owned();
    let username = CString::new(username).map_err(nul)?;
    let password = CString::new(password).map_err(nul)?;
    // SAFETY: the client is alive, both strings are copied, and an error is ours to destroy
    // once its text is copied.
    unsafe {
        let error = ffi::rd_kafka_sasl_set_credentials(
            client.native_ptr(),
            username.as_ptr(),
            password.as_ptr(),
        );
        if error.is_null() {
            return Ok(());
        }
        let text = CStr::from_ptr(ffi::rd_kafka_error_string(error));
        let text = text.to_string_lossy().into_owned();
        ffi::rd_kafka_error_destroy(error);
        Err(text)
    }
}
