//! Google's Python protobuf, asked by lines of JSON.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// The answers of a script; `None`, after a line that says so, where it cannot be had.
pub(crate) fn answers(script: &str, tasks: &[Json]) -> Option<Vec<Json>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new(root.join("scripts/python-peer"))
        .output()
        .unwrap();
    if !found.status.success() {
        let reason = String::from_utf8_lossy(&found.stderr);
        let reason = reason.trim().lines().last().unwrap_or_default().to_owned();
        let required = std::env::var("WEIR_REQUIRE_PYTHON").is_ok_and(|required| required == "1");
        assert!(!required, "{reason}, and WEIR_REQUIRE_PYTHON=1 requires it");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Not `eprintln!`: the test harness would swallow the line of a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {test} because Google's Python protobuf is not available: {reason}"
        );
        return None;
    }
    let interpreter = String::from_utf8(found.stdout).unwrap();
    let mut python = Command::new(interpreter.trim())
        .arg(root.join("tests/python").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    let lines: String = tasks.iter().map(|task| format!("{task}\n")).collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let answers: Vec<Json> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), tasks.len());
    Some(answers)
}

pub(crate) fn hex(message: &[u8]) -> String {
    message.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
