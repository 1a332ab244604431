//! Values of recursive types, as JSON text: a column cannot contain itself.
//!
//! The text is what the columns would show: unions without the name of the branch,
//! `bytes` and `fixed` in hexadecimal, logical types as the type they annotate, floats
//! that are no JSON number as null.

use crate::input::{Fault, Input};

/// How many types deep one value may be. A record in a union counts as two.
const MAX_VALUE_DEPTH: usize = 256;

/// How one type is read and written. Others are named by their index.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(u32),
    Enum(Vec<Box<str>>),
    Array(u32),
    Map(u32),
    Union(Vec<u32>),
    Record(Vec<(Box<str>, u32)>),
}

/// The types that recursive references reach.
#[derive(Debug, Default)]
pub(crate) struct Grammar {
    nodes: Vec<Node>,
    /// Whether each value of the node takes at least one byte.
    sized: Vec<bool>,
}

impl Grammar {
    /// Makes room for a type that refers to itself, and returns its index.
    pub(crate) fn reserve(&mut self) -> u32 {
        self.add(Node::Record(Vec::new()), true)
    }

    /// Adds a type.
    pub(crate) fn push(&mut self, node: Node) -> u32 {
        let sized = self.takes_bytes(&node);
        self.add(node, sized)
    }

    /// Fills a place that [`reserve`](Self::reserve) made.
    pub(crate) fn set(&mut self, index: u32, node: Node) {
        self.sized[index as usize] = self.takes_bytes(&node);
        self.nodes[index as usize] = node;
    }

    /// A type.
    pub(crate) fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    /// Number of types.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Reads one value of a type and appends its JSON text.
    pub(crate) fn write(
        &self,
        node: u32,
        input: &mut Input<'_>,
        out: &mut String,
    ) -> Result<(), Fault> {
        self.write_at(node, input, out, MAX_VALUE_DEPTH)
    }

    fn add(&mut self, node: Node, sized: bool) -> u32 {
        self.nodes.push(node);
        self.sized.push(sized);
        u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    fn takes_bytes(&self, node: &Node) -> bool {
        match node {
            Node::Null | Node::Fixed(0) => false,
            Node::Record(fields) => fields.iter().any(|(_, node)| self.sized[*node as usize]),
            _ => true,
        }
    }

    fn write_at(
        &self,
        node: u32,
        input: &mut Input<'_>,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        match &self.nodes[node as usize] {
            Node::Null => out.push_str("null"),
            Node::Boolean => out.push_str(match input.byte()? {
                0 => "false",
                1 => "true",
                _ => return Err(Fault::Boolean),
            }),
            Node::Int => out.push_str(&input.int()?.to_string()),
            Node::Long => out.push_str(&input.long()?.to_string()),
            Node::Float => push_number(
                serde_json::to_string(&f32::from_le_bytes(input.array()?)),
                out,
            ),
            Node::Double => push_number(
                serde_json::to_string(&f64::from_le_bytes(input.array()?)),
                out,
            ),
            Node::Bytes => {
                let length = input.length()?;
                push_hex(input.take(length)?, out);
            }
            Node::Fixed(size) => push_hex(input.take(*size as usize)?, out),
            Node::Text => push_quoted(text(input)?, out),
            Node::Enum(symbols) => {
                let index = usize::try_from(input.int()?).map_err(|_| Fault::EnumIndex)?;
                push_quoted(symbols.get(index).ok_or(Fault::EnumIndex)?, out);
            }
            Node::Union(branches) => {
                let index = usize::try_from(input.long()?).map_err(|_| Fault::UnionBranch)?;
                let branch = branches.get(index).ok_or(Fault::UnionBranch)?;
                self.write_at(*branch, input, out, depth)?;
            }
            Node::Record(fields) => {
                out.push('{');
                for (i, (name, node)) in fields.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    push_quoted(name, out);
                    out.push(':');
                    self.write_at(*node, input, out, depth)?;
                }
                out.push('}');
            }
            Node::Array(item) => {
                out.push('[');
                let least = u32::from(self.sized[*item as usize]);
                write_blocks(input, least, out, |input, out| {
                    self.write_at(*item, input, out, depth)
                })?;
                out.push(']');
            }
            Node::Map(value) => {
                out.push('{');
                write_blocks(input, 1, out, |input, out| {
                    push_quoted(text(input)?, out);
                    out.push(':');
                    self.write_at(*value, input, out, depth)
                })?;
                out.push('}');
            }
        }
        Ok(())
    }
}

fn write_blocks<'a>(
    input: &mut Input<'a>,
    item_bytes: u32,
    out: &mut String,
    mut item: impl FnMut(&mut Input<'a>, &mut String) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut first = true;
    while let Some(block) = input.block(item_bytes)? {
        for _ in 0..block.count {
            out.push_str(if first { "" } else { "," });
            first = false;
            item(input, out)?;
        }
        block.check(input)?;
    }
    Ok(())
}

fn text<'a>(input: &mut Input<'a>) -> Result<&'a str, Fault> {
    let length = input.length()?;
    std::str::from_utf8(input.take(length)?).map_err(|_| Fault::Utf8)
}

/// Numbers always have a text; `null` is what those without a JSON form have.
fn push_number(number: serde_json::Result<String>, out: &mut String) {
    out.push_str(number.as_deref().unwrap_or("null"));
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    out.push('"');
}

fn push_quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
