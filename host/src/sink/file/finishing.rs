//! Directories by event time: when one is finished, and what a crash has left.

use std::fs;
use std::path::{Path, PathBuf};

use super::directories::{Bucket, Width};
use super::manifest::{self, Entry, Extent};
use super::output::{io_error, sync_directory};
use super::{FileSink, Place};
use crate::sink::SinkError;

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

    /// Those that an earlier run has left.
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
        // What a crash has left unnamed is no file, and comes again.
        if manifest::has_files(&directory)? {
            manifest::complete(&directory, watermark)?;
        }
        self.unfinished.remove(&bucket);
        Ok(())
    }

    /// Lists a file that is complete, in its directory.
    pub(super) fn list(
        &mut self,
        place: Place,
        path: &Path,
        rows: u64,
        extent: Extent,
    ) -> Result<(), SinkError> {
        // After the file has its name: whoever reads the manifest finds what it lists.
        let bytes = fs::metadata(path).map_err(io_error("looking at", path))?;
        let entry = Entry {
            name: file_name(path),
            rows,
            bytes: bytes.len(),
            late: place.late,
            extent,
        };
        let directory = self.directory(place.bucket);
        manifest::add(&directory, entry)?;
        // One that was passed before anything came for it.
        if let (true, Some(watermark)) = (place.late, self.watermark)
            && !manifest::is_complete(&directory)?
        {
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

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
