//! Values of recursive types, as JSON text: a column cannot contain itself.
//!
//! The text is what the columns would show: unions without the name of the branch,
//! `bytes` and `fixed` in hexadecimal, logical types as the type they annotate, floats
//! that are no JSON number as null.

use crate::{
    input::{Fault, Input},
    plan::Promotion,
    run::{boolean, nearest_double, nearest_float, symbol},
};

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
    /// By index; none where the reader has no such symbol.
    Enum(Vec<Option<Box<str>>>),
    Array(u32),
    Map(u32),
    Union(Vec<u32>),
    Record(Vec<(Box<str>, u32)>),
    /// A number in a wider type.
    Promoted(Promotion),
    /// A record of another schema than that it is read with.
    Resolved(ResolvedRecord),
    /// What the reader schema cannot take.
    Refused,
}

/// How a writer's record becomes a reader's.
#[derive(Debug, Default)]
pub(crate) struct ResolvedRecord {
    /// What the writer has, in its order: which field of the reader it is, if it is one.
    pub(crate) steps: Vec<(Option<usize>, u32)>,
    /// What the reader has, in its order, with the default that it has in place of a step.
    pub(crate) fields: Vec<(Box<str>, Box<str>)>,
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

    /// Whether each value of a type takes at least one byte.
    pub(crate) fn is_sized(&self, node: u32) -> bool {
        self.sized[node as usize]
    }

    /// Reads one value of a type and leaves it at that. Strings are not looked at.
    pub(crate) fn skip(&self, node: u32, input: &mut Input<'_>) -> Result<(), Fault> {
        self.skip_at(node, input, MAX_VALUE_DEPTH)
    }

    fn skip_at(&self, node: u32, input: &mut Input<'_>, depth: usize) -> Result<(), Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        match &self.nodes[node as usize] {
            Node::Null => {}
            Node::Boolean => drop(boolean(input)?),
            Node::Int => drop(input.int()?),
            Node::Long => drop(input.long()?),
            Node::Float => drop(input.array::<4>()?),
            Node::Double => drop(input.array::<8>()?),
            Node::Bytes | Node::Text => {
                let length = input.length()?;
                input.take(length)?;
            }
            Node::Fixed(size) => drop(input.take(*size as usize)?),
            Node::Enum(symbols) => {
                let index = symbol(input)?;
                symbols.get(index).ok_or(Fault::EnumIndex)?;
            }
            Node::Union(branches) => self.skip_at(branch(branches, input)?, input, depth)?,
            Node::Record(fields) => {
                for (_, node) in fields {
                    self.skip_at(*node, input, depth)?;
                }
            }
            Node::Array(item) => {
                let least = u32::from(self.sized[*item as usize]);
                each_item(input, least, |input| self.skip_at(*item, input, depth))?;
            }
            Node::Map(value) => each_item(input, 1, |input| {
                let length = input.length()?;
                input.take(length)?;
                self.skip_at(*value, input, depth)
            })?,
            // What is skipped is of the writer's types alone.
            Node::Promoted(_) | Node::Resolved(_) | Node::Refused => {
                return Err(Fault::Unresolvable);
            }
        }
        Ok(())
    }

    /// The fields come in the writer's order, and go in the reader's.
    fn resolved(
        &self,
        record: &ResolvedRecord,
        input: &mut Input<'_>,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Fault> {
        let mut values: Vec<Option<String>> = vec![None; record.fields.len()];
        for (field, node) in &record.steps {
            match field {
                None => self.skip_at(*node, input, depth)?,
                Some(field) => {
                    let mut value = String::new();
                    self.write_at(*node, input, &mut value, depth)?;
                    values[*field] = Some(value);
                }
            }
        }
        out.push('{');
        for (i, ((name, default), value)) in record.fields.iter().zip(&values).enumerate() {
            out.push_str(if i == 0 { "" } else { "," });
            push_quoted(name, out);
            out.push(':');
            out.push_str(value.as_deref().unwrap_or(default));
        }
        out.push('}');
        Ok(())
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
            Node::Resolved(record) => {
                let mut steps = record.steps.iter();
                steps.any(|(_, node)| self.sized[*node as usize])
            }
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
            Node::Boolean => out.push_str(if boolean(input)? == 1 {
                "true"
            } else {
                "false"
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
                let symbol = symbols.get(symbol(input)?).ok_or(Fault::EnumIndex)?;
                push_quoted(symbol.as_ref().ok_or(Fault::Symbol)?, out);
            }
            Node::Union(branches) => {
                self.write_at(branch(branches, input)?, input, out, depth)?;
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
            Node::Promoted(promotion) => promoted(*promotion, input, out)?,
            Node::Resolved(record) => self.resolved(record, input, out, depth)?,
            Node::Refused => return Err(Fault::Unresolvable),
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
    each_item(input, item_bytes, |input| {
        out.push_str(if first { "" } else { "," });
        first = false;
        item(input, out)
    })
}

fn each_item<'a>(
    input: &mut Input<'a>,
    item_bytes: u32,
    mut item: impl FnMut(&mut Input<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    while let Some(block) = input.block(item_bytes)? {
        for _ in 0..block.count {
            item(input)?;
        }
        block.check(input)?;
    }
    Ok(())
}

fn promoted(promotion: Promotion, input: &mut Input<'_>, out: &mut String) -> Result<(), Fault> {
    let number = match promotion {
        Promotion::IntToLong => Ok(input.int()?.to_string()),
        Promotion::IntToFloat => serde_json::to_string(&nearest_float(input.int()?.into())),
        Promotion::IntToDouble => serde_json::to_string(&f64::from(input.int()?)),
        Promotion::LongToFloat => serde_json::to_string(&nearest_float(input.long()?)),
        Promotion::LongToDouble => serde_json::to_string(&nearest_double(input.long()?)),
        Promotion::FloatToDouble => {
            serde_json::to_string(&f64::from(f32::from_le_bytes(input.array()?)))
        }
    };
    push_number(number, out);
    Ok(())
}

fn branch(branches: &[u32], input: &mut Input<'_>) -> Result<u32, Fault> {
    let index = usize::try_from(input.long()?).map_err(|_| Fault::UnionBranch)?;
    branches.get(index).copied().ok_or(Fault::UnionBranch)
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
