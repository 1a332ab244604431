//! Values that are JSON: those of recursive types, which a column holds as text, and defaults.

use apache_avro::Schema;
use serde_json::Value;

use super::put::{long, text};
use crate::grammar::GrammarCompiler;
use crate::json::{Grammar, Node};
use crate::schema::Parsed;

/// A type whose values are JSON.
#[derive(Debug)]
pub(super) struct JsonType {
    grammar: Grammar,
    root: u32,
}

/// What JSON means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As the deserializer writes recursive values: bytes in hexadecimal.
    Text,
    /// As in a schema's defaults: a character for each byte.
    Default,
}

impl JsonType {
    pub(super) fn of(schema: &Schema, parsed: &Parsed) -> Result<Self, String> {
        let mut compiler = GrammarCompiler::new(parsed);
        let root = compiler.node(schema).map_err(|error| error.to_string())?;
        let grammar = compiler.finish();
        Ok(Self { grammar, root })
    }

    /// Writes a value, or a part of it before an error.
    pub(super) fn write(
        &self,
        value: &Value,
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.write_node(self.root, value, style, out)
    }

    fn write_node(
        &self,
        node: u32,
        value: &Value,
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let node = self.grammar.node(node);
        let misfit = || Err(misfit(value, node));
        match (node, value) {
            (Node::Null, Value::Null) => {}
            (Node::Boolean, Value::Bool(value)) => out.push(u8::from(*value)),
            (Node::Int, Value::Number(number)) => {
                match number.as_i64().filter(|n| i32::try_from(*n).is_ok()) {
                    Some(number) => long(number, out),
                    None => return misfit(),
                }
            }
            (Node::Long, Value::Number(number)) => match number.as_i64() {
                Some(number) => long(number, out),
                None => return misfit(),
            },
            (Node::Float, Value::Number(number)) => match number.as_f64() {
                Some(number) => {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "the text was made of a float"
                    )]
                    let number = number as f32;
                    out.extend_from_slice(&number.to_le_bytes());
                }
                None => return misfit(),
            },
            (Node::Double, Value::Number(number)) => match number.as_f64() {
                Some(number) => out.extend_from_slice(&number.to_le_bytes()),
                None => return misfit(),
            },
            (Node::Text, Value::String(value)) => text(value.as_bytes(), out),
            (Node::Bytes, Value::String(value)) => match bytes(value, style) {
                Some(bytes) => text(&bytes, out),
                None => return misfit(),
            },
            (Node::Fixed(size), Value::String(value)) => match bytes(value, style) {
                Some(bytes) if bytes.len() == *size as usize => out.extend_from_slice(&bytes),
                _ => return misfit(),
            },
            (Node::Enum(symbols), Value::String(value)) => {
                let mut symbols = symbols.iter().zip(0..);
                match symbols.find(|(symbol, _)| symbol.as_deref() == Some(value.as_str())) {
                    Some((_, number)) => long(number, out),
                    None => return misfit(),
                }
            }
            (Node::Array(item), Value::Array(items)) => {
                blocks(items.len(), out);
                for value in items {
                    self.write_node(*item, value, style, out)?;
                }
                out.push(0);
            }
            (Node::Map(item), Value::Object(entries)) => {
                blocks(entries.len(), out);
                for (key, value) in entries {
                    text(key.as_bytes(), out);
                    self.write_node(*item, value, style, out)?;
                }
                out.push(0);
            }
            (Node::Record(fields), Value::Object(members)) => {
                for (name, node) in fields {
                    let value = members
                        .get(&**name)
                        .ok_or_else(|| format!("the field `{name}` is missing"))?;
                    self.write_node(*node, value, style, out)?;
                }
            }
            (Node::Union(branches), _) => {
                let start = out.len();
                for (branch, number) in branches.iter().zip(0..) {
                    long(number, out);
                    if self.write_node(*branch, value, style, out).is_ok() {
                        return Ok(());
                    }
                    out.truncate(start);
                }
                return misfit();
            }
            _ => return misfit(),
        }
        Ok(())
    }
}

fn blocks(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        long(i64::try_from(count).unwrap_or(i64::MAX), out);
    }
}

fn bytes(text: &str, style: Style) -> Option<Vec<u8>> {
    match style {
        Style::Default => text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).ok())
            .collect(),
        Style::Text => {
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let digit = |c: u8| {
                char::from(c)
                    .to_digit(16)
                    .and_then(|d| u8::try_from(d).ok())
            };
            let pair = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
            rest.is_empty().then(|| pairs.iter().map(pair).collect())?
        }
    }
}

fn misfit(value: &Value, node: &Node) -> String {
    let kind = match node {
        Node::Null => "null",
        Node::Boolean => "a boolean",
        Node::Int => "an int",
        Node::Long => "a long",
        Node::Float => "a float",
        Node::Double => "a double",
        Node::Bytes => "bytes",
        Node::Text => "a string",
        Node::Fixed(_) => "fixed",
        Node::Enum(_) => "a symbol of the enum",
        Node::Array(_) => "an array",
        Node::Map(_) => "a map",
        Node::Union(_) => "a branch of the union",
        Node::Record(_) => "a record",
        // Those are of types that are read, and never of one that is written.
        Node::Promoted(_) | Node::Resolved(_) | Node::Refused => "of this type",
    };
    let mut shown = value.to_string();
    if shown.len() > 100 {
        shown.truncate(shown.floor_char_boundary(100));
        shown.push('…');
    }
    format!("{shown} is not {kind}")
}
