//! The JSON Schema Test Suite, through the deserializer with validation on.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stdout, reason = "figures for whoever runs it alone")]

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{Registry, json_schema, try_decode};
use weir_json::{Decoder, Options};

/// Each draft with the folder of its cases and its `$schema`.
const DRAFTS: [(&str, &str); 5] = [
    ("draft4", "http://json-schema.org/draft-04/schema#"),
    ("draft6", "http://json-schema.org/draft-06/schema#"),
    ("draft7", "http://json-schema.org/draft-07/schema#"),
    (
        "draft2019-09",
        "https://json-schema.org/draft/2019-09/schema",
    ),
    (
        "draft2020-12",
        "https://json-schema.org/draft/2020-12/schema",
    ),
];

/// Where the suite lies, or `None` after a line that says that the test is skipped.
fn suite() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(root.join("scripts/json-schema-suite"))
        .output()
        .unwrap();
    if output.status.success() {
        return Some(String::from_utf8(output.stdout).unwrap().trim().into());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = why.trim_end().lines().last().unwrap_or_default().to_owned();
    let required = std::env::var("WEIR_REQUIRE_PYTHON").is_ok_and(|it| it == "1");
    assert!(!required, "{why}, and WEIR_REQUIRE_PYTHON=1 requires it");
    let line = format!("skipped: verdicts_are_those_of_the_suite because {why}");
    let _ = writeln!(std::io::stderr(), "{line}");
    None
}

/// All files below a folder, with their names from there.
fn files(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[derive(Default)]
struct Count {
    cases: usize,
    rows: usize,
    /// Valid messages that do not fit the columns that their schema suggests.
    unfit: usize,
}

#[test]
fn verdicts_are_those_of_the_suite() {
    let Some(suite) = suite() else {
        return;
    };
    let mut remotes = BTreeMap::new();
    files(
        &suite.join("remotes"),
        "http://localhost:1234/",
        &mut remotes,
    );
    let mut failed = Vec::new();
    for (draft, uri) in DRAFTS {
        let mut count = Count::default();
        for entry in std::fs::read_dir(suite.join("tests").join(draft)).unwrap() {
            let path = entry.unwrap().path();
            // The folder `optional` is.
            if path.is_dir() {
                continue;
            }
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            let groups: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for group in groups.as_array().unwrap() {
                let about = group["description"].as_str().unwrap();
                let mut decoder = decoder(&group["schema"], uri, &remotes);
                for test in group["tests"].as_array().unwrap() {
                    count.cases += 1;
                    let valid = test["valid"].as_bool().unwrap();
                    let what = format!("{about}: {}", test["description"].as_str().unwrap());
                    let verdict = decoder
                        .as_mut()
                        .map_err(|error| error.clone())
                        .and_then(|(decoder, registry)| verdict(decoder, registry, &test["data"]));
                    match verdict {
                        Ok(Verdict::Row) if valid => count.rows += 1,
                        Ok(Verdict::Unfit) if valid => count.unfit += 1,
                        Ok(Verdict::NotValid) if !valid => {}
                        other => failed.push(format!("{draft}/{file}: {what}: {other:?}")),
                    }
                }
            }
        }
        let Count { cases, rows, unfit } = count;
        println!(
            "{draft}: {cases} cases; of the valid messages {rows} are rows and {unfit} do not fit their columns"
        );
        assert!(cases > 500, "{draft}: {cases}");
        // What does not fit is rare: values that a schema without `type` allows beside objects.
        assert!(unfit * 5 < rows, "{draft}: {unfit}");
    }
    assert!(
        failed.is_empty(),
        "{} cases:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// A decoder for the latest schema of a subject, which refers to all remote schemas.
fn decoder(
    schema: &Value,
    uri: &str,
    remotes: &BTreeMap<String, String>,
) -> Result<(Decoder, Registry), String> {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        // Older drafts do not say which they are.
        object.entry("$schema").or_insert_with(|| uri.into());
    }
    let options = json!({"schema.subject": "s", "validation": "on"});
    let options = Options::parse(&options.to_string())?;
    let remotes = remotes
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    let remotes: Vec<_> = remotes.collect();
    let mut registry = Registry::default();
    registry
        .subjects
        .insert("s".to_owned(), json_schema(&schema.to_string(), &remotes));
    Ok((Decoder::new(options)?, registry))
}

#[derive(Debug)]
enum Verdict {
    Row,
    Unfit,
    NotValid,
}

fn verdict(decoder: &mut Decoder, registry: &Registry, data: &Value) -> Result<Verdict, String> {
    let message = vec![Some(data.to_string().into_bytes())];
    let decoded = try_decode(decoder, registry, &message).map_err(|error| format!("{error:?}"))?;
    match (&decoded.groups[..], &decoded.errors[..]) {
        ([group], []) if group.len == 1 => Ok(Verdict::Row),
        ([], [error]) if error.reason.contains("not valid: ") => Ok(Verdict::NotValid),
        ([], [error]) if error.reason.contains("expected ") => Ok(Verdict::Unfit),
        _ => Err(format!("{:?}", decoded.errors)),
    }
}
