//! Writer and reader schemas: random pairs of them, with Avro's own Java library and apache-avro
//! as oracles.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::{Schema, schema::ResolvedSchema};
use serde_json::{Value as Json, json};
use support::{
    Registry, decode, encode, fields, framed,
    generate::{Random, SchemaMaker, value},
    java,
    mutate::Mutation,
    oracle, origins, rows_of,
};
use weir_avro::{AvroFormat, Decoder};
use weir_guest::schemas;

struct Case {
    writer: Schema,
    writer_text: String,
    reader_text: String,
    datums: Vec<Vec<u8>>,
}

fn case(seed: u64) -> Option<Case> {
    let mut random = Random::new(seed);
    let mut maker = SchemaMaker::new();
    let writer = match seed % 8 {
        0 => maker.any(&mut random, 3),
        _ => maker.record(&mut random, 3),
    };
    let rarity = [2, 6, 15][random.below(3)];
    let reader = Mutation::new(rarity).reader(&writer, &mut random);
    let writer_text = writer.to_string();
    let writer = Schema::parse_str(&writer_text).unwrap();
    // Some mutations make no schema, such as unions with a type twice.
    schema(&reader.to_string()).ok()?;
    let resolved = ResolvedSchema::try_from(&writer).unwrap();
    let names: HashMap<String, &Schema> = resolved
        .get_names()
        .iter()
        .map(|(name, schema)| (name.fullname(None), *schema))
        .collect();
    let datums = (0..4)
        .map(|_| encode(&writer, value(&writer, &names, &mut random)))
        .collect();
    Some(Case {
        writer,
        writer_text,
        reader_text: reader.to_string(),
        datums,
    })
}

fn avro(text: &str) -> schemas::Schema {
    schemas::Schema {
        schema_type: schemas::SchemaType::Avro,
        text: text.to_owned(),
        references: Vec::new(),
    }
}

fn schema(text: &str) -> Result<(), weir_avro::SchemaError> {
    weir_avro::check_reader(&avro(text))
}

/// The row of each datum, or the reason why there is none.
fn rows(writer: &str, reader: &str, datums: &[Vec<u8>]) -> Vec<Result<Json, String>> {
    let registry = Registry::of(writer);
    let reader = Some(avro(reader));
    let mut decoder = Decoder::new(AvroFormat { reader });
    let messages: Vec<_> = datums.iter().map(|datum| framed(1, datum)).collect();
    let decoded = decode(&mut decoder, &registry, &messages);
    let mut all: Vec<Result<Json, String>> = vec![Err("no answer".to_owned()); datums.len()];
    for group in &decoded.groups {
        let rows = rows_of(&fields(&decoder, group), group);
        for (row, message) in rows.into_iter().zip(origins(group)) {
            all[message as usize] = Ok(row);
        }
    }
    for error in decoded.errors {
        all[error.row as usize] = Err(error.reason);
    }
    all
}

/// The row of what Java wrote; `None` where Java is laxer: for strings that are no text, and
/// decimals of more digits than they may have, both of which were bytes.
fn as_written(schema: &str, datum: &[u8]) -> Option<Json> {
    let registry = Registry::of(schema);
    let mut decoder = Decoder::default();
    let decoded = decode(&mut decoder, &registry, &[framed(1, datum)]);
    if let Some(error) = decoded.errors.first() {
        let laxer = ["not valid UTF-8", "more digits than the schema's precision"];
        let is_laxer = laxer.iter().any(|what| error.reason.contains(what));
        assert!(is_laxer, "{}", error.reason);
        return None;
    }
    let group = &decoded.groups[0];
    Some(rows_of(&fields(&decoder, group), group).remove(0))
}

/// What apache-avro reads has the same rows, where both read it: apache-avro does not look at the
/// names of enums and fixed, and takes bytes for a fixed; and it refuses pairs that the
/// specification allows.
#[test]
fn rows_are_what_apache_avro_reads() {
    let (mut equal, mut wrong) = (0, Vec::new());
    for case in (20_000..24_000).filter_map(case) {
        let Ok(reader) = Schema::parse_str(&case.reader_text) else {
            continue;
        };
        // It takes the characters of such defaults as UTF-8, and of several records in a union the
        // first that the value fits.
        let text = &case.reader_text;
        if text.contains(['\u{ff}', '\u{fe}', '\u{e8}']) || text.contains(r#"},{"type":"record""#) {
            continue;
        }
        let ours = rows(&case.writer_text, &case.reader_text, &case.datums);
        for (ours, datum) in ours.iter().zip(&case.datums) {
            let datums = GenericDatumReader::builder(&case.writer).reader_schema(&reader);
            let Ok(datums) = datums.build() else {
                continue;
            };
            let Ok(value) = datums.read_value(&mut &datum[..]) else {
                continue;
            };
            let theirs = oracle::expected_row(&reader, &value);
            let is_ours_stricter = |reason: &String| {
                let reasons = [
                    "does not become",
                    "has no branch for",
                    "the reader schema cannot",
                    "more digits",
                ];
                reasons.iter().any(|what| reason.contains(what))
            };
            if ours.as_ref().ok() == Some(&theirs) {
                equal += 1;
            } else if !ours.as_ref().is_err_and(is_ours_stricter) {
                wrong.push(format!(
                    "writer {}\nreader {}\ndatum {}\nours {ours:?}\ntheirs {theirs}",
                    case.writer_text,
                    case.reader_text,
                    java::hex(datum)
                ));
            }
        }
    }
    wrong.sort_by_key(String::len);
    let shown = wrong[..wrong.len().min(6)].join("\n\n");
    assert!(wrong.is_empty(), "{} differ:\n{shown}", wrong.len());
    assert!(equal > 5_000, "{equal}");
}

/// A schema without logical types, which Java does not look at here.
fn plain(schema: &Json) -> Json {
    match schema {
        Json::Object(object) => {
            let kept = object.iter().filter(|(name, _)| *name != "logicalType");
            kept.map(|(name, value)| (name.clone(), plain(value)))
                .collect()
        }
        Json::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// How what is read compares with what Java reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    Equal,
    RefusedByBoth,
    /// Of a type whose logical type is another one for the reader: Java takes the number as it is,
    /// so that a day becomes a millisecond.
    OtherLogicalType,
    /// Java 1.12.1 and later takes the bytes of the reader's items for those of the writer's, and
    /// refuses arrays of small numbers that are promoted.
    RefusedForItsSize,
    /// An enum or fixed in a reader's union, of the same name in another namespace: Java compares
    /// full names there and nowhere else, and the specification never does.
    OtherNamespace,
    Differs,
}

fn verdict(case: &Case, at: usize, ours: &Result<Json, String>, answer: &Json) -> Verdict {
    let answer = &answer["rows"][at];
    let datum = answer["hex"].as_str().map(java::unhex);
    let theirs = datum
        .as_ref()
        .and_then(|datum| as_written(&case.reader_text, datum));
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) if *ours == theirs => Verdict::Equal,
        (Err(_), None) => Verdict::RefusedByBoth,
        (Ok(_), None) if answer.to_string().contains("Collection claims") => {
            Verdict::RefusedForItsSize
        }
        (Ok(_), None)
            if answer.to_string().contains(", expecting union[")
                && case.reader_text.contains("\"else.") =>
        {
            Verdict::OtherNamespace
        }
        (Err(_), Some(_)) => {
            let plain = |text: &str| plain(&text.parse().unwrap()).to_string();
            let (writer, reader) = (plain(&case.writer_text), plain(&case.reader_text));
            let ours = rows(&writer, &reader, &case.datums[at..=at]).remove(0);
            let theirs = datum.and_then(|datum| as_written(&reader, &datum));
            match (ours.ok(), theirs) {
                (Some(ours), Some(theirs)) if ours == theirs => Verdict::OtherLogicalType,
                _ => Verdict::Differs,
            }
        }
        _ => Verdict::Differs,
    }
}

#[test]
fn rows_are_what_java_reads() {
    let cases: Vec<Case> = (0..6_000).filter_map(case).collect();
    let task = |case: &Case| {
        let datums: Vec<String> = case.datums.iter().map(|datum| java::hex(datum)).collect();
        json!({ "writer": case.writer_text, "reader": case.reader_text, "datums": datums })
    };
    let tasks: Vec<Json> = cases.iter().map(task).collect();
    let Some(answers) = java::answers(&tasks) else {
        return;
    };
    let mut counts: HashMap<Verdict, usize> = HashMap::new();
    let mut wrong = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = rows(&case.writer_text, &case.reader_text, &case.datums);
        for (at, ours) in ours.iter().enumerate() {
            let verdict = verdict(case, at, ours, answer);
            *counts.entry(verdict).or_default() += 1;
            if verdict == Verdict::Differs {
                wrong.push(format!(
                    "writer {}\nreader {}\ndatum {}\nours {ours:?}\njava {answer}",
                    case.writer_text,
                    case.reader_text,
                    java::hex(&case.datums[at])
                ));
            }
        }
    }
    wrong.sort_by_key(String::len);
    let shown = wrong[..wrong.len().min(6)].join("\n\n");
    assert!(wrong.is_empty(), "{} differ:\n{shown}", wrong.len());
    assert!(counts[&Verdict::Equal] > 10_000, "{counts:?}");
    assert!(counts[&Verdict::RefusedByBoth] > 1_000, "{counts:?}");
    assert!(counts[&Verdict::OtherLogicalType] < 200, "{counts:?}");
    assert!(counts[&Verdict::RefusedForItsSize] < 200, "{counts:?}");
    assert!(counts[&Verdict::OtherNamespace] < 200, "{counts:?}");
}

/// Cut and changed datums fail alone, or are read, and those around them are right.
#[test]
fn damage_stays_with_its_record() {
    for seed in 30_000..30_300 {
        let Some(case) = case(seed) else {
            continue;
        };
        let good = rows(&case.writer_text, &case.reader_text, &case.datums);
        let mut random = Random::new(seed);
        let mut datums = Vec::new();
        for datum in &case.datums {
            for cut in 0..datum.len().min(60) {
                datums.extend([datum[..cut].to_vec(), datum.clone()]);
                let mut flipped = datum.clone();
                flipped[random.below(datum.len())] ^= 1 << random.below(8);
                datums.extend([flipped, datum.clone()]);
            }
            datums.extend([[&datum[..], &[0]].concat(), datum.clone()]);
        }
        let all = rows(&case.writer_text, &case.reader_text, &datums);
        for (datum, row) in datums.iter().zip(&all).skip(1).step_by(2) {
            let at = case.datums.iter().position(|good| good == datum).unwrap();
            assert_eq!(
                row, &good[at],
                "{seed}: {} {}",
                case.writer_text, case.reader_text
            );
        }
    }
}

/// A whole block at once, and each message alone.
#[test]
fn blocks_are_what_their_messages_are_alone() {
    for seed in 40_000..40_200 {
        let Some(case) = case(seed) else {
            continue;
        };
        let alone = case.datums.iter().map(|datum| {
            let datum = std::slice::from_ref(datum);
            rows(&case.writer_text, &case.reader_text, datum).remove(0)
        });
        let alone: Vec<_> = alone.collect();
        let datums: Vec<Vec<u8>> = case.datums.iter().cycle().take(300).cloned().collect();
        let together = rows(&case.writer_text, &case.reader_text, &datums);
        for (at, row) in together.iter().enumerate() {
            let expected = &alone[at % alone.len()];
            assert_eq!(
                row, expected,
                "{seed}: {} {}",
                case.writer_text, case.reader_text
            );
        }
    }
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

/// The row of one datum, or why there is none.
fn row(writer: &str, reader: &str, datum: &[u8]) -> Result<Json, String> {
    rows(writer, reader, &[datum.to_vec()]).remove(0)
}

#[test]
fn each_rule_of_the_specification() {
    let writer = record(
        r#"{"name":"old","type":"int"},{"name":"gone","type":{"type":"map","values":["null","string"]}},
           {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}}"#,
    );
    let reader = record(
        r#"{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["B","OTHER"],"default":"OTHER"}},
           {"name":"added","type":{"type":"array","items":"long"},"default":[1,2]},
           {"name":"new","type":["null","double"],"aliases":["old"]}"#,
    );
    // old 3, gone {"k": "v"}, kind A and B.
    let datum = [6, 2, 2, b'k', 2, 2, b'v', 0, 0];
    let expected = json!({ "kind": "OTHER", "added": [1, 2], "new": { "float": 3f64.to_bits() } });
    assert_eq!(row(&writer, &reader, &datum), Ok(expected.clone()));
    let datum = [6, 0, 2];
    let mut kind_b = expected;
    kind_b["kind"] = "B".into();
    assert_eq!(row(&writer, &reader, &datum), Ok(kind_b));
}

#[test]
fn a_recursive_type_is_json_text_of_the_reader_s_fields() {
    let writer = r#"{"type":"record","name":"Node","fields":[
        {"name":"skipped","type":"string"},{"name":"n","type":"int"},
        {"name":"next","type":["null","Node"]}]}"#;
    let reader = r#"{"type":"record","name":"Node","fields":[
        {"name":"next","type":["null","Node"]},{"name":"n","type":"double"},
        {"name":"label","type":"string","default":"none \u00e4"}]}"#;
    let datum = [2, b'a', 2, 2, 2, b'b', 4, 2, 2, b'c', 6, 0];
    let inner = json!({ "next": null, "n": 3.0, "label": "none ä" });
    let expected = json!({
        "next": { "next": inner, "n": 2.0, "label": "none ä" },
        "n": { "float": 1f64.to_bits() },
        "label": "none ä",
    });
    assert_eq!(row(writer, reader, &datum), Ok(expected));
}

#[test]
fn what_cannot_be_says_why() {
    let field = |schema: &str| record(&format!(r#"{{"name":"a","type":{schema}}}"#));
    let kind = |symbols: &str| format!(r#"{{"type":"enum","name":"E","symbols":[{symbols}]}}"#);
    let decimal = |scale: u32| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":9,"scale":{scale}}}"#)
    };
    let logical = |name: &str| format!(r#"{{"type":"long","logicalType":"{name}"}}"#);
    for (writer, reader, datum, why) in [
        (
            field(r#""long""#),
            field(r#""int""#),
            vec![2],
            "field `a`: long does not become int",
        ),
        (
            field(r#""int""#),
            record(r#"{"name":"b","type":"int"}"#),
            vec![2],
            "the reader's field `b` was not written, and has no default",
        ),
        (
            field(r#"["int","string"]"#),
            field(r#""int""#),
            vec![2, 2, b'x'],
            "field `a`, byte 1: the reader schema cannot take the type that this value was written with",
        ),
        (
            field(&kind(r#""A","B""#)),
            field(&kind(r#""B""#)),
            vec![0],
            "field `a`, byte 1: the reader's enum has no such symbol, and no default for it",
        ),
        (
            field(&decimal(2)),
            field(&decimal(3)),
            vec![2, 1],
            "decimal does not become decimal of scales 2 and 3",
        ),
        (
            field(&logical("timestamp-millis")),
            field(&logical("timestamp-micros")),
            vec![2],
            "timestamp-millis does not become timestamp-micros",
        ),
        (
            record(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#),
            record(r#"{"name":"b","type":"int","aliases":["a"]}"#),
            vec![2, 2],
            "field `b` is, by its aliases, more than one field of the writer",
        ),
        (
            field(r#""int""#),
            r#""int""#.to_owned(),
            vec![2],
            "record `R` does not become int",
        ),
        (
            r#""int""#.to_owned(),
            field(r#""int""#),
            vec![2],
            "int does not become record `R`",
        ),
    ] {
        let reason = row(&writer, &reader, &datum).unwrap_err();
        assert!(reason.contains(why), "{writer} {reader}: {reason}");
    }
}

#[test]
fn a_default_that_is_none_is_an_error_of_the_reader_schema() {
    for (fields, why) in [
        (
            r#"{"name":"a","type":"int","default":"1"}"#,
            "field `a`: \"1\" is not an int",
        ),
        (
            r#"{"name":"a","type":"int","default":2147483648}"#,
            "2147483648 is not an int",
        ),
        (
            r#"{"name":"a","type":["null","int"],"default":"x"}"#,
            "any branch of the union",
        ),
        (
            r#"{"name":"a","type":"bytes","default":"\u0100"}"#,
            "beyond U+00FF",
        ),
        (
            r#"{"name":"a","type":{"type":"record","name":"Q","fields":[{"name":"b","type":"int"}]},"default":{}}"#,
            "it has no field `b`",
        ),
        (r#"{"name":"a","type":"R","default":{}}"#, "without end"),
    ] {
        let error = schema(&record(fields)).unwrap_err().to_string();
        assert!(error.contains(why), "{fields}: {error}");
    }
    // One that only its type can refuse shows where it is needed.
    let decimal = r#"{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":0},"default":"\u0001\u0000"}"#;
    let reason = row(&record(""), &record(decimal), &[]).unwrap_err();
    assert!(
        reason.contains("default of field `a`: a decimal has more digits"),
        "{reason}"
    );
}

#[test]
fn items_without_bytes_are_bounded_also_where_they_have_defaults() {
    let array = |fields: &str| format!(r#"{{"type":"array","items":{}}}"#, record(fields));
    let reader = array(r#"{"name":"a","type":"int","default":7}"#);
    let ours = row(&array(""), &reader, &[4, 0]);
    assert_eq!(ours, Ok(json!({ "value": [{ "a": 7 }, { "a": 7 }] })));
    let reason = row(&array(""), &reader, &[0x80, 0x80, 0x80, 0x01, 0]).unwrap_err();
    assert!(reason.contains("more than 65536"), "{reason}");
}
