use serde::de::DeserializeOwned;

/// Parses a plug-in's options, with messages that name the option at fault.
///
/// ```
/// #[derive(serde::Deserialize, Debug)]
/// #[serde(deny_unknown_fields)]
/// struct Options {
///     width: u32,
/// }
///
/// let error = weir_guest::options::<Options>(r#"{ "width": "wide" }"#).unwrap_err();
/// assert_eq!(error, r#"`width`: invalid type: string "wide", expected u32"#);
/// ```
///
/// # Errors
/// A text for the person who wrote the pipeline file.
pub fn options<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|error| format!("options are not JSON: {error}"))?;
    let parsed = match value {
        serde_json::Value::Object(_) => serde_path_to_error::deserialize(value),
        _ => return Err(String::from("options must be an object")),
    };
    parsed.map_err(|error| match error.path().to_string().as_str() {
        // Names of missing and unknown options are in the message itself.
        "." => error.into_inner().to_string(),
        path => format!("`{path}`: {}", error.inner()),
    })
}
