//! The operations that only plans with a reader schema have.

use std::ops::Range;

use weir_guest::columns::{Column, push_absent};

use super::{Stop, operations, stop, symbol};
use crate::{
    input::{Fault, Input},
    plan::{Op, Plan, Promotion},
};

/// Reads which branch of the writer's union a value has: where its operations start.
#[inline(never)]
pub(super) fn choose<'a>(
    plan: &Plan,
    column: u32,
    choices: u32,
    mut input: Input<'a>,
) -> Result<(Input<'a>, u32), Stop> {
    let branch = input.long().map_err(|fault| stop(fault, column, &input))?;
    let start = usize::try_from(branch).ok();
    let start = start.and_then(|branch| plan.choices[choices as usize].get(branch));
    match start {
        Some(start) => Ok((input, *start)),
        None => Err(stop(Fault::UnionBranch, column, &input)),
    }
}

/// Appends a default. `input` is that of the record, which says where it is.
#[inline(never)]
pub(super) fn constant(
    plan: &Plan,
    columns: &mut [Column],
    constant: u32,
    ops: Range<usize>,
    input: &Input<'_>,
) -> Result<(), Stop> {
    let bytes = &plan.constants[constant as usize];
    let default = Input::new(bytes, 0, bytes.len());
    // The lists of the record have their own frames, and these go on around them.
    match operations::<false>(plan, columns, &mut Vec::new(), ops, default) {
        Ok(_) => Ok(()),
        Err(error) => Err(Stop {
            position: input.position(),
            ..error
        }),
    }
}

/// Does one of the others.
#[inline(never)]
pub(super) fn step<'a>(
    plan: &Plan,
    columns: &mut [Column],
    op: Op,
    mut input: Input<'a>,
) -> Result<Input<'a>, Stop> {
    let (at, result) = match op {
        Op::Promote { column, promotion } => {
            let to = &mut columns[column as usize];
            (Some(column), promote(promotion, to, &mut input))
        }
        Op::SomeEnum { column, symbols } => {
            let symbols = &plan.some_symbols[symbols as usize];
            let to = &mut columns[column as usize];
            let pushed = symbol(&mut input)
                .and_then(|index| symbols.get(index).ok_or(Fault::EnumIndex))
                .and_then(|known| known.as_ref().ok_or(Fault::Symbol))
                .and_then(|symbol| Ok(symbol.push(to)?));
            (Some(column), pushed)
        }
        Op::Skip { node } => (None, plan.grammar.skip(node, &mut input)),
        Op::Present { column } => {
            columns[column as usize].valid.push(1);
            return Ok(input);
        }
        Op::Absent { column } => {
            push_absent(&plan.layout.shapes, columns, column);
            return Ok(input);
        }
        Op::Select {
            column,
            branches,
            branch,
        } => {
            select(plan, columns, column, branches, branch);
            return Ok(input);
        }
        Op::Refuse { column } => (Some(column), Err(Fault::Unresolvable)),
        // The others never come here.
        _ => return Ok(input),
    };
    match result {
        Ok(()) => Ok(input),
        Err(fault) => Err(Stop {
            fault,
            column: at,
            position: input.position(),
        }),
    }
}

fn promote(promotion: Promotion, column: &mut Column, input: &mut Input<'_>) -> Result<(), Fault> {
    match promotion {
        Promotion::IntToLong => column.push(i64::from(input.int()?).to_le_bytes()),
        Promotion::IntToDouble => column.push(f64::from(input.int()?).to_le_bytes()),
        Promotion::IntToFloat => column.push(nearest_float(input.int()?.into()).to_le_bytes()),
        Promotion::LongToFloat => column.push(nearest_float(input.long()?).to_le_bytes()),
        Promotion::LongToDouble => column.push(nearest_double(input.long()?).to_le_bytes()),
        Promotion::FloatToDouble => {
            let float = f32::from_le_bytes(input.array()?);
            column.push(f64::from(float).to_le_bytes());
        }
    }
    Ok(())
}

/// The nearest float, as in Java.
#[expect(
    clippy::cast_precision_loss,
    reason = "what the specification asks for"
)]
pub(crate) fn nearest_float(long: i64) -> f32 {
    long as f32
}

/// The nearest double, as in Java.
#[expect(
    clippy::cast_precision_loss,
    reason = "what the specification asks for"
)]
pub(crate) fn nearest_double(long: i64) -> f64 {
    long as f64
}

/// A value of one branch, and nothing in the columns of the others.
fn select(plan: &Plan, columns: &mut [Column], column: u32, branches: u32, branch: u32) {
    let shapes = &plan.layout.shapes;
    if shapes[column as usize].nullable {
        columns[column as usize].valid.push(1);
    }
    let branches = &plan.unions[branches as usize];
    let chosen = branches[branch as usize].column;
    for other in branches.iter().filter_map(|branch| branch.column) {
        if Some(other) == chosen {
            columns[other as usize].valid.push(1);
        } else {
            push_absent(shapes, columns, other);
        }
    }
}
