//! One at a time changes what directories say of themselves, whichever process it is of.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use super::output::io_error;
use crate::sink::SinkError;

/// Below the sink's own directory. Empty, and left there: who removed it would lock another file
/// than who waits for it.
const NAME: &str = ".weir.lock";

/// A lock that all processes know which write below a directory. The system gives it back when a
/// process ends, however it does.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// Whether the file system has such locks.
    works: bool,
}

/// Held until it is dropped.
pub(super) struct Held<'l>(&'l Lock);

impl Lock {
    pub(super) fn open(root: &Path) -> Result<Self, SinkError> {
        let path = root.join(NAME);
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&path);
        Ok(Lock {
            file: file.map_err(io_error("creating", &path))?,
            works: true,
        })
    }

    pub(super) fn hold(&mut self, root: &Path) -> Result<Held<'_>, SinkError> {
        if self.works
            && let Err(error) = self.file.lock()
        {
            if error.kind() != ErrorKind::Unsupported {
                return Err(io_error("locking", &root.join(NAME))(error));
            }
            self.works = false;
            tracing::warn!(
                "the file system of {} has no locks: no other process may write there",
                root.display()
            );
        }
        Ok(Held(self))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.0.works
            && let Err(error) = self.0.file.unlock()
        {
            tracing::debug!("unlocking: {error}");
        }
    }
}
