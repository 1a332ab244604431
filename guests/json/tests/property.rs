//! Random columns, values and damage, with serde_json as the oracle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Map, Value, json};
use support::{Random, Registry, decode, decoder, framed, json_schema, one, render::float};

/// A type as options declare it.
fn ty(random: &mut Random, depth: usize) -> Value {
    let leaves = [
        "boolean",
        "int32",
        "int64",
        "uint64",
        "float64",
        "utf8",
        "json",
        "decimal(20,3)",
    ];
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0..6 => leaves[random.below(leaves.len())].into(),
        6 => json!([ty(random, depth - 1)]),
        7 => json!({"*": ty(random, depth - 1)}),
        _ => Value::Object(fields(random, depth - 1)),
    }
}

fn fields(random: &mut Random, depth: usize) -> Map<String, Value> {
    let names = [
        "a",
        "b\"",
        "name",
        "ä",
        "a name of more than sixteen bytes",
        "x/y",
        "\u{1}",
    ];
    let count = 1 + random.below(names.len());
    (0..count)
        .map(|_| {
            (
                names[random.below(names.len())].to_owned(),
                ty(random, depth),
            )
        })
        .collect()
}

fn text(random: &mut Random) -> String {
    let alphabet: Vec<char> = "abcXYZ 0_\"\\/äß€𝄞\u{0}\u{1f}\n".chars().collect();
    let plain = random.below(3) > 0;
    let length = [0, 3, 8, 20, 50][random.below(5)];
    let letter = |random: &mut Random| {
        if plain {
            'x'
        } else {
            alphabet[random.below(alphabet.len())]
        }
    };
    (0..random.below(length + 1))
        .map(|_| letter(random))
        .collect()
}

/// A number of any size in bits.
fn number(random: &mut Random) -> Value {
    let bits = random.next() >> random.below(64);
    match random.below(6) {
        0 => json!(bits),
        1 => json!(bits.cast_signed() >> random.below(8)),
        2 => json!(f64::from(u32::try_from(bits >> 32).unwrap()) / 100.0),
        3 => json!(-(f64::from(u32::try_from(bits >> 32).unwrap()))),
        4 => Some(f64::from_bits(random.next()))
            .filter(|it| it.is_finite())
            .map_or(json!(0), |it| json!(it)),
        _ => json!(random.below(1000)),
    }
}

fn any(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 4 } else { 6 }) {
        0 => Value::Null,
        1 => (random.below(2) == 0).into(),
        2 => number(random),
        3 => text(random).into(),
        4 => (0..random.below(4))
            .map(|_| any(random, depth - 1))
            .collect(),
        _ => (0..random.below(4))
            .map(|_| (text(random), any(random, depth - 1)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// A value for a type: nearly always one that fits.
fn value(random: &mut Random, ty: &Value) -> Value {
    match random.below(60) {
        0..6 => return Value::Null,
        6 => return any(random, 2),
        _ => {}
    }
    match ty {
        Value::Array(items) => (0..random.below(4))
            .map(|_| value(random, &items[0]))
            .collect(),
        Value::Object(fields) if fields.contains_key("*") => (0..random.below(4))
            .map(|_| (text(random), value(random, &fields["*"])))
            .collect::<Map<_, _>>()
            .into(),
        Value::Object(fields) => object(random, fields),
        ty => match ty.as_str().unwrap() {
            "boolean" => (random.below(2) == 0).into(),
            "int32" => {
                json!(i32::try_from(random.next().cast_signed() >> 32 >> random.below(32)).unwrap())
            }
            "int64" => json!(random.next().cast_signed() >> random.below(64)),
            "uint64" => json!(random.next() >> random.below(64)),
            "float64" => number(random),
            "decimal(20,3)" => json!(random.next() >> random.below(64) >> 8),
            "utf8" => text(random).into(),
            _ => any(random, 2),
        },
    }
}

/// In any order, with fields that are missing and fields that are not declared.
fn object(random: &mut Random, fields: &Map<String, Value>) -> Value {
    let mut entries: Vec<(String, Value)> = Vec::new();
    for (name, ty) in fields {
        if random.below(8) > 0 {
            entries.push((name.clone(), value(random, ty)));
        }
    }
    if random.below(4) == 0 {
        entries.push((format!("?{}", text(random)), any(random, 2)));
    }
    if random.below(4) == 0 {
        for at in (1..entries.len()).rev() {
            entries.swap(at, random.below(at + 1));
        }
    }
    entries.into_iter().collect::<Map<_, _>>().into()
}

/// The text of a value, with white space, escapes and ways to write numbers that serde_json
/// would not choose.
fn write<const VARIED: bool>(random: &mut Random, value: &Value, out: &mut String) {
    let space = |random: &mut Random, out: &mut String| {
        if random.below(6) == 0 {
            out.push_str([" ", "\n", "\t  ", "\r\n"][random.below(4)]);
        }
    };
    space(random, out);
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write::<VARIED>(random, item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (name, field)) in fields.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write::<VARIED>(random, &Value::from(name.as_str()), out);
                out.push(':');
                write::<VARIED>(random, field, out);
            }
            out.push('}');
        }
        Value::String(text) if random.below(4) == 0 => {
            out.push('"');
            for unit in text.encode_utf16() {
                out.push_str(&format!("\\u{unit:04X}"));
            }
            out.push('"');
        }
        Value::Number(number) if VARIED && number.is_i64() && random.below(8) == 0 => {
            out.push_str(&format!(
                "{number}{}",
                [".0", "e0", "e+0", ".00E+0"][random.below(4)]
            ));
        }
        other => out.push_str(&other.to_string()),
    }
    space(random, out);
}

/// What a column has to hold, or `None` if the value does not fit.
fn expected(ty: &Value, value: &Value) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    match ty {
        Value::Array(items) => value
            .as_array()?
            .iter()
            .map(|item| expected(&items[0], item))
            .collect(),
        Value::Object(fields) if fields.contains_key("*") => {
            let mut entries: Vec<_> = value.as_object()?.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries
                .into_iter()
                .map(|(key, value)| Some(json!([key, expected(&fields["*"], value)?])))
                .collect()
        }
        Value::Object(fields) => row(fields, value),
        ty => Some(match ty.as_str()? {
            "boolean" => json!(value.as_bool()?),
            "int32" => json!(i32::try_from(integer(value)?).ok()?),
            "int64" => json!(i64::try_from(integer(value)?).ok()?),
            "uint64" => json!(u64::try_from(integer(value)?).ok()?),
            "float64" => float(value.as_f64()?),
            "decimal(20,3)" => {
                let text = value.as_number().map(ToString::to_string).or_else(|| {
                    let text = value.as_str()?;
                    serde_json::from_str::<serde_json::Number>(text).ok()?;
                    Some(text.to_owned())
                })?;
                json!(thousandths(&text)?.to_string())
            }
            "utf8" => value.as_str()?.into(),
            _ => value.clone(),
        }),
    }
}

fn row(fields: &Map<String, Value>, value: &Value) -> Option<Value> {
    let object = value.as_object()?;
    let column = |(name, ty): (&String, &Value)| {
        Some((
            name.clone(),
            expected(ty, object.get(name).unwrap_or(&Value::Null))?,
        ))
    };
    fields
        .iter()
        .map(column)
        .collect::<Option<Map<_, _>>>()
        .map(Value::Object)
}

/// The generator writes floats that are whole numbers, which are integers.
fn integer(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    if let Some(value) = number.as_i128() {
        return Some(value);
    }
    let thousandths = decimal(&number.to_string(), 0)?;
    Some(thousandths)
}

fn thousandths(text: &str) -> Option<i128> {
    decimal(text, 3).filter(|value| value.unsigned_abs() < 10u128.pow(20))
}

/// Digit by digit, as one would on paper.
fn decimal(text: &str, scale: i64) -> Option<i128> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all = format!("{whole}{fraction}");
    let mut power = exponent.parse::<i64>().ok()? - i64::try_from(fraction.len()).ok()? + scale;
    while power < 0 && all.len() > 1 && all.ends_with('0') {
        all.pop();
        power += 1;
    }
    let all = all.trim_start_matches('0');
    if all.is_empty() || all == "0" {
        return Some(0);
    }
    if !(0..=40).contains(&power) {
        return None;
    }
    let value: i128 = format!("{all}{}", "0".repeat(usize::try_from(power).ok()?))
        .parse()
        .ok()?;
    Some(if negative { -value } else { value })
}

struct Case {
    columns: Map<String, Value>,
    values: Vec<Value>,
    texts: Vec<String>,
}

fn case<const VARIED: bool>(seed: u64, count: usize) -> Case {
    let mut random = Random::new(seed);
    let mut columns = fields(&mut random, 3);
    if !VARIED {
        // Damaged, a decimal may become one that serde_json rounds.
        let text = Value::from(columns)
            .to_string()
            .replace("decimal(20,3)", "float64");
        columns = serde_json::from_str(&text).unwrap();
    }
    let values: Vec<Value> = (0..count).map(|_| object(&mut random, &columns)).collect();
    let texts = values.iter().map(|value| {
        let mut text = String::new();
        write::<VARIED>(&mut random, value, &mut text);
        text
    });
    let texts = texts.collect();
    Case {
        columns,
        values,
        texts,
    }
}

#[test]
fn rows_are_the_values_that_were_written() {
    let (mut rows_seen, mut errors_seen) = (0, 0);
    for seed in 0..3_000 {
        let Case {
            columns,
            values,
            texts,
        } = case::<true>(seed, 20);
        let mut decoder = decoder(&json!({ "columns": columns }));
        let messages: Vec<_> = texts
            .iter()
            .map(|text| Some(text.clone().into_bytes()))
            .collect();
        let (rows, errors) = decode(&mut decoder, &Registry::default(), &messages);
        rows_seen += rows.len();
        errors_seen += errors.len();
        let mut rows = rows.into_iter().peekable();
        for (number, (text, value)) in (0..).zip(texts.iter().zip(&values)) {
            let found = rows.next_if(|(row, _)| *row == number).map(|(_, row)| row);
            let expected = row(&columns, value);
            let same = match (&found, &expected) {
                (Some(found), Some(expected)) => near(found, expected, 0.0),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(same, "{seed}: {columns:?}: {text}\n{found:?}\n{expected:?}");
        }
    }
    assert!(
        rows_seen > 10_000 && errors_seen > 1_000,
        "{rows_seen} {errors_seen}"
    );
}

/// Every cut and many flipped bits: JSON or not is as serde_json says, and a message that fails
/// leaves nothing behind for those around it.
#[test]
fn damage_stays_with_its_message() {
    for seed in 5_000..5_150 {
        let Case { columns, texts, .. } = case::<false>(seed, 3);
        let mut random = Random::new(seed);
        let mut damaged = Vec::new();
        for text in &texts {
            let text = text.as_bytes();
            damaged.extend((0..text.len()).map(|cut| text[..cut].to_vec()));
            for _ in 0..text.len() * 2 {
                let mut flipped = text.to_vec();
                flipped[random.below(text.len())] ^= 1 << random.below(8);
                damaged.push(flipped);
            }
            damaged.push([text, b"x"].concat());
        }
        let mut messages = Vec::new();
        // A number that serde_json has no float for is JSON, and may be in no column.
        let large = |text: &Vec<u8>| {
            let value = serde_json::from_slice::<Value>(text);
            value.is_err_and(|error| error.to_string().starts_with("number out of range"))
        };
        damaged.retain(|text| !large(text));
        for damaged in damaged {
            messages.push(Some(damaged));
            messages.push(Some(texts[random.below(texts.len())].clone().into_bytes()));
        }
        let mut decoder = decoder(&json!({ "columns": columns }));
        let (rows, _) = decode(&mut decoder, &Registry::default(), &messages);
        let mut rows = rows.into_iter().peekable();
        for (number, message) in (0..).zip(&messages) {
            let found = rows.next_if(|(row, _)| *row == number).map(|(_, row)| row);
            let message = message.as_ref().unwrap();
            let value = serde_json::from_slice::<Value>(message);
            let expected = value.ok().and_then(|value| row(&columns, &value));
            let same = match (&found, &expected) {
                (Some(found), Some(expected)) => near(found, expected, 1e-15),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            let text = String::from_utf8_lossy(message);
            assert!(same, "{seed}: {columns:?}: {text}\n{found:?}\n{expected:?}");
        }
    }
}

/// The same, but for floats, which may be off by this share: serde_json reads some one place
/// off, always those in JSON text, which it also reads here.
fn near(found: &Value, expected: &Value, by: f64) -> bool {
    let close = |a: f64, b: f64, by: f64| a == b || (a - b).abs() <= a.abs() * by;
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            let mut both = found.iter().zip(expected);
            found.len() == expected.len() && both.all(|(found, expected)| near(found, expected, by))
        }
        (Value::Object(found), Value::Object(expected)) => {
            let bits = |value: &Map<String, Value>| value.get("float").and_then(Value::as_u64);
            if let (Some(found), Some(expected)) = (bits(found), bits(expected)) {
                return close(f64::from_bits(found), f64::from_bits(expected), by);
            }
            let mut all = found
                .iter()
                .map(|(name, value)| (Some(value), expected.get(name)));
            found.len() == expected.len()
                && all.all(|(a, b)| a.zip(b).is_some_and(|(a, b)| near(a, b, by)))
        }
        (Value::Number(found), Value::Number(expected)) => {
            close(found.as_f64().unwrap(), expected.as_f64().unwrap(), 1e-15)
        }
        (Value::String(found), Value::String(expected)) => {
            let numbers = found.parse().ok().zip(expected.parse().ok());
            found == expected || numbers.is_some_and(|(a, b)| close(a, b, by))
        }
        (found, expected) => found == expected,
    }
}

/// JSON is what serde_json takes, also where no column looks.
#[test]
fn what_is_json_is_json() {
    let mut whole = decoder(&json!({"framing": "raw"}));
    let mut ignored = decoder(&json!({"columns": {"none": "utf8"}}));
    let mut random = Random::new(1);
    let alphabet = br#"{}[],:"\ue0159-+.truefalsn /x"#;
    let mut accepted = 0;
    for round in 0..60_000 {
        let text: Vec<u8> = if round % 2 == 0 {
            (0..1 + random.below(8))
                .map(|_| alphabet[random.below(alphabet.len())])
                .collect()
        } else {
            let mut text = String::new();
            let value = any(&mut random, 3);
            write::<true>(&mut random, &value, &mut text);
            let mut text = text.into_bytes();
            let at = random.below(text.len());
            text[at] = alphabet[random.below(alphabet.len())];
            text
        };
        let verdict = serde_json::from_slice::<Value>(&text);
        if verdict
            .as_ref()
            .is_err_and(|error| error.to_string().starts_with("number out of range"))
        {
            continue;
        }
        accepted += usize::from(verdict.is_ok());
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(one(&mut whole, &text).is_ok(), verdict.is_ok(), "{shown}");
        let within = [b"{\"x\":", &text[..], b"}"].concat();
        let verdict = serde_json::from_slice::<Value>(&within).is_ok();
        assert_eq!(one(&mut ignored, &within).is_ok(), verdict, "{shown}");
    }
    assert!(accepted > 1_000, "{accepted}");
}

/// A batch is its messages one by one: rows, reasons and schemas.
#[test]
fn batches_are_what_their_messages_are_alone() {
    for seed in 10_000..10_100 {
        let mut random = Random::new(seed);
        let cases: Vec<Case> = (0..3).map(|i| case::<true>(seed * 3 + i, 60)).collect();
        let mut registry = Registry::default();
        for (id, case) in (1..).zip(&cases) {
            registry
                .ids
                .insert(id, json_schema(&schema(&case.columns).to_string(), &[]));
        }
        let messages: Vec<Option<Vec<u8>>> = (0..180)
            .map(|at| {
                let id = random.below(3);
                let text = &cases[id].texts[at / 3];
                let mut message = framed(u32::try_from(id).unwrap() + 1, text);
                match random.below(20) {
                    0 => return None,
                    1 => message.truncate(random.below(message.len())),
                    2 => message.push(b'x'),
                    _ => {}
                }
                Some(message)
            })
            .collect();
        let options = json!({"unknown.fields": (["ignore", "extra"][random.below(2)])});
        let together = decode(&mut decoder(&options), &registry, &messages);
        let mut alone = decoder(&options);
        let mut expected = (Vec::new(), Vec::new());
        for (number, message) in (0..).zip(&messages) {
            let (rows, errors) = decode(&mut alone, &registry, std::slice::from_ref(message));
            expected
                .0
                .extend(rows.into_iter().map(|(_, row)| (number, row)));
            expected
                .1
                .extend(errors.into_iter().map(|(_, reason)| (number, reason)));
        }
        assert!(together == expected, "{seed}");
    }
}

/// A JSON Schema for declared columns.
fn schema(columns: &Map<String, Value>) -> Value {
    fn of(ty: &Value) -> Value {
        match ty {
            Value::Array(items) => json!({"type": "array", "items": of(&items[0])}),
            Value::Object(fields) if fields.contains_key("*") => {
                json!({"type": "object", "additionalProperties": of(&fields["*"])})
            }
            Value::Object(fields) => schema(fields),
            ty => match ty.as_str().unwrap() {
                "boolean" => json!({"type": "boolean"}),
                "float64" | "decimal(20,3)" => json!({"type": ["number", "null"]}),
                "utf8" => json!({"oneOf": [{"type": "null"}, {"type": "string"}]}),
                "json" => json!({}),
                _ => json!({"type": "integer"}),
            },
        }
    }
    let fields: Map<String, Value> = columns
        .iter()
        .map(|(name, ty)| (name.clone(), of(ty)))
        .collect();
    json!({"type": "object", "properties": fields})
}
