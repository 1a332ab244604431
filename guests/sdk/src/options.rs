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
    parsed.map_err(|error| {
        let (path, reason) = (format!("`{}`", error.path()), error.inner().to_string());
        // The message itself names an option that is missing or unknown.
        if path == "`.`" || reason.contains(&path) {
            return reason;
        }
        format!("{path}: {reason}")
    })
}

#[cfg(test)]
mod tests {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[expect(dead_code, reason = "only parsed")]
        columns: Vec<Column>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Column {
        #[expect(dead_code, reason = "only parsed")]
        width: u8,
    }

    #[test]
    fn errors_name_the_option() {
        let error = |json| super::options::<Options>(json).unwrap_err();
        assert_eq!(error("{}"), "missing field `columns`");
        assert_eq!(
            error(r#"{"column":1}"#),
            "unknown field `column`, expected `columns`"
        );
        assert_eq!(
            error(r#"{"columns":[{"width":300}]}"#),
            "`columns[0].width`: invalid value: integer `300`, expected u8"
        );
        assert_eq!(
            error(r#"{"columns":[{"widht":3}]}"#),
            "`columns[0].widht`: unknown field `widht`, expected `width`"
        );
        assert_eq!(error("[]"), "options must be an object");
        assert!(error("{").starts_with("options are not JSON: "));
    }
}
