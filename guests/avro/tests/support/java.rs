//! Avro's own Java library: `tests/avro/Resolve.java`, a JSON object a line in and out.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// Its answers to tasks; `None`, after a line that says so, where it cannot be had.
///
/// # Panics
/// If it cannot be had although `WEIR_REQUIRE_KAFKA`, which stands for Java and Maven, is 1.
pub(crate) fn answers(tasks: &[Json]) -> Option<Vec<Json>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new(root.join("scripts/avro-java"))
        .output()
        .unwrap();
    if !found.status.success() {
        let reason = String::from_utf8_lossy(&found.stderr);
        let reason = reason.trim().lines().last().unwrap_or_default().to_owned();
        let required = std::env::var("WEIR_REQUIRE_KAFKA").is_ok_and(|required| required == "1");
        assert!(!required, "{reason}, and WEIR_REQUIRE_KAFKA=1 requires it");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let peer = "Avro's Java library is not available";
        // Not `eprintln!`: the test harness would swallow the line of a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {test} because {peer}: {reason}"
        );
        return None;
    }
    let class_path = String::from_utf8(found.stdout).unwrap();
    let mut java = Command::new("java")
        .args(["-Xss4m", "-cp", class_path.trim(), "Resolve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = java.stdin.take().unwrap();
    let lines: String = tasks.iter().map(|task| format!("{task}\n")).collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = java.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let answers: Vec<Json> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), tasks.len());
    Some(answers)
}

/// Bytes as the tasks and answers have them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same the other way.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
