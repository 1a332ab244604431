//! Plug-ins, built from their source as their authors build them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::script;

/// Builds the crate in `folder`, counted from the repository's root, with
/// `scripts/build-guest`, and puts the plug-in at `out`.
///
/// # Panics
///
/// If it does not build; what the script said is in the message.
pub fn build(folder: &str, out: &Path) -> PathBuf {
    build_with(&[], folder, out)
}

/// The same with options of the script, such as `--features serializer`.
///
/// # Panics
///
/// If it does not build; what the script said is in the message.
pub fn build_with(options: &[&str], folder: &str, out: &Path) -> PathBuf {
    let mut command = Command::new(script::root().join("scripts/build-guest"));
    command.args(options);
    command.arg(script::root().join(folder)).arg(out);
    let output = command.output().expect("the script runs");
    assert!(
        output.status.success(),
        "{folder} was not built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out.to_owned()
}
