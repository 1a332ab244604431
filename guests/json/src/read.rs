//! Reads one message straight into columns, by a plan.

use weir_guest::columns::{Column, push_absent, truncate};

use crate::{
    base64,
    input::{Input, Raw, Read},
    number::{NotExact, Number},
    plan::{Member, Object, Op, Plan, UnknownFields},
    scan,
    time::{self, Unit},
    types::Written,
};

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

    /// What is rarer, or wrong.
    #[inline(never)]
    fn uncommon(&mut self, input: &mut Input<'_>, op: Op, column: u32) -> Read<()> {
        let start = input.position();
        let found = match input.peek() {
            Some(b'"') => Found::Text,
            Some(b'-' | b'0'..=b'9') => Found::Number,
            _ => Found::Other,
        };
        let column = &mut self.columns[column as usize];
        let text = &mut self.scratch.text;
        match (op, found) {
            (Op::Json, _) => {
                input.skip()?;
                column.push_bytes(input.since(start))?;
            }
            (Op::Integer { bits, signed }, Found::Number) => {
                let number = input.number()?;
                let value = integer(number, bits, signed)
                    .map_err(|why| not_an_integer(input, start, number, why, bits, signed))?;
                column.push_slice(&value.to_le_bytes()[..usize::from(bits / 8)]);
            }
            (Op::Float32, Found::Number) => {
                let number = input.number()?;
                let value = number
                    .float32()
                    .ok_or_else(|| out_of_range(input, start, number, 32))?;
                column.push(value.to_le_bytes());
            }
            (
                Op::Decimal {
                    precision,
                    scale,
                    written,
                },
                Found::Number,
            ) if written.number() => {
                let number = input.number()?;
                let value = decimal(number, precision, scale)
                    .map_err(|what| input.fault_at(start, what))?;
                column.push(value.to_le_bytes());
            }
            (
                Op::Decimal {
                    precision,
                    scale,
                    written,
                },
                Found::Text,
            ) if !is_number(written) => {
                let digits = string(input, text)?;
                let value = match written {
                    Written::Base64 => unscaled(digits, precision),
                    _ => decimal_text(digits, precision, scale),
                };
                column.push(
                    value
                        .map_err(|what| input.fault_at(start, what))?
                        .to_le_bytes(),
                );
            }
            (Op::Binary, Found::Text) => {
                let digits = string(input, text)?;
                base64::decode(digits, &mut column.data).ok_or_else(|| {
                    input.fault_at(start, quoted("expected base64, found", digits))
                })?;
                column.push_bytes(&[])?;
            }
            (Op::Uuid, Found::Text) => {
                let digits = string(input, text)?;
                let value = uuid(digits).ok_or_else(|| {
                    input.fault_at(start, quoted("expected a UUID, found", digits))
                })?;
                column.push(value);
            }
            (Op::Date(written), Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let what = "expected a date such as 2024-12-31, found";
                let value = time::date(digits)
                    .ok_or_else(|| input.fault_at(start, quoted(what, digits)))?;
                column.push(value.to_le_bytes());
            }
            (Op::Time(unit, written), Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let what = "expected a time such as 23:59:59.999, found";
                let value = time::time(digits, unit)
                    .ok_or_else(|| input.fault_at(start, quoted(what, digits)))?;
                column.push_slice(&value.to_le_bytes()[..time_width(unit)]);
            }
            (Op::Timestamp { unit, utc, written }, Found::Text) if written.text() => {
                let digits = string(input, text)?;
                let value = time::timestamp(digits, unit, utc)
                    .ok_or_else(|| input.fault_at(start, not_a_timestamp(utc, digits)))?;
                column.push(value.to_le_bytes());
            }
            (Op::Date(written), Found::Number) if written.number() => {
                let number = input.number()?;
                let value = integer(number, 32, true)
                    .map_err(|why| not_an_integer(input, start, number, why, 32, true))?;
                column.push_slice(&value.to_le_bytes()[..4]);
            }
            (Op::Time(unit, written), Found::Number) if written.number() => {
                let number = input.number()?;
                let value = number.int64().ok();
                let day = 86_400 * unit.per_second();
                let value = value
                    .filter(|value| (0..day).contains(value))
                    .ok_or_else(|| {
                        let what = format!(
                            "expected a time of day below {day}, found {}",
                            shown(number.text())
                        );
                        input.fault_at(start, what)
                    })?;
                column.push_slice(&value.to_le_bytes()[..time_width(unit)]);
            }
            (Op::Timestamp { written, .. }, Found::Number) if written.number() => {
                let number = input.number()?;
                let value = number
                    .int64()
                    .map_err(|why| not_an_integer(input, start, number, why, 64, true))?;
                column.push(value.to_le_bytes());
            }
            _ => return Err(mismatch(input, wanted(op))),
        }
        Ok(())
    }
}

/// What a value begins as.
#[derive(Clone, Copy)]
enum Found {
    Text,
    Number,
    Other,
}

fn is_number(written: Written) -> bool {
    written == Written::Number
}

fn time_width(unit: Unit) -> usize {
    match unit {
        Unit::Second | Unit::Milli => 4,
        Unit::Micro | Unit::Nano => 8,
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

fn integer(number: Number<'_>, bits: u8, signed: bool) -> Result<i128, NotExact> {
    let value = number.integer()?;
    let fits = if signed {
        let limit = 1i128 << (bits - 1);
        (-limit..limit).contains(&value)
    } else {
        (0..1i128 << bits).contains(&value)
    };
    if fits {
        Ok(value)
    } else {
        Err(NotExact::Large)
    }
}

fn decimal(number: Number<'_>, precision: u8, scale: u8) -> Result<i128, String> {
    let found = |what: String| format!("expected {what}, found {}", shown(number.text()));
    let large = || {
        found(format!(
            "at most {precision} digits, {scale} of them behind the point"
        ))
    };
    match number.scaled(scale.into()) {
        Ok(value) if value.unsigned_abs() < 10u128.pow(precision.into()) => Ok(value),
        Ok(_) | Err(NotExact::Large) => Err(large()),
        Err(NotExact::Fine) => Err(found(format!("at most {scale} digits behind the point"))),
    }
}

/// A decimal in quotes, in the notation of JSON's numbers.
fn decimal_text(text: &[u8], precision: u8, scale: u8) -> Result<i128, String> {
    let mut digits = Input::new(text, 0, text.len());
    let number = match text.first() {
        Some(b'-' | b'0'..=b'9') => digits
            .number()
            .ok()
            .filter(|number| number.text.len() == text.len()),
        _ => None,
    };
    match number {
        Some(number) => decimal(number, precision, scale),
        None => Err(quoted("expected a decimal, found", text)),
    }
}

/// A decimal as Kafka Connect writes it.
fn unscaled(text: &[u8], precision: u8) -> Result<i128, String> {
    let mut bytes = Vec::new();
    let decoded = base64::decode(text, &mut bytes).filter(|()| !bytes.is_empty());
    decoded.ok_or_else(|| quoted("expected a decimal in base64, found", text))?;
    let sign = if bytes[0] < 0x80 { 0 } else { 0xff };
    let rest = bytes
        .iter()
        .position(|byte| *byte != sign)
        .unwrap_or(bytes.len());
    let bytes = &bytes[rest..];
    let mut wide = [sign; 16];
    let value = (bytes.len() <= 16).then(|| {
        wide[16 - bytes.len()..].copy_from_slice(bytes);
        i128::from_be_bytes(wide)
    });
    value
        .filter(|value| (*value < 0) == (sign == 0xff))
        .filter(|value| value.unsigned_abs() < 10u128.pow(precision.into()))
        .ok_or_else(|| quoted(&format!("expected at most {precision} digits, found"), text))
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, RFC 9562.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut value: u128 = 0;
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            (*byte == b'-').then_some(())?;
        } else {
            value = value << 4 | u128::from(char::from(*byte).to_digit(16)?);
        }
    }
    Some(value.to_be_bytes())
}

/// The name of the field that begins at `start`, where its quote is.
#[cold]
fn field_name(input: &Input<'_>, start: usize) -> String {
    let mut name = input.at(start);
    let mut text = Vec::new();
    match name.string() {
        Ok(Raw::Plain(plain)) => text.extend_from_slice(plain),
        Ok(Raw::Escaped(raw)) => drop(name.unescape(raw, &mut text)),
        Err(_) => {}
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cold]
#[inline(never)]
fn not_an_integer(
    input: &Input<'_>,
    start: usize,
    number: Number<'_>,
    why: NotExact,
    bits: u8,
    signed: bool,
) -> Box<crate::fault::Fault> {
    let kind = if signed { "" } else { "unsigned " };
    let what = match why {
        NotExact::Fine => "an integer".to_owned(),
        NotExact::Large => format!("an {kind}integer of {bits} bits"),
    };
    input.fault_at(
        start,
        format!("expected {what}, found {}", shown(number.text())),
    )
}

#[cold]
#[inline(never)]
fn out_of_range(
    input: &Input<'_>,
    start: usize,
    number: Number<'_>,
    bits: u8,
) -> Box<crate::fault::Fault> {
    let found = shown(number.text());
    input.fault_at(
        start,
        format!("{found} is out of the range of a float of {bits} bits"),
    )
}

fn not_a_timestamp(utc: bool, text: &[u8]) -> String {
    let example = match utc {
        true => "a date and time with an offset, such as 2024-12-31T23:59:59Z",
        false => "a date and time without an offset, such as 2024-12-31T23:59:59",
    };
    quoted(&format!("expected {example}, found"), text)
}

fn wanted(op: Op) -> &'static str {
    match op {
        Op::Boolean => "a boolean",
        Op::Int64 | Op::Integer { .. } => "an integer",
        Op::Float32 | Op::Float64 => "a number",
        Op::Decimal {
            written: Written::Number,
            ..
        } => "a number",
        Op::Decimal { .. } => "a decimal",
        Op::Text | Op::Binary | Op::Uuid => "a string",
        Op::Date(_) => "a date",
        Op::Time(..) => "a time",
        Op::Timestamp { .. } => "a date and time",
        Op::Json => "a JSON value",
        Op::List => "an array",
        Op::Map | Op::Object(_) => "an object",
    }
}

/// A value of the wrong type, or something that is no value.
#[cold]
#[inline(never)]
fn mismatch(input: &mut Input<'_>, wanted: &str) -> Box<crate::fault::Fault> {
    let start = input.position();
    // What is not JSON is said to be that first.
    let first = input.peek();
    if let Err(fault) = input.skip() {
        return fault;
    }
    let text = String::from_utf8_lossy(input.since(start)).into_owned();
    let found = match first {
        Some(b'"') => format!("the string {}", shown(&text)),
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b't' | b'f' | b'n') => text,
        _ => format!("the number {}", shown(&text)),
    };
    input.fault_at(start, format!("expected {wanted}, found {found}"))
}

fn quoted(what: &str, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    format!("{what} {}", shown(&format!("{text:?}")))
}

/// A text that is not too long to be read.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
