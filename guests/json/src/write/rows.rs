//! The rows of a batch.

use std::ops::Range;

use weir_guest::RowBatch;
use weir_guest::confluent::{PayloadBuilder, WriteRows};
use weir_guest::lanes::{Lane, Rooms};

use super::bind::Node;
use super::compile::{Root, WritePlan};
use super::fault::Stop;
use super::nested;
use super::room::Bounds;

/// Writes all rows of a batch.
pub(super) fn write(plan: &WritePlan, rows: &RowBatch, payloads: &mut PayloadBuilder) {
    let bind = |step| Node::bind(step, &plan.fields, &rows.arrays);
    let (root, validity) = match &plan.root {
        Root::Columns(members) => (Bound::Columns(members.iter().map(bind).collect()), None),
        Root::Value(step) => {
            let mut node = bind(step);
            // Rows that are null have no payload.
            let validity = node.validity.take();
            (Bound::Value(node), validity)
        }
    };
    payloads.write_rows(rows.len as usize, validity, &BoundPlan { root, plan });
}

struct BoundPlan<'a> {
    root: Bound<'a>,
    plan: &'a WritePlan,
}

enum Bound<'a> {
    Columns(Vec<Node<'a>>),
    Value(Node<'a>),
}

impl WriteRows for BoundPlan<'_> {
    type Stop = Stop;

    fn room(&self, rows: Range<usize>, rooms: &mut Rooms<'_>) {
        /// Of the object.
        const BRACES: u64 = 2;
        let nodes = match &self.root {
            Bound::Columns(nodes) => nodes,
            Bound::Value(node) => std::slice::from_ref(node),
        };
        rooms.add(BRACES + nodes.iter().map(Node::fixed).sum::<u64>());
        for node in nodes {
            node.add_variable(&Bounds::Each(rows.clone()), rooms);
        }
    }

    fn write(&self, lanes: &mut [Lane], out: &mut [u8]) -> Result<(), Stop> {
        match &self.root {
            Bound::Columns(nodes) => nested::object(nodes, lanes, out),
            Bound::Value(node) => node.write(lanes, out),
        }
    }

    fn reason(&self, stop: Stop) -> String {
        stop.reason(self.plan)
    }

    fn checks(&self) -> bool {
        self.plan.validator.is_some()
    }

    fn check(&self, payload: &[u8]) -> Result<(), String> {
        match &self.plan.validator {
            None => Ok(()),
            Some(validator) => validator.reason(payload).map_or(Ok(()), Err),
        }
    }
}
