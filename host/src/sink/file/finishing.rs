//! Directories by event time: when one is finished, and what others have left, or do meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::directories::{Bucket, Width};
use super::manifest::{self, Entry};
use super::output::{io_error, sync_directory};
use super::{FileSink, OpenFile, failed};
use crate::sink::SinkError;

/// How often a run looks for directories of others that have ended without finishing them.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl FileSink {
    /// Finishes all directories that the watermark has passed.
    pub(super) fn reach(&mut self, watermark: i64) -> Result<(), SinkError> {
        self.watermark = self.watermark.max(Some(watermark));
        let Some(width) = self.width else {
            return Ok(());
        };
        while let Some(bucket) = self.unfinished.first().copied()
            && width.is_past(bucket, watermark)
        {
            self.finish(bucket, watermark)?;
        }
        Ok(())
    }

    /// Those that are there and have no mark: of an earlier run, or of another process.
    pub(super) fn find_unfinished(&mut self) -> Result<(), SinkError> {
        let Some(width) = self.width else {
            return Ok(());
        };
        let root = &self.config.path;
        let existing = width
            .existing(root)
            .map_err(io_error("looking into", root))?;
        for (bucket, directory) in existing {
            if !manifest::is_complete(&directory)? {
                self.unfinished.insert(bucket);
            }
        }
        Ok(())
    }

    /// Looks for them again, now and then.
    pub(super) fn look_again(&mut self, now: Instant) -> Result<(), SinkError> {
        let due = *self.next_look.get_or_insert(now + LOOK_AGAIN);
        if self.width.is_none() || now < due {
            return Ok(());
        }
        self.next_look = Some(now + LOOK_AGAIN);
        self.find_unfinished()?;
        match self.watermark {
            Some(watermark) => self.reach(watermark),
            None => Ok(()),
        }
    }

    pub(super) fn directory(&self, bucket: Bucket) -> PathBuf {
        let below = self.width.and_then(|width| width.directory(bucket));
        match below {
            Some(below) => self.config.path.join(below),
            None => self.config.path.clone(),
        }
    }

    /// Whether a directory is complete, so that what comes for it is late.
    pub(super) fn is_finished(&mut self, width: Width, bucket: Bucket) -> Result<bool, SinkError> {
        if !matches!(bucket, Bucket::Number(_)) || self.unfinished.contains(&bucket) {
            return Ok(false);
        }
        if self.watermark.is_some_and(|w| width.is_past(bucket, w)) {
            return Ok(true);
        }
        // By an earlier run, perhaps, of which some rows come once more.
        let finished = manifest::is_complete(&self.directory(bucket))?;
        if !finished {
            self.unfinished.insert(bucket);
        }
        Ok(finished)
    }

    /// Completes all that a directory has, and marks it.
    fn finish(&mut self, bucket: Bucket, watermark: i64) -> Result<(), SinkError> {
        self.complete_those(|file| file.place.bucket == bucket)?;
        let directory = self.directory(bucket);
        let _held = match &mut self.lock {
            Some(lock) => Some(lock.hold(&self.config.path)?),
            None => None,
        };
        // What a crash has left unnamed is no file, and comes again.
        if manifest::has_files(&directory)? && !manifest::is_complete(&directory)? {
            manifest::complete(&directory, watermark)?;
        }
        self.unfinished.remove(&bucket);
        Ok(())
    }

    /// Gives a file its name, and lists it in its directory.
    pub(super) fn publish(&mut self, file: OpenFile) -> Result<(), SinkError> {
        let OpenFile {
            place,
            mut path,
            encoder,
            ..
        } = file;
        let mut output = encoder
            .finish()
            .map_err(|error| failed("completing", &path, error))?;
        // What takes long is done before the others have to wait.
        output.sync()?;
        let directory = self.directory(place.bucket);
        let Some(lock) = &mut self.lock else {
            return output.publish(&path);
        };
        let _held = lock.hold(&self.config.path)?;
        let is_complete = manifest::is_complete(&directory)?;
        let mut late = place.late;
        if is_complete && !late {
            // Another process has found that all rows which are not late are there.
            late = true;
            path = late_name(&path);
            self.unfinished.remove(&place.bucket);
        }
        output.publish(&path)?;
        // After the file has its name: whoever reads the manifest finds what it lists.
        let bytes = fs::metadata(&path).map_err(io_error("looking at", &path))?;
        let entry = Entry {
            name: file_name(&path),
            rows: file.rows,
            bytes: bytes.len(),
            late,
            extent: file.extent,
        };
        manifest::add(&directory, entry)?;
        // One that was passed before anything came for it.
        if let (true, false, Some(watermark)) = (late, is_complete, self.watermark) {
            manifest::complete(&directory, watermark)?;
        }
        Ok(())
    }
}

/// Makes a directory below `root`, and brings its name to disk.
pub(super) fn make(directory: &Path, root: &Path) -> Result<(), SinkError> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(io_error("making", directory))?;
    for parent in directory.ancestors().skip(1) {
        sync_directory(parent).map_err(io_error("syncing", parent))?;
        if parent == root {
            break;
        }
    }
    Ok(())
}

/// `orders-…-000001.ndjson.gz` as `orders-…-000001-late.ndjson.gz`: the pipeline's name, which comes
/// first, may have points of its own.
fn late_name(path: &Path) -> PathBuf {
    let name = file_name(path);
    let number = name.rfind('-').unwrap_or(0);
    let end = name[number..]
        .find('.')
        .map_or(name.len(), |at| number + at);
    path.with_file_name(format!("{}-late{}", &name[..end], &name[end..]))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_late_before_its_extension() {
        let late = |name: &str| file_name(&late_name(Path::new(name)));
        assert_eq!(
            late("a.b-1-2-000001.ndjson.gz"),
            "a.b-1-2-000001-late.ndjson.gz"
        );
        assert_eq!(late("x/o-000001.parquet"), "o-000001-late.parquet");
    }
}
