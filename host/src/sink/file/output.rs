//! A file on its way from a hidden name to its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::SinkError;

/// A buffered file that counts its bytes.
///
/// Dropped before it is published, it is removed: its rows are not durable and will come again.
#[derive(Debug)]
pub(super) struct Output {
    // Dropped before `name`, so that the file is closed when it is removed.
    file: BufWriter<File>,
    written: u64,
    name: HiddenName,
}

#[derive(Debug)]
struct HiddenName {
    hidden: PathBuf,
    published: bool,
}

impl Output {
    /// A new file `.<name>.inprogress` in the directory of `path`.
    ///
    /// # Errors
    /// [`SinkError::Io`], also if one of the names is taken.
    pub(super) fn create(path: &Path) -> Result<Self, SinkError> {
        if path.try_exists().map_err(io_error("looking for", path))? {
            return Err(io_error("creating", path)(
                io::ErrorKind::AlreadyExists.into(),
            ));
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".inprogress");
        let hidden = path.with_file_name(name);
        let file = File::create_new(&hidden).map_err(io_error("creating", &hidden))?;
        Ok(Self {
            file: BufWriter::with_capacity(64 * 1024, file),
            written: 0,
            name: HiddenName {
                hidden,
                published: false,
            },
        })
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Brings the content to disk.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        let hidden = &self.name.hidden;
        self.file.flush().map_err(io_error("writing", hidden))?;
        let file = self.file.get_ref();
        file.sync_all().map_err(io_error("syncing", hidden))
    }

    /// Gives a file its name whose content is on disk, and brings the name to disk.
    pub(super) fn publish(self, path: &Path) -> Result<(), SinkError> {
        let Self { file, mut name, .. } = self;
        drop(file);
        fs::rename(&name.hidden, path).map_err(io_error("renaming to", path))?;
        name.published = true;
        match path.parent() {
            Some(directory) => sync_directory(directory).map_err(io_error("syncing", directory)),
            None => Ok(()),
        }
    }
}

impl Drop for HiddenName {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        if let Err(error) = fs::remove_file(&self.hidden) {
            tracing::warn!(file = %self.hidden.display(), %error, "cannot remove");
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file, and renames are journalled.
#[cfg(not(unix))]
pub(super) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn io_error<'a>(doing: &'a str, path: &'a Path) -> impl Fn(io::Error) -> SinkError + 'a {
    move |source| SinkError::Io {
        what: format!("{doing} {}", path.display()),
        source,
    }
}

/// `20240229T235959Z`; times before 1970 count as 1970.
pub(super) fn compact_utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut text = crate::sink::json::utc_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    text.retain(|c| c != '-' && c != ':');
    text
}
