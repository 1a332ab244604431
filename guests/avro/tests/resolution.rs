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
    println!("{counts:?}");
    wrong.sort_by_key(String::len);
    let shown = wrong[..wrong.len().min(6)].join("\n\n");
    assert!(wrong.is_empty(), "{} differ:\n{shown}", wrong.len());
    assert!(counts[&Verdict::Equal] > 10_000, "{counts:?}");
    assert!(counts[&Verdict::RefusedByBoth] > 1_000, "{counts:?}");
    assert!(counts[&Verdict::OtherLogicalType] < 200, "{counts:?}");
    assert!(counts[&Verdict::RefusedForItsSize] < 200, "{counts:?}");
    assert!(counts[&Verdict::OtherNamespace] < 200, "{counts:?}");
}
