//! What Kafka Connect's JSON Schema converter adds: `connect.type`, and logical types by
//! their name in `title`.

use serde_json::Value;

use crate::{
    number::DIGITS,
    time::Unit,
    types::{Kind, Written},
};

const LOGICAL: &str = "org.apache.kafka.connect.data.";

/// The type that a schema of Connect's names, for a value that is a number, or not: then it is
/// a string.
pub(super) fn kind<'a>(keyword: impl Fn(&str) -> Option<&'a Value>, number: bool) -> Option<Kind> {
    let text = |name: &str| keyword(name).and_then(Value::as_str);
    let logical = text("title").and_then(|title| title.strip_prefix(LOGICAL));
    let connect = text("connect.type");
    match (logical, connect) {
        (Some("Decimal"), Some("bytes")) => {
            let parameter = |name: &str| {
                let value = keyword("connect.parameters")?.get(name)?;
                value
                    .as_str()
                    .map_or_else(|| value.as_u64(), |text| text.parse().ok())
            };
            let scale = u8::try_from(parameter("scale").unwrap_or(0)).ok()?;
            let most = u8::try_from(DIGITS).ok()?;
            let precision = parameter("connect.decimal.precision");
            let precision =
                precision.map_or(Some(most), |precision| u8::try_from(precision).ok())?;
            let written = if number {
                Written::Number
            } else {
                Written::Base64
            };
            // Without a precision that fits it is any number, or base64.
            let fits = (1..=most).contains(&precision) && scale <= precision;
            fits.then_some(Kind::Decimal {
                precision,
                scale,
                written,
            })
        }
        (Some("Date"), Some("int32")) if number => Some(Kind::Date(Written::Number)),
        (Some("Time"), Some("int32")) if number => Some(Kind::Time(Unit::Milli, Written::Number)),
        (Some("Timestamp"), Some("int64")) if number => Some(Kind::Timestamp {
            unit: Unit::Milli,
            utc: true,
            written: Written::Number,
        }),
        (_, Some("int8")) if number => Some(integer(8)),
        (_, Some("int16")) if number => Some(integer(16)),
        (_, Some("int32")) if number => Some(integer(32)),
        (_, Some("int64")) if number => Some(integer(64)),
        (_, Some("float32")) if number => Some(Kind::Float32),
        (_, Some("float64")) if number => Some(Kind::Float64),
        (_, Some("bytes")) if !number => Some(Kind::Binary),
        _ => None,
    }
}

fn integer(bits: u8) -> Kind {
    Kind::Integer { bits, signed: true }
}
