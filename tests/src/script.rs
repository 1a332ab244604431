//! The scripts that install a peer and print where it is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is one folder below the root")
}

/// Runs `scripts/<name>` and returns the path it prints, or the last line of its complaint.
pub(crate) fn path_from(name: &str) -> Result<PathBuf, String> {
    let output = Command::new(root().join("scripts").join(name))
        .current_dir(root())
        .output()
        .map_err(|error| format!("scripts/{name} cannot run: {error}"))?;
    let last_line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.trim_end()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    };
    if output.status.success() {
        Ok(PathBuf::from(last_line(&output.stdout)))
    } else {
        Err(last_line(&output.stderr))
    }
}
