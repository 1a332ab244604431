//! Decodes records by a plan.

use weir_guest::columns::{Column, push_absent};

mod resolved;

pub(crate) use resolved::{nearest_double, nearest_float};

use crate::{
    input::{Block, Fault, Input},
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

/// An array or map that is being decoded.
pub(crate) struct Frame {
    column: u32,
    item_bytes: u32,
    /// The operations of an item: from here to the limit, which is what they end at.
    start: usize,
    outer_limit: usize,
    block: Block,
    /// Items of the block from the current one on.
    left: usize,
    /// Items of this block and those before it.
    items: usize,
}

/// Decodes one record. A failed one leaves parts of itself in the columns: the caller
/// takes them back.
pub(crate) fn record<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    frames: &mut Vec<Frame>,
    input: Input<'_>,
) -> Result<(), Stop> {
    let input = operations::<CHECK>(plan, columns, frames, 0..plan.ops.len(), input)?;
    input.finish().map_err(|fault| Stop {
        fault,
        column: None,
        position: input.position(),
    })
}

/// Does some operations of one record, with their bodies, and returns what is left of it.
///
/// With `CHECK`, strings are checked for UTF-8 one by one, so that those that are
/// not fail their record; without, that is left to the caller.
///
/// One loop without calls on the way: in WebAssembly, each call, and each turn of a
/// loop, costs a check of the deadline, and a call takes the cursor out of its registers.
/// So there are two steps a turn (with a `break` between them: around an `if`, LLVM makes
/// them one again, which costs a fifth of the speed), and `frames` in place of a call stack; it is only
/// room, and what was in it does not matter.
#[inline(never)]
pub(crate) fn operations<'a, const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    frames: &mut Vec<Frame>,
    range: std::ops::Range<usize>,
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    let mut at = range.start;
    let mut limit = range.end;
    frames.clear();
    loop {
        while at < limit {
            step::<CHECK>(plan, columns, frames, &mut input, &mut at, &mut limit)?;
            if at >= limit {
                break;
            }
            step::<CHECK>(plan, columns, frames, &mut input, &mut at, &mut limit)?;
        }
        let Some(frame) = frames.last_mut() else {
            return Ok(input);
        };
        frame.left -= 1;
        if frame.left > 0 {
            at = frame.start;
            continue;
        }
        let column = frame.column;
        let checked = frame.block.check(&input);
        let next = checked.and_then(|()| input.block(frame.item_bytes));
        if let Some(block) = next.map_err(|fault| stop(fault, column, &input))? {
            at = frame.start;
            frame.block = block;
            frame.left = block.count;
            frame.items += block.count;
        } else {
            let pushed = columns[column as usize].push_list(frame.items);
            pushed.map_err(|full| stop(full, column, &input))?;
            limit = frame.outer_limit;
            frames.pop();
        }
    }
}

/// Does the operation at `at`, which is below `limit`.
#[inline(always)]
fn step<const CHECK: bool>(
    plan: &Plan,
    columns: &mut [Column],
    frames: &mut Vec<Frame>,
    input: &mut Input<'_>,
    at: &mut usize,
    limit: &mut usize,
) -> Result<(), Stop> {
    /// What an operation on a column gave; a fault ends the record.
    macro_rules! or_stop {
        ($column:expr, $result:expr) => {
            match $result {
                Ok(value) => value,
                Err(fault) => return Err(stop(fault, $column, input)),
            }
        };
    }
    let op = &plan.ops[*at];
    *at += 1;
    match *op {
        Op::Boolean { column } => {
            let value = or_stop!(column, boolean(input));
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
            let check = CHECK && plan.layout.shapes[column as usize].text;
            or_stop!(column, bytes(&mut columns[column as usize], input, check));
        }
        Op::Enum { column, symbols } => {
            let symbols = &plan.symbols[symbols as usize];
            let index = or_stop!(column, symbol(input));
            let symbol = or_stop!(column, symbols.get(index).ok_or(Fault::EnumIndex));
            or_stop!(column, symbol.push(&mut columns[column as usize]));
        }
        Op::Optional { column, null, body } => {
            let branch = or_stop!(column, input.long());
            if branch == i64::from(null) {
                push_absent(&plan.layout.shapes, columns, column);
                *at += body as usize;
            } else if branch == 1 - i64::from(null) {
                columns[column as usize].valid.push(1);
            } else {
                return Err(stop(Fault::UnionBranch, column, input));
            }
        }
        Op::Union {
            column,
            branches,
            body,
        } => {
            let start;
            (*input, start) = branch(plan, columns, column, branches, *input)?;
            *at += start.unwrap_or(body) as usize;
        }
        Op::Jump { by } => *at += by as usize,
        Op::Single { .. }
        | Op::Fixed { .. }
        | Op::Decimal { .. }
        | Op::Duration { .. }
        | Op::Json { .. } => *input = uncommon(plan, columns, *op, *input)?,
        Op::Choose {
            column,
            choices,
            body: _,
        } => {
            let start;
            (*input, start) = resolved::choose(plan, column, choices, *input)?;
            *at += start as usize;
        }
        Op::Constant { constant, body } => {
            let next = *at + body as usize;
            resolved::constant(plan, columns, constant, *at..next, input)?;
            *at = next;
        }
        Op::Promote { .. }
        | Op::SomeEnum { .. }
        | Op::Skip { .. }
        | Op::Present { .. }
        | Op::Absent { .. }
        | Op::Select { .. }
        | Op::Refuse { .. } => *input = resolved::step(plan, columns, *op, *input)?,
        Op::List {
            column,
            item_bytes: 0,
            body: 0,
        } => {
            let mut items = 0;
            while let Some(block) = or_stop!(column, input.block(0)) {
                or_stop!(column, block.check(input));
                items += block.count;
            }
            or_stop!(column, columns[column as usize].push_list(items));
        }
        Op::List {
            column,
            item_bytes,
            body,
        } => {
            let Some(block) = or_stop!(column, input.block(item_bytes)) else {
                or_stop!(column, columns[column as usize].push_list(0));
                *at += body as usize;
                return Ok(());
            };
            let (left, items) = (block.count, block.count);
            frames.push(Frame {
                column,
                item_bytes,
                start: *at,
                outer_limit: *limit,
                block,
                left,
                items,
            });
            *limit = *at + body as usize;
        }
    }
    Ok(())
}

/// Reads which branch of a wide union a value has, and appends to the columns of the
/// others. Returns where the operations of the branch start; none for null.
#[inline(never)]
fn branch<'a>(
    plan: &Plan,
    columns: &mut [Column],
    column: u32,
    branches: u32,
    mut input: Input<'a>,
) -> Result<(Input<'a>, Option<u32>), Stop> {
    let branches = &plan.unions[branches as usize];
    let index = input.long().map_err(|fault| stop(fault, column, &input))?;
    let chosen = usize::try_from(index)
        .ok()
        .and_then(|index| branches.get(index));
    let chosen = chosen.ok_or_else(|| stop(Fault::UnionBranch, column, &input))?;
    let Some(value) = chosen.column else {
        push_absent(&plan.layout.shapes, columns, column);
        return Ok((input, None));
    };
    if plan.layout.shapes[column as usize].nullable {
        columns[column as usize].valid.push(1);
    }
    for other in branches.iter().filter_map(|branch| branch.column) {
        if other == value {
            columns[other as usize].valid.push(1);
        } else {
            push_absent(&plan.layout.shapes, columns, other);
        }
    }
    Ok((input, Some(chosen.start)))
}

/// What is rare, or costly in itself: kept apart, so that the registers go to the rest.
#[inline(never)]
fn uncommon<'a>(
    plan: &Plan,
    columns: &mut [Column],
    op: Op,
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    let (at, result) = match op {
        Op::Fixed { column, size } => {
            let value = input.take(size as usize);
            (
                column,
                value.map(|value| columns[column as usize].push_slice(value)),
            )
        }
        Op::Decimal { column, decimal } => {
            let decimal = &plan.decimals[decimal as usize];
            (
                column,
                decimal.read(&mut input, &mut columns[column as usize]),
            )
        }
        Op::Duration { column } => {
            let value = input.array().and_then(duration);
            (
                column,
                value.map(|value| columns[column as usize].push(value)),
            )
        }
        Op::Json { column, node } => {
            let mut text = String::new();
            let written = plan.grammar.write(node, &mut input, &mut text);
            (
                column,
                written.and_then(|()| Ok(columns[column as usize].push_bytes(text.as_bytes())?)),
            )
        }
        Op::Single { column } => {
            let branch = input.long();
            (
                column,
                branch.and_then(|branch| {
                    if branch == 0 {
                        Ok(())
                    } else {
                        Err(Fault::UnionBranch)
                    }
                }),
            )
        }
        // The others never come here.
        _ => return Ok(input),
    };
    match result {
        Ok(()) => Ok(input),
        Err(fault) => Err(stop(fault, at, &input)),
    }
}

/// 0 or 1.
#[inline(always)]
pub(crate) fn boolean(input: &mut Input<'_>) -> Result<u8, Fault> {
    match input.byte()? {
        value @ 0..=1 => Ok(value),
        _ => Err(Fault::Boolean),
    }
}

/// The index of an enum's symbol, which the schema may not have.
#[inline(always)]
pub(crate) fn symbol(input: &mut Input<'_>) -> Result<usize, Fault> {
    usize::try_from(input.int()?).map_err(|_| Fault::EnumIndex)
}

/// Appends one string, or byte string.
#[inline(always)]
pub(crate) fn bytes(column: &mut Column, input: &mut Input<'_>, check: bool) -> Result<(), Fault> {
    let length = input.length()?;
    let value = input.take_wide(length);
    if check && std::str::from_utf8(input.last(length)).is_err() {
        return Err(Fault::Utf8);
    }
    Ok(column.push_wide(value)?)
}

/// Twelve bytes of months, days and ms, each a little-endian `u32`, as Arrow's months,
/// days and ns.
fn duration(bytes: [u8; 12]) -> Result<[u8; 16], Fault> {
    let part =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let signed = |value: u32| i32::try_from(value).map_err(|_| Fault::DurationRange);
    let mut value = [0; 16];
    value[..4].copy_from_slice(&signed(part(0))?.to_le_bytes());
    value[4..8].copy_from_slice(&signed(part(4))?.to_le_bytes());
    value[8..].copy_from_slice(&(i64::from(part(8)) * 1_000_000).to_le_bytes());
    Ok(value)
}

#[cold]
#[inline(always)]
fn stop(fault: impl Into<Fault>, column: u32, input: &Input<'_>) -> Stop {
    Stop {
        fault: fault.into(),
        column: Some(column),
        position: input.position(),
    }
}
