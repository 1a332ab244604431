//! The tables of docs/formats/json.md, line by line.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{decoder, outline};

const PAGE: &str = include_str!("../../../docs/formats/json.md");

/// The lines of the table with this head: the codes in the first cell and in the second.
fn table(head: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let lines = PAGE
        .lines()
        .skip_while(|line| !line.starts_with(head))
        .skip(2);
    let lines = lines.take_while(|line| line.starts_with('|'));
    let codes = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            (codes(cells[0]), codes(cells[1]))
        })
        .collect()
}

/// The columns of a field `v`: its format, and what lies below.
fn columns(options: &Value) -> String {
    let lines = outline(&decoder(options));
    let below: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    below
        .join(" ")
        .replace('?', "")
        .strip_prefix("v: ")
        .unwrap()
        .to_owned()
}

#[test]
fn declared_columns_are_as_the_table_says() {
    let table = table("| type | Arrow");
    assert_eq!(
        table.iter().map(|(types, _)| types.len()).sum::<usize>(),
        29
    );
    for (types, formats) in table {
        assert_eq!(types.len(), formats.len());
        for (ty, format) in types.iter().zip(formats) {
            let parsed = serde_json::from_str(ty).unwrap_or_else(|_| Value::from(*ty));
            assert_eq!(columns(&json!({"columns": {"v": parsed}})), format, "{ty}");
        }
    }
}

#[test]
fn schemas_are_as_the_table_says() {
    let table = table("| JSON Schema | Arrow");
    assert_eq!(table.len(), 29);
    for (schema, format) in table {
        let property: Value = serde_json::from_str(schema[0]).unwrap();
        let schema = json!({"type": "object", "properties": {"v": property}});
        assert_eq!(columns(&json!({ "schema": schema })), format[0], "{schema}");
    }
}

#[test]
fn options_are_those_of_the_table() {
    let names: Vec<&str> = table("| option | values")
        .iter()
        .map(|(names, _)| names[0])
        .collect();
    let schema: Value = serde_json::from_str(include_str!("../src/options.schema.json")).unwrap();
    let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, known);
}
