//! Parsing canonical forms and fingerprints (Avro 1.12, "Parsing Canonical Form for Schemas"),
//! with Avro's own Java library as the oracle: single objects begin with them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value as Json, json};
use support::{
    generate::{Random, SchemaMaker},
    java,
};
use weir_avro::{canonical::canonical_form, write::AvroWriter};
use weir_guest::confluent::WriteFormat;
use weir_guest::schemas::{self, SchemaType};

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

fn schema(text: &str, references: &[&str]) -> schemas::Schema {
    let reference = |text: &&str| schemas::Reference {
        name: String::new(),
        text: (*text).to_owned(),
    };
    schemas::Schema {
        schema_type: SchemaType::Avro,
        text: text.to_owned(),
        references: references.iter().map(reference).collect(),
    }
}

/// What a single object of the schema begins with, without its two bytes of marker.
fn fingerprint(schema: &schemas::Schema) -> String {
    let start = AvroWriter::single_object(schema).unwrap();
    assert_eq!(start[..2], [0xc3, 0x01]);
    java::hex(&start[2..])
}

/// Adds to a schema what its canonical form does not have, in another order of members.
fn adorned(schema: &Json, random: &mut Random) -> Json {
    match schema {
        Json::Array(branches) => branches.iter().map(|it| adorned(it, random)).collect(),
        Json::Object(members) => {
            let mut all: Vec<(String, Json)> = members
                .iter()
                .map(|(name, value)| match name.as_str() {
                    // What a logical type stands on is a plain name.
                    "type" if members.contains_key("logicalType") => (name.clone(), value.clone()),
                    "type" | "items" | "values" => (name.clone(), adorned(value, random)),
                    "fields" => {
                        let fields = value.as_array().unwrap().iter();
                        let fields: Json = fields.map(|it| adorned(it, random)).collect();
                        (name.clone(), fields)
                    }
                    _ => (name.clone(), value.clone()),
                })
                .collect();
            if members.contains_key("name") {
                let doc = ("doc", json!("\"said\" \\ ä\u{1} /"));
                let aliases = ("aliases", json!(["other", "an.other"]));
                let own = ("x-owner", json!({ "type": "int", "name": 7 }));
                for (name, value) in [doc, aliases, own] {
                    if random.below(2) == 0 {
                        all.push((name.to_owned(), value));
                    }
                }
            }
            for last in (1..all.len()).rev() {
                all.swap(last, random.below(last + 1));
            }
            all.into_iter().collect()
        }
        // A primitive may be spelt as an object.
        Json::String(name) if PRIMITIVES.contains(&name.as_str()) && random.below(3) == 0 => {
            json!({ "type": name })
        }
        other => other.clone(),
    }
}

/// Each rule of the form by itself, and then random schemas that need many.
fn schemas() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in PRIMITIVES {
        all.push(format!("\"{name}\""));
        all.push(format!("{{ \"type\" : \"{name}\" }}"));
        all.push(format!(
            "{{\"items\":{{\"type\":\"{name}\"}},\"type\":\"array\"}}"
        ));
    }
    let rules = [
        r#"[ ]"#,
        r#"[ "int" , { "type" : "boolean" } ]"#,
        r#"{"fields":[],"type":"record","name":"Plain"}"#,
        r#"{"fields":[],"type":"record","name":"Plain","namespace":"s.t"}"#,
        r#"{"fields":[],"type":"record","name":"u.v.Plain","namespace":"s.t"}"#,
        r#"{"fields":[],"type":"record","name":"Plain","namespace":""}"#,
        r#"{"type":"record","name":"Out","namespace":"a.b","fields":[
            {"name":"same","type":{"type":"enum","name":"In","symbols":["A","B"]}},
            {"name":"none","type":{"type":"fixed","name":"F","namespace":"","size":4}},
            {"name":"again","type":["null","In","a.b.Out"],"default":null,"order":"ignore"}]}"#,
        r#"{"type":"record","name":"error.Name","fields":[{"name":"a","type":"long","doc":"d",
            "aliases":["b"],"default":"no number","order":"descending"}]}"#,
        r#"{"namespace":"s.t.u","type":"enum","name":"E","doc":"d","symbols":["A1","A2"],"default":"A1"}"#,
        r#"{"type":"fixed","name":"F","size":16,"logicalType":"duration-not","doc":"d"}"#,
        r#"{"type":"fixed","name":"D","size":12,"logicalType":"duration"}"#,
        r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#,
        r#"{"type":"string","logicalType":"uuid"}"#,
        r#"{"type":"long","logicalType":"timestamp-millis"}"#,
        r#"{"type":"array","items":{"type":"null"},"java-class":"x"}"#,
        r#"{"values":"string","type":"map"}"#,
        r#"{"name":"Tree","type":"record","fields":[{"name":"value","type":["null","int","Tree"]}]}"#,
    ];
    all.extend(rules.map(str::to_owned));
    for seed in 0..2_000 {
        let mut random = Random::new(90_000 + seed);
        let schema = SchemaMaker::new().record(&mut random, 4);
        all.push(adorned(&schema, &mut random).to_string());
    }
    all
}

#[test]
fn canonical_forms_and_fingerprints_are_java_s() {
    let all = schemas();
    let tasks: Vec<Json> = all.iter().map(|text| json!({ "writer": text })).collect();
    let Some(answers) = java::answers(&tasks) else {
        return;
    };
    let mut compared = 0;
    for (text, answer) in all.iter().zip(&answers) {
        if let Some(error) = answer["error"].as_str() {
            panic!("Java refuses {text}: {error}");
        }
        let schema = schema(text, &[]);
        let form = canonical_form(&schema).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(form, answer["canonical"], "{text}");
        assert_eq!(fingerprint(&schema), answer["fingerprint"], "{text}");
        compared += 1;
    }
    assert!(compared > 2_000, "{compared}");
}

/// A schema whose types are in others is the schema in which they all are.
#[test]
fn what_is_referred_to_is_part_of_the_form() {
    let money =
        r#"{"type":"record","name":"a.Money","doc":"d","fields":[{"name":"n","type":"long"}]}"#;
    let line = r#"{"type":"record","name":"a.Line","fields":[{"name":"price","type":"Money"}]}"#;
    let order = r#"{"type":"record","name":"a.Order","fields":[
        {"name":"lines","type":{"type":"array","items":"Line"}},{"name":"sum","type":"a.Money"}]}"#;
    let whole = r#"{"type":"record","name":"a.Order","fields":[
        {"name":"lines","type":{"type":"array","items":{"type":"record","name":"a.Line","fields":[
            {"name":"price","type":{"type":"record","name":"Money","fields":[
                {"name":"n","type":"long"}]}}]}}},
        {"name":"sum","type":"Money"}]}"#;
    let (parts, whole) = (schema(order, &[money, line]), schema(whole, &[]));
    assert_eq!(
        canonical_form(&parts).unwrap(),
        canonical_form(&whole).unwrap()
    );
    assert_eq!(fingerprint(&parts), fingerprint(&whole));
}
