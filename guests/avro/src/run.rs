//! Decodes records by a plan.

use crate::{
    column::{Column, SHORT, push_absent},
    input::{Fault, Input},
    plan::{Op, Plan},
};

/// Where a record failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) fault: Fault,
    /// The column at fault; `None` for the record as a whole.
    pub(crate) column: Option<u32>,
    /// Index into the batch's bytes of the first byte that was not read.
    pub(crate) position: usize,
}

/// Decodes one record. A failed one leaves parts of itself in the columns: the caller
/// takes them back.
///
/// With `CHECK`, strings are checked for UTF-8 one by one, so that those that are
/// not fail their record; without, that is left to the caller.
#[inline(always)]
pub(crate) fn record<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    input: Input<'_>,
) -> Result<(), Stop> {
    let input = values::<CHECK>(plan, columns, &plan.ops, 1, input)?;
    input.finish().map_err(|fault| Stop { fault, column: None, position: input.position() })
}

/// Decodes `count` values that `ops` describe, one after the other. Returns the input
/// after them.
fn values<'a, const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    ops: &[Op],
    count: usize,
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    /// What an operation on a column gave; a fault ends the record.
    macro_rules! or_stop {
        ($column:expr, $result:expr) => {
            match $result {
                Ok(value) => value,
                Err(fault) => return Err(stop(fault, $column, &input)),
            }
        };
    }
    for _ in 0..count {
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            at += 1;
            match *op {
                Op::Boolean { column } => {
                    let value = or_stop!(column, input.byte());
                    if value > 1 {
                        return Err(stop(Fault::Boolean, column, &input));
                    }
                    columns[column as usize].push([value]);
                }
                Op::Int { column } => {
                    let value = or_stop!(column, input.int());
                    columns[column as usize].push(value.to_le_bytes());
                }
                Op::Long { column } => {
                    let value = or_stop!(column, input.long());
                    columns[column as usize].push(value.to_le_bytes());
                }
                Op::Float { column } => {
                    let value: [u8; 4] = or_stop!(column, input.array());
                    columns[column as usize].push(value);
                }
                Op::Double { column } => {
                    let value: [u8; 8] = or_stop!(column, input.array());
                    columns[column as usize].push(value);
                }
                Op::Bytes { column } => {
                    or_stop!(column, bytes::<false>(&mut columns[column as usize], &mut input));
                }
                Op::Text { column } => {
                    or_stop!(column, bytes::<CHECK>(&mut columns[column as usize], &mut input));
                }
                Op::Fixed { column, size } => {
                    let value = or_stop!(column, input.take(size as usize));
                    columns[column as usize].push_slice(value);
                }
                Op::Enum { column, symbols } => {
                    let symbols = &plan.symbols[symbols as usize];
                    let index = or_stop!(column, input.int());
                    let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                    let symbol = or_stop!(column, symbol.ok_or(Fault::EnumIndex));
                    or_stop!(column, symbol.push(&mut columns[column as usize]));
                }
                Op::Decimal { column, decimal } => {
                    let decimal = &plan.decimals[decimal as usize];
                    let length = match decimal.size {
                        Some(size) => size as usize,
                        None => or_stop!(column, input.length()),
                    };
                    let value = or_stop!(column, input.take(length));
                    or_stop!(column, decimal.push(value, &mut columns[column as usize]));
                }
                Op::Duration { column } => {
                    let value = or_stop!(column, input.array().and_then(duration));
                    columns[column as usize].push(value);
                }
                Op::Json { column, node } => {
                    input = json(plan, columns, (column, node), input)?;
                }
                Op::Single { column } => {
                    if or_stop!(column, input.long()) != 0 {
                        return Err(stop(Fault::UnionBranch, column, &input));
                    }
                }
                Op::Optional { column, null, body } => {
                    let branch = or_stop!(column, input.long());
                    if branch == i64::from(null) {
                        push_absent(&plan.shapes, columns, column);
                        at += body as usize;
                    } else if branch == 1 - i64::from(null) {
                        columns[column as usize].valid.push(1);
                    } else {
                        return Err(stop(Fault::UnionBranch, column, &input));
                    }
                }
                Op::Union { column, branches, body } => {
                    let body = &ops[at..at + body as usize];
                    at += body.len();
                    input = union::<CHECK>(plan, columns, (column, branches), body, input)?;
                }
                Op::List { column, item_bytes, body } => {
                    let body = &ops[at..at + body as usize];
                    at += body.len();
                    let mut items = 0;
                    while let Some(block) = or_stop!(column, input.block(item_bytes)) {
                        if !body.is_empty() {
                            input = values::<CHECK>(plan, columns, body, block.count, input)?;
                        }
                        or_stop!(column, block.check(&input));
                        items += block.count;
                    }
                    or_stop!(column, columns[column as usize].push_list(items));
                }
            }
        }
    }
    Ok(input)
}

#[inline(never)]
fn union<'a, const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    (column, branches): (u32, u32),
    body: &[Op],
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    let branches = &plan.unions[branches as usize];
    let index = input.long().map_err(|fault| stop(fault, column, &input))?;
    let chosen = usize::try_from(index).ok().and_then(|index| branches.get(index));
    let chosen = chosen.ok_or_else(|| stop(Fault::UnionBranch, column, &input))?;
    let Some(value) = chosen.column else {
        push_absent(&plan.shapes, columns, column);
        return Ok(input);
    };
    if plan.shapes[column as usize].nullable {
        columns[column as usize].valid.push(1);
    }
    for other in branches.iter().filter_map(|branch| branch.column) {
        if other == value {
            columns[other as usize].valid.push(1);
        } else {
            push_absent(&plan.shapes, columns, other);
        }
    }
    let body = &body[chosen.start as usize..chosen.end as usize];
    values::<CHECK>(plan, columns, body, 1, input)
}

#[inline(never)]
fn json<'a>(
    plan: &Plan,
    columns: &mut [Column],
    (column, node): (u32, u32),
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    let mut text = String::new();
    let written = plan.grammar.write(node, &mut input, &mut text);
    written
        .and_then(|()| columns[column as usize].push_bytes(text.as_bytes()))
        .map_err(|fault| stop(fault, column, &input))?;
    Ok(input)
}

#[inline(always)]
fn bytes<const CHECK: bool>(column: &mut Column, input: &mut Input<'_>) -> Result<(), Fault> {
    let length = input.length()?;
    let (value, wide) = input.take_wide::<SHORT>(length)?;
    if CHECK && std::str::from_utf8(value).is_err() {
        return Err(Fault::Utf8);
    }
    match wide {
        Some(wide) if length <= SHORT => column.push_short(wide, length),
        _ => column.push_bytes(value),
    }
}

/// Twelve bytes of months, days and ms, each a little-endian `u32`, as Arrow's months,
/// days and ns.
fn duration(bytes: [u8; 12]) -> Result<[u8; 16], Fault> {
    let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let signed = |value: u32| i32::try_from(value).map_err(|_| Fault::DurationRange);
    let mut value = [0; 16];
    value[..4].copy_from_slice(&signed(part(0))?.to_le_bytes());
    value[4..8].copy_from_slice(&signed(part(4))?.to_le_bytes());
    value[8..].copy_from_slice(&(i64::from(part(8)) * 1_000_000).to_le_bytes());
    Ok(value)
}

#[cold]
#[inline(always)]
fn stop(fault: Fault, column: u32, input: &Input<'_>) -> Stop {
    Stop { fault, column: Some(column), position: input.position() }
}
