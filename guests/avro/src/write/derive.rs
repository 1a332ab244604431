//! From columns to an Avro schema: the table of [`crate::compile`] the other way round, and more
//! types of Arrow.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use weir_guest::Part;
use weir_guest::arrays::{children, decimal, extension, path, roots};
use weir_guest::rows::Field;

/// The schema of rows with these columns, or of a key that is the value of the only one.
pub(super) fn schema(fields: &[Field], name: &str, part: Part) -> Result<Value, String> {
    let bad = name.split('.').find(|part| !is_name(part));
    if let Some(bad) = bad {
        return Err(format!(
            "`record.name`: `{bad}` of `{name}` is not an Avro name: names have letters, digits \
             and `_`"
        ));
    }
    let mut derive = Derive {
        fields,
        root: name,
        names: HashSet::from([name.to_owned()]),
    };
    match (part, roots(fields).collect::<Vec<_>>()) {
        (Part::Key, columns) if columns.len() == 1 => {
            let column = columns[0];
            if fields[column].format == "+s" {
                let children: Vec<usize> = children(fields, column).collect();
                return derive.record(name.to_owned(), &children);
            }
            derive.value(column)
        }
        (_, columns) => derive.record(name.to_owned(), &columns),
    }
}

struct Derive<'a> {
    fields: &'a [Field],
    root: &'a str,
    /// Those given so far: each names one type.
    names: HashSet<String>,
}

impl Derive<'_> {
    fn record(&mut self, name: String, columns: &[usize]) -> Result<Value, String> {
        let mut members = Vec::with_capacity(columns.len());
        let mut seen = HashSet::new();
        for &column in columns {
            let field = &self.fields[column];
            if !is_name(&field.name) {
                return Err(format!(
                    "column `{}`: `{}` is not an Avro name, which has letters, digits and `_`",
                    path(self.fields, column),
                    field.name
                ));
            }
            if !seen.insert(&field.name) {
                return Err(format!(
                    "two columns are called `{}`",
                    path(self.fields, column)
                ));
            }
            let mut member = Map::new();
            member.insert("name".to_owned(), json!(field.name));
            member.insert("type".to_owned(), self.nullable(column)?);
            if field.nullable && field.format != "n" {
                member.insert("default".to_owned(), Value::Null);
            }
            members.push(Value::Object(member));
        }
        Ok(json!({ "type": "record", "name": name, "fields": members }))
    }

    fn nullable(&mut self, column: usize) -> Result<Value, String> {
        let value = self.value(column)?;
        let field = &self.fields[column];
        Ok(if field.nullable && field.format != "n" {
            json!(["null", value])
        } else {
            value
        })
    }

    fn value(&mut self, column: usize) -> Result<Value, String> {
        let field = &self.fields[column];
        let below: Vec<usize> = children(self.fields, column).collect();
        let logical = |kind: &str, logical: &str| json!({ "type": kind, "logicalType": logical });
        Ok(match field.format.as_str() {
            "n" => json!("null"),
            "b" => json!("boolean"),
            "c" | "s" | "i" | "C" | "S" => json!("int"),
            "I" | "l" | "L" => json!("long"),
            "e" | "f" => json!("float"),
            "g" => json!("double"),
            "z" => json!("bytes"),
            "u" => json!("string"),
            "tdD" | "tdm" => logical("int", "date"),
            "tts" | "ttm" => logical("int", "time-millis"),
            "ttu" | "ttn" => logical("long", "time-micros"),
            "tDs" | "tDm" | "tDu" | "tDn" => json!("long"),
            "tiM" | "tiD" | "tin" => json!({
                "type": "fixed", "name": self.name(column), "size": 12, "logicalType": "duration",
            }),
            "+l" => json!({ "type": "array", "items": self.nullable(below[0])? }),
            "+m" => self.map(column, below[0])?,
            "+s" => {
                let name = self.name(column);
                self.record(name, &below)?
            }
            format => self.parametric(format, column)?,
        })
    }

    /// A map whose keys are not text is an array of its entries, as for Kafka Connect.
    fn map(&mut self, column: usize, entries: usize) -> Result<Value, String> {
        let pair: Vec<usize> = children(self.fields, entries).collect();
        if self.fields[pair[0]].format == "u" {
            return Ok(json!({ "type": "map", "values": self.nullable(pair[1])? }));
        }
        let name = self.name(column);
        Ok(json!({ "type": "array", "items": self.record(name, &pair)? }))
    }

    fn parametric(&mut self, format: &str, column: usize) -> Result<Value, String> {
        let field = &self.fields[column];
        if let Some(size) = format.strip_prefix("w:") {
            let size: u32 = size.parse().unwrap_or(0);
            let mut fixed = json!({ "type": "fixed", "name": self.name(column), "size": size });
            if extension(field) == Some("arrow.uuid") && size == 16 {
                fixed["logicalType"] = json!("uuid");
            }
            return Ok(fixed);
        }
        if let Some((precision, scale, _)) = decimal(format) {
            if scale < 0 {
                return Err(format!(
                    "column `{}`: a decimal with the scale {scale}, and Avro has none below 0",
                    path(self.fields, column)
                ));
            }
            return Ok(json!({
                "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale,
            }));
        }
        let kind = match format.strip_prefix("ts").map(|rest| rest.split_at(2)) {
            Some(("s:" | "m:", "")) => "local-timestamp-millis",
            Some(("u:", "")) => "local-timestamp-micros",
            Some(("n:", "")) => "local-timestamp-nanos",
            Some(("s:" | "m:", _)) => "timestamp-millis",
            Some(("u:", _)) => "timestamp-micros",
            Some(("n:", _)) => "timestamp-nanos",
            _ => {
                return Err(format!(
                    "column `{}`: Avro has nothing for the Arrow format `{format}`",
                    path(self.fields, column)
                ));
            }
        };
        Ok(json!({ "type": "long", "logicalType": kind }))
    }

    /// A name for the type of a column: the record's, and the way to the column.
    fn name(&mut self, column: usize) -> String {
        let way = path(self.fields, column);
        let way: String = way
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let mut name = format!("{}_{way}", self.root);
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// Avro specification, "Names".
fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}
