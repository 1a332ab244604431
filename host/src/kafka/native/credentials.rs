//! A new password, or a token, for a client that runs.

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

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

/// A token of OAUTHBEARER, for the connections to come and those that have to show one again.
///
/// # Errors
/// Why not, in words without the token.
pub(crate) fn set_token<C: ClientContext>(
    client: &Client<C>,
    token: &str,
    expires: SystemTime,
) -> Result<(), String> {
    let token = CString::new(token).map_err(|_| "a token with a NUL character".to_owned())?;
    let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
    let mut why = [0; 256];
    // SAFETY: the client is alive and the strings are copied. There are no extensions. What is
    // written of an error is not longer than the size that is given, and has its NUL.
    unsafe {
        let code = ffi::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token.as_ptr(),
            expires,
            c"".as_ptr(),
            ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        );
        match code {
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            _ => Err(CStr::from_ptr(why.as_ptr()).to_string_lossy().into_owned()),
        }
    }
}

/// Says that there is no token to be had, which the client tells as an error of authentication.
///
/// # Errors
/// Why librdkafka does not care.
pub(crate) fn refuse_token<C: ClientContext>(client: &Client<C>, why: &str) -> Result<(), String> {
    let why = CString::new(why.replace('\0', " ")).expect("there is no NUL left");
    // SAFETY: the client is alive, and the text is copied.
    let code =
        unsafe { ffi::rd_kafka_oauthbearer_set_token_failure(client.native_ptr(), why.as_ptr()) };
    match code {
        ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(rdkafka::error::RDKafkaErrorCode::from(code).to_string()),
    }
}
