//! From columns to a `.proto` file of proto3 with one message.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use weir_guest::Part;
use weir_guest::arrays::{children, decimal, extension, path, roots, width, zone};
use weir_guest::rows::Field;

/// Numbers that Protobuf keeps for itself.
const RESERVED: std::ops::RangeInclusive<usize> = 19_000..=19_999;

/// The file for rows with these columns, or for a key that is the only one, a struct.
pub(super) fn schema(fields: &[Field], name: &str, part: Part) -> Result<String, String> {
    let bad = name.split('.').find(|part| !is_name(part));
    if let Some(bad) = bad {
        return Err(format!(
            "`record.name`: `{bad}` of `{name}` is not a name in Protobuf: those have letters, \
             digits and `_`"
        ));
    }
    let mut derive = Derive {
        fields,
        imports: BTreeSet::new(),
    };
    let mut columns: Vec<usize> = roots(fields).collect();
    if let (Part::Key, [column]) = (part, &columns[..])
        && fields[*column].format == "+s"
    {
        columns = children(fields, *column).collect();
    }
    let (package, message) = match name.rsplit_once('.') {
        Some((package, message)) => (Some(package), message),
        None => (None, name),
    };
    let mut body = String::new();
    derive.message(message, &columns, 0, &mut body)?;
    let mut text = "syntax = \"proto3\";\n".to_owned();
    if let Some(package) = package {
        let _ = writeln!(text, "package {package};");
    }
    for import in &derive.imports {
        let _ = writeln!(text, "import \"google/protobuf/{import}.proto\";");
    }
    text.push('\n');
    text.push_str(&body);
    Ok(text)
}

struct Derive<'a> {
    fields: &'a [Field],
    imports: BTreeSet<&'static str>,
}

impl Derive<'_> {
    fn message(
        &mut self,
        name: &str,
        columns: &[usize],
        depth: usize,
        text: &mut String,
    ) -> Result<(), String> {
        let indent = "  ".repeat(depth);
        let _ = writeln!(text, "{indent}message {name} {{");
        // Fields and messages within one message share their names.
        let mut names: HashSet<String> = HashSet::new();
        for &column in columns {
            let field = &self.fields[column];
            if !is_name(&field.name) {
                return Err(format!(
                    "column `{}`: `{}` is not a name in Protobuf, which has letters, digits and `_`",
                    path(self.fields, column),
                    field.name
                ));
            }
            if !names.insert(field.name.clone()) {
                return Err(format!(
                    "two columns are called `{}`",
                    path(self.fields, column)
                ));
            }
        }
        let mut number = 0;
        for &column in columns {
            number += 1;
            if RESERVED.contains(&number) {
                number = RESERVED.end() + 1;
            }
            let declared = self.field(column, depth + 1, &mut names, text)?;
            let _ = writeln!(
                text,
                "{indent}  {declared} {} = {number};",
                self.fields[column].name
            );
        }
        let _ = writeln!(text, "{indent}}}");
        Ok(())
    }

    /// The label and type of a field, after the messages that it needs.
    fn field(
        &mut self,
        column: usize,
        depth: usize,
        names: &mut HashSet<String>,
        text: &mut String,
    ) -> Result<String, String> {
        let field = &self.fields[column];
        let below: Vec<usize> = children(self.fields, column).collect();
        match field.format.as_str() {
            "+l" => {
                let kind = self.value(below[0], &field.name, depth, names, text)?;
                Ok(format!("repeated {kind}"))
            }
            "+m" => {
                let pair: Vec<usize> = children(self.fields, below[0]).collect();
                let key = match self.fields[pair[0]].format.as_str() {
                    "b" | "c" | "s" | "i" | "l" | "C" | "S" | "I" | "L" | "u" => {
                        self.value(pair[0], "key", depth, names, text)?
                    }
                    _ => return Err(self.misfit(pair[0])),
                };
                let value = self.value(pair[1], &field.name, depth, names, text)?;
                Ok(format!("map<{key}, {value}>"))
            }
            _ => {
                let kind = self.value(column, &field.name, depth, names, text)?;
                // Messages say by themselves whether they are there.
                let is_message = field.format == "+s" || kind.starts_with("google.");
                Ok(if field.nullable && !is_message {
                    format!("optional {kind}")
                } else {
                    kind
                })
            }
        }
    }

    fn value(
        &mut self,
        column: usize,
        name: &str,
        depth: usize,
        names: &mut HashSet<String>,
        text: &mut String,
    ) -> Result<String, String> {
        let field = &self.fields[column];
        let format = field.format.as_str();
        let kind = match format {
            "b" => "bool",
            "c" | "s" | "i" => "int32",
            "C" | "S" | "I" => "uint32",
            "l" => "int64",
            "L" => "uint64",
            "e" | "f" => "float",
            "g" => "double",
            "u" => "string",
            "z" => "bytes",
            "w:16" if extension(field) == Some("arrow.uuid") => "string",
            "tDs" | "tDm" | "tDu" | "tDn" => {
                self.imports.insert("duration");
                "google.protobuf.Duration"
            }
            _ if zone(format).is_some_and(|zone| !zone.is_empty()) => {
                self.imports.insert("timestamp");
                "google.protobuf.Timestamp"
            }
            "+s" => {
                let mut message = camel_case(name);
                while !names.insert(message.clone()) {
                    message.push('_');
                }
                let below: Vec<usize> = children(self.fields, column).collect();
                self.message(&message, &below, depth, text)?;
                return Ok(message);
            }
            _ if width(format).is_some() => "bytes",
            // What Protobuf has no type for is text.
            _ if decimal(format).is_some() || format.starts_with('t') => "string",
            _ => return Err(self.misfit(column)),
        };
        Ok(kind.to_owned())
    }

    fn misfit(&self, column: usize) -> String {
        let format = &self.fields[column].format;
        let why = match format.as_str() {
            "+l" | "+m" => "a list or map directly within another".to_owned(),
            "n" => "a column of nulls alone".to_owned(),
            other => format!("the Arrow format `{other}` there"),
        };
        format!(
            "column `{}`: Protobuf has nothing for {why}",
            path(self.fields, column)
        )
    }
}

/// `line_items` as `LineItems`.
fn camel_case(name: &str) -> String {
    let mut upper = true;
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            text.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            text.push(c);
        }
    }
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text.insert(0, 'M');
    }
    text
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}
