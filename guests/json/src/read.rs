//! Reads one message straight into columns, by a plan.

mod exact;
mod leaf;
mod wrong;

use weir_guest::columns::{Column, push_absent, truncate};

use crate::{
    input::{Input, Raw, Read},
    plan::{Member, Object, Op, Plan, UnknownFields},
    scan,
};
use wrong::{field_name, mismatch, not_an_integer, out_of_range};

/// What reading needs beside the columns, kept to be used again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// For each column, the number of the object that last had it.
    seen: Vec<u32>,
    /// How many objects there were.
    objects: u32,
    /// A string without its escapes.
    text: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            seen: vec![0; plan.ops.len()],
            ..Self::default()
        }
    }

    /// Gets ready for a message, in which there are fewer objects than bytes.
    #[inline(always)]
    fn begin(&mut self) {
        if self.objects > u32::MAX / 2 {
            self.seen.fill(0);
            self.objects = 0;
        }
    }

    /// A number that no object had before.
    #[inline(always)]
    fn next_object(&mut self) -> u32 {
        self.objects = self.objects.wrapping_add(1);
        self.objects
    }
}

/// A plan with the columns that it fills.
pub(crate) struct Reader<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) columns: &'a mut [Column],
    pub(crate) scratch: &'a mut Scratch,
}

impl Reader<'_> {
    /// Reads a whole message as row `row`. After a fault the columns hold a part of it.
    pub(crate) fn row(&mut self, mut input: Input<'_>, row: usize) -> Read<()> {
        self.scratch.begin();
        if self.plan.single {
            let (op, nullable) = (self.plan.ops[0], self.plan.layout.fields[0].nullable);
            self.value(&mut input, op, 0, nullable, row)?;
        } else if input.token() == Some(b'{') {
            self.object(&mut input, 0, row)?;
        } else {
            return Err(mismatch(&mut input, "an object"));
        }
        input.end()
    }

    /// Reads value number `at` of a column.
    #[inline(always)]
    fn value(
        &mut self,
        input: &mut Input<'_>,
        op: Op,
        column: u32,
        nullable: bool,
        at: usize,
    ) -> Read<()> {
        let first = input.token();
        if first == Some(b'n') {
            return self.null(input, column, nullable);
        }
        match (op, first) {
            (Op::Text, Some(b'"')) => self.text(input, column)?,
            (Op::Int64, Some(b'-' | b'0'..=b'9')) => {
                let start = input.position();
                let number = input.number()?;
                match number.int64() {
                    Ok(value) => self.columns[column as usize].push(value.to_le_bytes()),
                    Err(why) => return Err(not_an_integer(input, start, number, why, 64, true)),
                }
            }
            (Op::Float64, Some(b'-' | b'0'..=b'9')) => {
                let start = input.position();
                let number = input.number()?;
                match number.float64() {
                    Some(value) => self.columns[column as usize].push(value.to_le_bytes()),
                    None => return Err(out_of_range(input, start, number, 64)),
                }
            }
            (Op::Boolean, Some(b't')) => {
                input.literal(b"true")?;
                self.columns[column as usize].push([1]);
            }
            (Op::Boolean, Some(b'f')) => {
                input.literal(b"false")?;
                self.columns[column as usize].push([0]);
            }
            (Op::Object(object), Some(b'{')) => self.object(input, object, at)?,
            (Op::List, Some(b'[')) => self.list(input, column)?,
            (Op::Map, Some(b'{')) => self.map(input, column)?,
            _ => self.uncommon(input, op, column)?,
        }
        if nullable {
            self.columns[column as usize].valid.push(1);
        }
        Ok(())
    }

    fn null(&mut self, input: &mut Input<'_>, column: u32, nullable: bool) -> Read<()> {
        if !nullable {
            return Err(mismatch(input, "a value"));
        }
        input.literal(b"null")?;
        push_absent(&self.plan.layout.shapes, self.columns, column);
        Ok(())
    }

    #[inline(always)]
    fn text(&mut self, input: &mut Input<'_>, column: u32) -> Read<()> {
        let column = &mut self.columns[column as usize];
        if let Some([_, wide @ ..]) = input.wide()
            && let Some(length) = scan::special_in(wide)
            && wide[length] == b'"'
            && input.advance(length + 2)
        {
            return Ok(column.push_short(wide, length)?);
        }
        long_text(input, column)
    }

    /// Reads an object whose fields are columns, as row `at` of them.
    #[inline(never)]
    fn object(&mut self, input: &mut Input<'_>, object: u32, at: usize) -> Read<()> {
        let object = &self.plan.objects[object as usize];
        let number = self.scratch.next_object();
        let (mut guess, mut found) = (0, 0);
        let extra = object.extra.map(|extra| Extra::new(self.columns, extra));
        input.enter()?;
        if input.token() != Some(b'}') {
            loop {
                if input.token() != Some(b'"') {
                    return Err(input.unexpected("the name of a field"));
                }
                let start = input.position();
                let known = match object.fields.get(guess) {
                    Some(member) if input.take_if(&member.key) => Some(guess),
                    _ => self.name(input, object, guess)?,
                };
                if let Some(index) = known {
                    let member = &object.fields[index];
                    let seen = &mut self.scratch.seen[member.column as usize];
                    if *seen == number {
                        self.forget(member.column, at);
                    } else {
                        *seen = number;
                        found += 1;
                    }
                    let (op, column, nullable) = (member.op, member.column, member.nullable);
                    self.value(input, op, column, nullable, at)
                        .map_err(|fault| fault.within(member.name()))?;
                    guess = index + 1;
                } else {
                    self.unknown(input, start, extra)?;
                }
                if !input.another(b'}')? {
                    break;
                }
            }
        }
        input.leave();
        if found < object.fields.len() {
            self.absent(input, object, number)?;
        }
        if let Some(extra) = extra {
            extra.finish(self.plan, self.columns)?;
        }
        Ok(())
    }

    /// Takes the name of a field and the colon: which field it is, if there is one.
    #[inline(never)]
    fn name(
        &mut self,
        input: &mut Input<'_>,
        object: &Object,
        guess: usize,
    ) -> Read<Option<usize>> {
        let raw = input.string()?;
        let found = match raw {
            Raw::Plain(name) => object.find(name, guess),
            Raw::Escaped(raw) => {
                self.scratch.text.clear();
                input.unescape(raw, &mut self.scratch.text)?;
                object.find(&self.scratch.text, guess)
            }
        };
        input.expect(b':')?;
        Ok(found)
    }

    /// Takes the value of a field that no column is for, and whose name begins at `start`.
    #[inline(never)]
    fn unknown(&mut self, input: &mut Input<'_>, start: usize, extra: Option<Extra>) -> Read<()> {
        let value = input.position();
        input
            .skip()
            .map_err(|fault| fault.within(field_name(input, start)))?;
        if let Some(extra) = extra {
            extra.add(self.columns, input.since(start));
            return Ok(());
        }
        if self.plan.unknown == UnknownFields::Error {
            let name = field_name(input, start);
            let what = "the field is not in the schema, and unknown.fields is error";
            return Err(input.fault_at(value, what).within(name));
        }
        Ok(())
    }

    /// Takes back value number `at` of a column: of two fields with one name the last counts.
    #[cold]
    #[inline(never)]
    fn forget(&mut self, column: u32, at: usize) {
        truncate(&self.plan.layout.shapes, self.columns, column, at);
    }

    /// Adds the values of the fields that the object did not have.
    #[inline(never)]
    fn absent(&mut self, input: &Input<'_>, object: &Object, number: u32) -> Read<()> {
        for Member {
            column, nullable, ..
        } in &object.fields
        {
            if self.scratch.seen[*column as usize] != number {
                if !nullable {
                    let name = &self.plan.layout.fields[*column as usize].name;
                    return Err(input.fault("the field is missing").within(name));
                }
                push_absent(&self.plan.layout.shapes, self.columns, *column);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn list(&mut self, input: &mut Input<'_>, column: u32) -> Read<()> {
        let item = column + 1;
        let (op, nullable) = self.read_as(item);
        let before = self.columns[column as usize].items();
        let mut count = 0;
        input.enter()?;
        if input.token() != Some(b']') {
            loop {
                self.value(input, op, item, nullable, before + count)
                    .map_err(|fault| fault.within(count))?;
                count += 1;
                if !input.another(b']')? {
                    break;
                }
            }
        }
        input.leave();
        Ok(self.columns[column as usize].push_list(count)?)
    }

    #[inline(never)]
    fn map(&mut self, input: &mut Input<'_>, column: u32) -> Read<()> {
        let (start, depth) = (input.position(), input.depth());
        let before = self.columns[column as usize].items();
        let mut count = self.entries(input, column, before, &[])?;
        let keys = column + 2;
        let twice = superseded(&self.columns[keys as usize], before, count);
        if !twice.is_empty() {
            self.forget(keys, before);
            self.forget(keys + 1, before);
            input.seek(start);
            input.set_depth(depth);
            count = self.entries(input, column, before, &twice)?;
        }
        Ok(self.columns[column as usize].push_list(count)?)
    }

    /// Reads the entries of a map but those with these numbers, which ascend. Returns how many.
    #[inline(never)]
    fn entries(
        &mut self,
        input: &mut Input<'_>,
        column: u32,
        before: usize,
        mut without: &[usize],
    ) -> Read<usize> {
        let (keys, values) = (column + 2, column + 3);
        let (op, nullable) = self.read_as(values);
        let (mut entry, mut count) = (0, 0);
        input.enter()?;
        if input.token() != Some(b'}') {
            loop {
                if input.token() != Some(b'"') {
                    return Err(input.unexpected("the name of a field"));
                }
                let start = input.position();
                if without.first() == Some(&entry) {
                    without = &without[1..];
                    input.string()?;
                    input.expect(b':')?;
                    input.skip()?;
                } else {
                    self.text(input, keys)?;
                    input.expect(b':')?;
                    self.value(input, op, values, nullable, before + count)
                        .map_err(|fault| fault.within(field_name(input, start)))?;
                    count += 1;
                }
                entry += 1;
                if !input.another(b'}')? {
                    break;
                }
            }
        }
        input.leave();
        Ok(count)
    }

    fn read_as(&self, column: u32) -> (Op, bool) {
        let column = column as usize;
        (
            self.plan.ops[column],
            self.plan.layout.fields[column].nullable,
        )
    }
}

/// The column for what no column is for, of one object.
#[derive(Clone, Copy)]
struct Extra {
    column: u32,
    /// Bytes that it had before the object.
    before: usize,
}

impl Extra {
    fn new(columns: &[Column], column: u32) -> Self {
        let before = columns[column as usize].data.len();
        Self { column, before }
    }

    /// Adds a field: its name in quotes, a colon and its value.
    fn add(self, columns: &mut [Column], field: &[u8]) {
        let data = &mut columns[self.column as usize].data;
        data.push(if data.len() == self.before {
            b'{'
        } else {
            b','
        });
        data.extend_from_slice(field);
    }

    fn finish(self, plan: &Plan, columns: &mut [Column]) -> Read<()> {
        let column = &mut columns[self.column as usize];
        if column.data.len() == self.before {
            push_absent(&plan.layout.shapes, columns, self.column);
        } else {
            column.push_bytes(b"}")?;
            column.valid.push(1);
        }
        Ok(())
    }
}

#[inline(never)]
fn long_text(input: &mut Input<'_>, column: &mut Column) -> Read<()> {
    match input.string()? {
        Raw::Plain(text) => column.push_bytes(text)?,
        Raw::Escaped(raw) => {
            input.unescape(raw, &mut column.data)?;
            column.push_bytes(&[])?;
        }
    }
    Ok(())
}

/// Takes a string; `text` is where it is put if it has escapes.
fn string<'t, 'a: 't>(input: &mut Input<'a>, text: &'t mut Vec<u8>) -> Read<&'t [u8]> {
    match input.string()? {
        Raw::Plain(plain) => Ok(plain),
        Raw::Escaped(raw) => {
            text.clear();
            input.unescape(raw, text)?;
            Ok(text)
        }
    }
}

/// Entries of a map whose key comes again: those before the last, by number, ascending.
fn superseded(keys: &Column, before: usize, count: usize) -> Vec<usize> {
    let offset = |entry: usize| {
        let end = keys
            .offsets
            .get((before + entry) * 4..)
            .and_then(<[u8]>::first_chunk);
        let end = end.map_or(0, |end| i32::from_le_bytes(*end));
        usize::try_from(end).unwrap_or(0)
    };
    let key = |entry: usize| {
        keys.data
            .get(offset(entry)..offset(entry + 1))
            .unwrap_or_default()
    };
    if count <= 8 {
        let comes_again = |entry: &usize| (entry + 1..count).any(|later| key(later) == key(*entry));
        return (0..count).filter(comes_again).collect();
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| key(*a).cmp(key(*b)).then(a.cmp(b)));
    let same = order.windows(2).filter(|pair| key(pair[0]) == key(pair[1]));
    let mut twice: Vec<usize> = same.map(|pair| pair[0]).collect();
    twice.sort_unstable();
    twice
}
