//! What the slots of a block hold until all its messages are read: where the bytes of texts
//! are, numbers of enums, seconds with nanoseconds.

use weir_guest::columns::{Column, Storage};

use crate::{
    plan::{Plan, Slot},
    wire::Fault,
};

/// A place in the batch's bytes or, beyond them, in what was joined; or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// `start..end` of the batch's bytes, of which there are fewer than 2^32.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a batch has u32 offsets")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            len: (end - start) as u32,
        }
    }

    #[inline(always)]
    pub(crate) fn number(number: u32) -> Self {
        Self {
            start: number,
            len: 1,
        }
    }

    /// The number, unless there was none.
    #[inline(always)]
    pub(crate) fn as_number(self) -> Option<i32> {
        (self.len > 0).then_some(self.start.cast_signed())
    }

    #[inline(always)]
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }
}

/// The slots of all columns, at the same index as the column.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    columns: Vec<Staged>,
}

/// Those of one column.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// How many slots before these are values of the column already; for lists, how many there
    /// were before the block. Columns of numbers do not need it.
    pub(crate) base: usize,
    pub(crate) spans: Vec<Span>,
    pub(crate) times: Vec<(i64, i32)>,
    /// Messages that came in pieces, end to end.
    joined: Vec<u8>,
}

impl Staged {
    /// The bytes of a place.
    #[inline(always)]
    pub(crate) fn bytes<'a>(&'a self, bytes: &'a [u8], span: Span) -> &'a [u8] {
        let (start, len) = (span.start(), span.len());
        match start.checked_sub(bytes.len()) {
            Some(start) if len > 0 => &self.joined[start..start + len],
            _ => &bytes[start..start + len],
        }
    }

    /// Forgets the slots, which are values of the column now.
    pub(crate) fn finished(&mut self) {
        self.base += self.spans.len() + self.times.len();
        self.forget();
    }

    fn forget(&mut self) {
        self.spans.clear();
        self.times.clear();
        self.joined.clear();
    }
}

impl Slots {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns: std::iter::repeat_with(Staged::default)
                .take(columns)
                .collect(),
        }
    }

    /// Forgets a block that failed, after the columns were taken back to what was before it.
    pub(crate) fn forget(&mut self, plan: &Plan, columns: &[Column]) {
        for ((staged, kind), column) in self.columns.iter_mut().zip(&plan.kinds).zip(columns) {
            staged.forget();
            staged.base = match kind {
                Slot::Span | Slot::List => column.offsets.len() / 4 - 1,
                Slot::Time => column.data.len() / 8,
                Slot::Zeros(_) | Slot::Nothing => 0,
            };
        }
    }

    /// Gets ready for another batch.
    pub(crate) fn begin(&mut self) {
        for column in &mut self.columns {
            column.forget();
            column.base = 0;
        }
    }

    pub(crate) fn column(&mut self, column: usize) -> &mut Staged {
        &mut self.columns[column]
    }

    pub(crate) fn get(&self, column: usize) -> &Staged {
        &self.columns[column]
    }

    #[inline(always)]
    pub(crate) fn more_spans(&mut self, column: usize, count: usize) {
        let spans = &mut self.columns[column].spans;
        spans.resize(spans.len() + count, Span::default());
    }

    #[inline(always)]
    pub(crate) fn more_times(&mut self, column: usize, count: usize) {
        let times = &mut self.columns[column].times;
        times.resize(times.len() + count, (0, 0));
    }

    #[inline(always)]
    pub(crate) fn set_span(&mut self, column: usize, slot: usize, span: Span) {
        let column = &mut self.columns[column];
        column.spans[slot - column.base] = span;
    }

    #[inline(always)]
    pub(crate) fn time(&mut self, column: usize, slot: usize) -> &mut (i64, i32) {
        let column = &mut self.columns[column];
        &mut column.times[slot - column.base]
    }

    /// Puts one more piece of a message behind those that there are. Encoded messages end to
    /// end are the merged message.
    pub(crate) fn join(
        &mut self,
        bytes: &[u8],
        column: usize,
        slot: usize,
        piece: Span,
    ) -> Result<(), Fault> {
        let column = &mut self.columns[column];
        let at = slot - column.base;
        let before = column.spans[at];
        if before.len() == 0 || piece.len() == 0 {
            if before.len() == 0 {
                column.spans[at] = piece;
            }
            return Ok(());
        }
        // Those before are usually at the end of what was joined: a message comes in many
        // pieces while no other is read.
        let end = bytes.len() + column.joined.len();
        let start = if before.start() + before.len() == end && before.start() >= bytes.len() {
            before.start() - bytes.len()
        } else {
            let start = column.joined.len();
            match before.start().checked_sub(bytes.len()) {
                Some(from) => column.joined.extend_from_within(from..from + before.len()),
                None => {
                    let before = &bytes[before.start()..before.start() + before.len()];
                    column.joined.extend_from_slice(before);
                }
            }
            start
        };
        let piece = &bytes[piece.start()..piece.start() + piece.len()];
        column.joined.extend_from_slice(piece);
        let end = bytes.len() + column.joined.len();
        if u32::try_from(end).is_err() {
            return Err(weir_guest::columns::ColumnFull.into());
        }
        column.spans[at] = Span::new(bytes.len() + start, end);
        Ok(())
    }
}

/// Makes a slot what it was before anything was written to it, with all below it.
pub(crate) fn reset(
    plan: &Plan,
    columns: &mut [Column],
    slots: &mut Slots,
    index: u32,
    slot: usize,
) {
    let at = index as usize;
    let shape = plan.layout.shapes[at];
    if shape.nullable {
        columns[at].valid[slot] = 0;
    }
    match plan.kinds[at] {
        Slot::Zeros(width) => {
            let width = width as usize;
            columns[at].data[slot * width..][..width].fill(0);
        }
        Slot::Span => slots.set_span(at, slot, Span::default()),
        Slot::Time => *slots.time(at, slot) = (0, 0),
        // It is the last of its column: only one slot of a column is being written.
        Slot::List => {
            let start = end_of(&columns[at], slot);
            columns[at].cut_last_list(start);
            cut(plan, columns, slots, index + 1, start);
        }
        Slot::Nothing => each_child(plan, index, |child| {
            reset(plan, columns, slots, child, slot);
        }),
    }
}

/// Takes back all but the first `count` slots of a column and those below it.
fn cut(plan: &Plan, columns: &mut [Column], slots: &mut Slots, index: u32, count: usize) {
    let at = index as usize;
    if plan.layout.shapes[at].nullable {
        columns[at].valid.truncate(count);
    }
    match plan.kinds[at] {
        Slot::Zeros(width) => columns[at].data.truncate(count * width as usize),
        Slot::Span => {
            let staged = slots.column(at);
            staged.spans.truncate(count - staged.base);
        }
        Slot::Time => {
            let staged = slots.column(at);
            staged.times.truncate(count - staged.base);
        }
        Slot::List => {
            let start = end_of(&columns[at], count);
            columns[at].cut_lists(count);
            cut(plan, columns, slots, index + 1, start);
        }
        Slot::Nothing => each_child(plan, index, |child| {
            cut(plan, columns, slots, child, count);
        }),
    }
}

/// Keeps these slots of a column, all of them at least `first`, and those below `first`.
pub(crate) fn keep(
    plan: &Plan,
    columns: &mut [Column],
    slots: &mut Slots,
    index: u32,
    first: usize,
    kept: &[usize],
) {
    let at = index as usize;
    let count = first + kept.len();
    if plan.layout.shapes[at].nullable {
        for (to, from) in (first..).zip(kept) {
            columns[at].valid[to] = columns[at].valid[*from];
        }
        columns[at].valid.truncate(count);
    }
    match plan.kinds[at] {
        Slot::Zeros(width) => {
            let (data, width) = (&mut columns[at].data, width as usize);
            for (to, from) in (first..).zip(kept) {
                data.copy_within(from * width..(from + 1) * width, to * width);
            }
            data.truncate(count * width);
        }
        Slot::Span => {
            let Staged { base, spans, .. } = slots.column(at);
            for (to, from) in (first..).zip(kept) {
                spans[to - *base] = spans[*from - *base];
            }
            spans.truncate(count - *base);
        }
        Slot::Time => {
            let Staged { base, times, .. } = slots.column(at);
            for (to, from) in (first..).zip(kept) {
                times[to - *base] = times[*from - *base];
            }
            times.truncate(count - *base);
        }
        Slot::List => {
            let column = &mut columns[at];
            let start = end_of(column, first);
            let lists: Vec<_> = kept
                .iter()
                .map(|slot| end_of(column, *slot)..end_of(column, slot + 1))
                .collect();
            column.cut_lists(first);
            for list in &lists {
                // Fewer than there were.
                let _ = column.push_list(list.len());
            }
            let items: Vec<usize> = lists.into_iter().flatten().collect();
            keep(plan, columns, slots, index + 1, start, &items);
        }
        Slot::Nothing => each_child(plan, index, |child| {
            keep(plan, columns, slots, child, first, kept);
        }),
    }
}

/// Items of the first `slot` lists of a column.
pub(crate) fn end_of(column: &Column, slot: usize) -> usize {
    let (ends, _) = column.offsets.as_chunks::<4>();
    usize::try_from(i32::from_le_bytes(ends[slot])).unwrap_or(0)
}

fn each_child(plan: &Plan, index: u32, mut child_of: impl FnMut(u32)) {
    let shapes = &plan.layout.shapes;
    let mut child = index + 1;
    while child < shapes[index as usize].end {
        child_of(child);
        child = shapes[child as usize].end;
    }
}

/// How the slots of a column are filled at first.
pub(crate) fn kind_of(storage: Storage) -> Slot {
    match storage {
        Storage::Boolean => Slot::Zeros(1),
        Storage::Fixed(width) => Slot::Zeros(width),
        Storage::Variable => Slot::Span,
        Storage::List => Slot::List,
        Storage::Struct | Storage::Null => Slot::Nothing,
    }
}
