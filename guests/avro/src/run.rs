//! Decodes records by a plan.

use crate::{
    column::{Column, push_absent},
    input::{Fault, Input},
    plan::{Op, Plan},
};

/// Where a record failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) fault: Fault,
    /// The column at fault; `None` for the record as a whole.
    pub(crate) column: Option<u32>,
}

/// Decodes one record. A failed one leaves parts of itself in the columns: the caller
/// takes them back.
///
/// With `CHECK`, strings are checked for UTF-8 one by one, so that those that are
/// not fail their record; without, that is left to the caller.
#[inline]
pub(crate) fn record<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    input: &mut Input<'_>,
) -> Result<(), Stop> {
    values::<CHECK>(plan, columns, &plan.ops, 1, input)?;
    input.finish().map_err(|fault| Stop {
        fault,
        column: None,
    })
}

/// Decodes `count` values that `ops` describe, one after the other.
fn values<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    ops: &[Op],
    count: usize,
    input: &mut Input<'_>,
) -> Result<(), Stop> {
    for _ in 0..count {
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            at += 1;
            match *op {
                Op::Boolean { column } => {
                    let value = at_column(column, input.byte())?;
                    if value > 1 {
                        return Err(stop(column, Fault::Boolean));
                    }
                    columns[column as usize].push([value]);
                }
                Op::Int { column } => {
                    let value = at_column(column, input.int())?;
                    columns[column as usize].push(value.to_le_bytes());
                }
                Op::Long { column } => {
                    let value = at_column(column, input.long())?;
                    columns[column as usize].push(value.to_le_bytes());
                }
                Op::Float { column } => {
                    let value: [u8; 4] = at_column(column, input.array())?;
                    columns[column as usize].push(value);
                }
                Op::Double { column } => {
                    let value: [u8; 8] = at_column(column, input.array())?;
                    columns[column as usize].push(value);
                }
                Op::Bytes { column } => {
                    at_column(column, bytes::<false>(&mut columns[column as usize], input))?;
                }
                Op::Text { column } => {
                    at_column(column, bytes::<CHECK>(&mut columns[column as usize], input))?;
                }
                Op::Fixed { column, size } => {
                    let value = at_column(column, input.take(size as usize))?;
                    columns[column as usize].push_slice(value);
                }
                Op::Enum { column, symbols } => {
                    let symbols = &plan.symbols[symbols as usize];
                    let index = at_column(column, input.int())?;
                    let symbol = usize::try_from(index)
                        .ok()
                        .and_then(|index| symbols.get(index));
                    let symbol = symbol.ok_or_else(|| stop(column, Fault::EnumIndex))?;
                    at_column(
                        column,
                        columns[column as usize].push_bytes(symbol.as_bytes()),
                    )?;
                }
                Op::Decimal { column, decimal } => {
                    let decimal = &plan.decimals[decimal as usize];
                    let length = match decimal.size {
                        Some(size) => size as usize,
                        None => at_column(column, input.length())?,
                    };
                    let value = at_column(column, input.take(length))?;
                    at_column(column, decimal.push(value, &mut columns[column as usize]))?;
                }
                Op::Duration { column } => {
                    let value = at_column(column, duration(input))?;
                    columns[column as usize].push(value);
                }
                Op::Json { column, node } => {
                    let mut text = String::new();
                    at_column(column, plan.grammar.write(node, input, &mut text))?;
                    at_column(column, columns[column as usize].push_bytes(text.as_bytes()))?;
                }
                Op::Single { column } => {
                    if at_column(column, input.long())? != 0 {
                        return Err(stop(column, Fault::UnionBranch));
                    }
                }
                Op::Optional { column, null, body } => {
                    let branch = at_column(column, input.long())?;
                    if branch == i64::from(null) {
                        push_absent(&plan.shapes, columns, column);
                        at += body as usize;
                    } else if branch == 1 - i64::from(null) {
                        columns[column as usize].valid.push(1);
                    } else {
                        return Err(stop(column, Fault::UnionBranch));
                    }
                }
                Op::Union {
                    column,
                    branches,
                    body,
                } => {
                    let body = &ops[at..at + body as usize];
                    at += body.len();
                    union::<CHECK>(plan, columns, (column, branches), body, input)?;
                }
                Op::List {
                    column,
                    item_bytes,
                    body,
                } => {
                    let body = &ops[at..at + body as usize];
                    at += body.len();
                    list::<CHECK>(plan, columns, (column, item_bytes), body, input)?;
                }
            }
        }
    }
    Ok(())
}

fn list<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    (column, item_bytes): (u32, u32),
    body: &[Op],
    input: &mut Input<'_>,
) -> Result<(), Stop> {
    let mut items = 0;
    while let Some(block) = at_column(column, input.block(item_bytes))? {
        if !body.is_empty() {
            values::<CHECK>(plan, columns, body, block.count, input)?;
        }
        at_column(column, block.check(input))?;
        items += block.count;
    }
    at_column(column, columns[column as usize].push_list(items))
}

fn union<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    (column, branches): (u32, u32),
    body: &[Op],
    input: &mut Input<'_>,
) -> Result<(), Stop> {
    let branches = &plan.unions[branches as usize];
    let index = at_column(column, input.long())?;
    let chosen = usize::try_from(index)
        .ok()
        .and_then(|index| branches.get(index));
    let chosen = chosen.ok_or_else(|| stop(column, Fault::UnionBranch))?;
    let Some(value) = chosen.column else {
        push_absent(&plan.shapes, columns, column);
        return Ok(());
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

/// Strings and bytes of at most this many bytes are copied as a whole word.
const SHORT: usize = 16;

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
fn duration(input: &mut Input<'_>) -> Result<[u8; 16], Fault> {
    let mut part = || input.array().map(u32::from_le_bytes);
    let (months, days, millis) = (part()?, part()?, part()?);
    let signed = |value: u32| i32::try_from(value).map_err(|_| Fault::DurationRange);
    let mut value = [0; 16];
    value[..4].copy_from_slice(&signed(months)?.to_le_bytes());
    value[4..8].copy_from_slice(&signed(days)?.to_le_bytes());
    value[8..].copy_from_slice(&(i64::from(millis) * 1_000_000).to_le_bytes());
    Ok(value)
}

#[inline(always)]
fn at_column<T>(column: u32, result: Result<T, Fault>) -> Result<T, Stop> {
    result.map_err(|fault| stop(column, fault))
}

#[inline(always)]
fn stop(column: u32, fault: Fault) -> Stop {
    Stop {
        fault,
        column: Some(column),
    }
}
