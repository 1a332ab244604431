//! Columns as the pipeline file declares them.
//!
//! ```yaml
//! columns:
//!   id: int64
//!   price: decimal(10,2)
//!   at: timestamp(ms)
//!   tags: [utf8]
//!   address: { city: utf8, zip: utf8 }
//!   counts: { "*": int64 }
//! ```

use serde_json::{Map, Value};
use weir_guest::columns::MAX_DEPTH;

use crate::{
    number::DIGITS,
    time::Unit,
    types::{Kind, Type, Written},
};

/// The names of types, for errors and for the documentation.
pub(crate) const NAMES: &str = "boolean, int8, int16, int32, int64, uint8, uint16, uint32, uint64, \
float32, float64, decimal(precision,scale), utf8, binary, uuid, date, time(unit), timestamp(unit), \
local-timestamp(unit) with unit s, ms, us or ns, and json; a list is [type], an object \
{name: type, ...}, a map {\"*\": type}";

/// The type of the whole row.
///
/// # Errors
/// For the person who wrote the pipeline file: what is not a type, and where.
pub(crate) fn columns(declared: &Map<String, Value>) -> Result<Type, String> {
    let kind = object(declared, "columns", 0)?;
    if !matches!(kind, Kind::Struct(_)) {
        return Err(
            "`columns` are names with types; `*` stands for a map only below one".to_owned(),
        );
    }
    Ok(Type {
        kind,
        nullable: false,
        required: false,
    })
}

fn object(declared: &Map<String, Value>, path: &str, depth: usize) -> Result<Kind, String> {
    if depth >= MAX_DEPTH {
        return Err(format!(
            "`{path}`: types are nested more than {MAX_DEPTH} deep"
        ));
    }
    if declared.is_empty() {
        return Err(format!("`{path}`: there are no columns"));
    }
    if let (1, Some(values)) = (declared.len(), declared.get("*")) {
        return Ok(Kind::Map(Box::new(any(
            values,
            &format!("{path}.*"),
            depth + 1,
        )?)));
    }
    let fields = declared.iter().map(|(name, value)| {
        let path = format!("{path}.{name}");
        Ok((name.clone(), any(value, &path, depth + 1)?))
    });
    Ok(Kind::Struct(fields.collect::<Result<_, String>>()?))
}

fn any(declared: &Value, path: &str, depth: usize) -> Result<Type, String> {
    let kind = match declared {
        Value::Object(fields) => object(fields, path, depth)?,
        Value::Array(items) => match &items[..] {
            [item] if depth < MAX_DEPTH => {
                Kind::List(Box::new(any(item, &format!("{path}[]"), depth + 1)?))
            }
            [_] => {
                return Err(format!(
                    "`{path}`: types are nested more than {MAX_DEPTH} deep"
                ));
            }
            _ => {
                return Err(format!(
                    "`{path}`: a list has one type for its items: [type]"
                ));
            }
        },
        Value::String(name) => named(name)
            .ok_or_else(|| format!("`{path}`: there is no type `{name}`; there are {NAMES}"))?,
        _ => return Err(format!("`{path}`: expected a type; there are {NAMES}")),
    };
    Ok(Type::nullable(kind))
}

fn named(name: &str) -> Option<Kind> {
    let integer = |bits, signed| Kind::Integer { bits, signed };
    Some(match name {
        "boolean" => Kind::Boolean,
        "int8" => integer(8, true),
        "int16" => integer(16, true),
        "int32" => integer(32, true),
        "int64" => integer(64, true),
        "uint8" => integer(8, false),
        "uint16" => integer(16, false),
        "uint32" => integer(32, false),
        "uint64" => integer(64, false),
        "float32" => Kind::Float32,
        "float64" => Kind::Float64,
        "utf8" => Kind::Text,
        "binary" => Kind::Binary,
        "uuid" => Kind::Uuid,
        "date" => Kind::Date(Written::Any),
        "json" => Kind::Json,
        _ => {
            let (name, argument) = name.strip_suffix(')')?.split_once('(')?;
            match name {
                "decimal" => {
                    let (precision, scale) = argument.split_once(',')?;
                    let precision: u8 = precision.trim().parse().ok()?;
                    let scale: u8 = scale.trim().parse().ok()?;
                    let fits = (1..=DIGITS).contains(&usize::from(precision)) && scale <= precision;
                    let written = Written::Any;
                    fits.then_some(Kind::Decimal {
                        precision,
                        scale,
                        written,
                    })?
                }
                "time" => Kind::Time(unit(argument)?, Written::Any),
                "timestamp" | "local-timestamp" => Kind::Timestamp {
                    unit: unit(argument)?,
                    utc: name == "timestamp",
                    written: Written::Any,
                },
                _ => return None,
            }
        }
    })
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name {
        "s" => Unit::Second,
        "ms" => Unit::Milli,
        "us" => Unit::Micro,
        "ns" => Unit::Nano,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declare(declared: &Value) -> Result<Type, String> {
        columns(declared.as_object().unwrap())
    }

    #[test]
    fn what_is_not_a_type_is_named_with_its_place() {
        for (declared, expected) in [
            (json!({}), "`columns`: there are no columns"),
            (
                json!({"a": "int"}),
                "`columns.a`: there is no type `int`; there are boolean, ",
            ),
            (
                json!({"a": {"b": ["decimal(39,2)"]}}),
                "`columns.a.b[]`: there is no type `decimal(39,2)`",
            ),
            (
                json!({"a": "decimal(4,5)"}),
                "`columns.a`: there is no type",
            ),
            (json!({"a": "timestamp"}), "`columns.a`: there is no type"),
            (
                json!({"a": "timestamp(m)"}),
                "`columns.a`: there is no type",
            ),
            (
                json!({"a": []}),
                "`columns.a`: a list has one type for its items",
            ),
            (json!({"a": 1}), "`columns.a`: expected a type"),
            (json!({"a": {}}), "`columns.a`: there are no columns"),
            (json!({"*": "utf8"}), "`columns` are names with types"),
        ] {
            let error = declare(&declared).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let mut deep = json!("utf8");
        for _ in 0..70 {
            deep = json!([deep]);
        }
        assert!(
            declare(&json!({"a": deep}))
                .unwrap_err()
                .ends_with("more than 64 deep")
        );
    }

    #[test]
    fn each_name_in_the_list_is_a_type() {
        let names = NAMES
            .split(", with")
            .next()
            .unwrap()
            .replace("with unit s, ms, us or ns, and", "");
        for name in names
            .split(';')
            .next()
            .unwrap()
            .split(", ")
            .flat_map(|part| part.split_whitespace())
        {
            let name = name
                .replace("precision", "5")
                .replace("scale", "2")
                .replace("unit", "ms");
            assert!(named(&name).is_some(), "{name}");
        }
    }
}
