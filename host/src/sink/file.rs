//! Rows into a directory of files: JSON lines, Arrow IPC or Parquet.
//!
//! A file is written as `.<name>.inprogress`. When it is complete it is brought to disk and
//! renamed to `<name>`, and only then are its rows durable: readers that skip hidden files,
//! as they do by custom, see complete files only. A name is
//!
//! ```text
//! orders-20240229T235959Z-1f3a5b7c-9e8d7c6b-000001.parquet
//! pipeline  start of run  run      schema   file
//! ```
//!
//! so files of different runs never meet, and files with one schema share a part of the name.
//! A file holds rows of one schema.
//!
//! With `partition.by`, files are in a directory for each hour or day of event time. Once all
//! partitions of the consumer group have passed it, its files are completed, and it gets a file
//! `_SUCCESS`; rows that come later go to files of their own, whose names end in `-late`.
//! `_manifest.json` says what is in each file: see `manifest.rs`. Directories that another run has
//! left unfinished are finished by whoever finds them. Several processes may write to one tree: a
//! lock lets one at a time change what directories say of themselves.
//!
//! A run that crashed leaves its in-progress files behind;
//! their rows were not durable and come again from Kafka. They are never read, renamed or
//! removed here (another process may be writing them): delete them when nobody is.

mod arrow_ipc;
mod directories;
mod finishing;
mod lock;
mod manifest;
mod ndjson;
mod output;
mod parquet;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use sha2::{Digest, Sha256};

use self::directories::{Bucket, Share, Width};
use self::finishing::make;
use self::lock::Lock;
use self::manifest::Extent;
use self::output::{Output, io_error};
use super::{Sink, SinkError};
use crate::config::{FileCompression, FileFormat, FileSinkConfig};
use crate::rows::Rows;

/// Files that may be open at a time. Beyond it, the one with the oldest rows is completed.
const MAX_OPEN: usize = 32;

/// Writes rows to files. One file is open for each schema, in each directory.
pub struct FileSink {
    config: FileSinkConfig,
    /// Of directories by event time, if there are any.
    width: Option<Width>,
    /// Directories that have something, and that no watermark has passed.
    unfinished: BTreeSet<Bucket>,
    watermark: Option<i64>,
    /// Held while what a directory says of itself is changed, where directories do.
    lock: Option<Lock>,
    /// When to look for directories of others.
    next_look: Option<Instant>,
    /// `<prefix>-<start of the run>-<run>`
    stem: String,
    files: u64,
    writes: u64,
    open: Vec<OpenFile>,
}

struct OpenFile {
    place: Place,
    schema: SchemaRef,
    path: PathBuf,
    encoder: Box<dyn FileEncoder>,
    rows: u64,
    /// The number of the first write that is in this file.
    first_write: u64,
    /// `None` until `durable` tells the time.
    since: Option<Instant>,
    extent: Extent,
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    bucket: Bucket,
    /// Whether the directory was complete before the row came.
    late: bool,
}

/// One file of one format.
trait FileEncoder: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;

    /// Bytes written, and about to be written.
    fn bytes(&self) -> u64;

    /// Completes the file's content, and gives back the file.
    fn finish(self: Box<Self>) -> Result<Output, ArrowError>;
}

impl FileSink {
    /// A sink for one run. `pipeline` is the first part of the files' names: characters other
    /// than letters, digits, `-`, `_` and `.` become `-`, and so do `_` and `.` at the start,
    /// which would hide the files. `started` and `run` tell the files from those of other runs:
    /// `run` has to be random, or else unique among all processes that write to the directory.
    ///
    /// # Errors
    /// [`SinkError::Io`] if the directory cannot be made.
    pub fn open(
        config: &FileSinkConfig,
        pipeline: &str,
        started: SystemTime,
        run: u32,
    ) -> Result<Self, SinkError> {
        fs::create_dir_all(&config.path).map_err(io_error("making", &config.path))?;
        let stem = format!(
            "{}-{}-{run:08x}",
            visible(pipeline),
            output::compact_utc(started)
        );
        let mut sink = Self {
            config: config.clone(),
            width: Width::of(config.partition_by),
            unfinished: BTreeSet::new(),
            watermark: None,
            lock: None,
            next_look: None,
            stem,
            files: 0,
            writes: 0,
            open: Vec::new(),
        };
        if sink.width.is_some() {
            sink.lock = Some(Lock::open(&config.path)?);
        }
        sink.find_unfinished()?;
        Ok(sink)
    }

    fn put(&mut self, place: Place, share: &Share, rows: &Rows) -> Result<(), SinkError> {
        let index = self.file_for(place, share.rows.schema_ref())?;
        let file = &mut self.open[index];
        file.encoder
            .write(&share.rows)
            .map_err(|error| failed("writing", &file.path, error))?;
        file.rows += share.rows.num_rows() as u64;
        if self.width.is_some() {
            let messages = share.chosen.iter().map(|row| rows.message(*row));
            let offsets = messages.map(|message| rows.messages.offsets[message]);
            file.extent.add(&rows.messages.source, offsets, share.times);
        }
        if file.rows >= self.config.roll_max_rows
            || file.encoder.bytes() >= self.config.roll_max_bytes
        {
            self.complete(index)?;
        }
        Ok(())
    }

    /// The place in `open` of the file for rows of a schema.
    fn file_for(&mut self, place: Place, schema: &SchemaRef) -> Result<usize, SinkError> {
        let same = |file: &OpenFile| {
            file.place == place
                && (std::sync::Arc::ptr_eq(&file.schema, schema) || file.schema == *schema)
        };
        if let Some(index) = self.open.iter().position(same) {
            return Ok(index);
        }
        if self.open.len() >= MAX_OPEN {
            let oldest = (0..self.open.len()).min_by_key(|&file| self.open[file].first_write);
            self.complete(oldest.unwrap_or_default())?;
        }
        let file = self.create(place, schema)?;
        self.open.push(file);
        Ok(self.open.len() - 1)
    }

    fn create(&mut self, place: Place, schema: &SchemaRef) -> Result<OpenFile, SinkError> {
        if self.config.format == FileFormat::Parquet {
            parquet::check(schema)?;
        }
        self.files += 1;
        let name = format!(
            "{}-{:08x}-{:06}{}.{}",
            self.stem,
            fingerprint(schema),
            self.files,
            if place.late { "-late" } else { "" },
            self.extension()
        );
        let directory = self.directory(place.bucket);
        if self.width.is_some() {
            make(&directory, &self.config.path)?;
        }
        let path = directory.join(&name);
        let output = Output::create(&path)?;
        let compression = self.config.compression;
        let encoder: Result<Box<dyn FileEncoder>, ArrowError> = match self.config.format {
            FileFormat::Ndjson => Ok(Box::new(ndjson::Ndjson::new(output, compression))),
            FileFormat::Arrow => {
                arrow_ipc::ArrowIpc::new(output, schema).map(|it| Box::new(it) as _)
            }
            FileFormat::Parquet => {
                parquet::Parquet::new(output, schema, compression).map(|it| Box::new(it) as _)
            }
        };
        Ok(OpenFile {
            place,
            schema: schema.clone(),
            encoder: encoder.map_err(|error| failed("starting", &path, error))?,
            path,
            rows: 0,
            first_write: self.writes,
            since: None,
            extent: Extent::default(),
        })
    }

    fn extension(&self) -> &'static str {
        match (self.config.format, self.config.compression) {
            (FileFormat::Ndjson, FileCompression::Gzip) => "ndjson.gz",
            (FileFormat::Ndjson, _) => "ndjson",
            (FileFormat::Arrow, _) => "arrow",
            (FileFormat::Parquet, _) => "parquet",
        }
    }

    fn complete(&mut self, index: usize) -> Result<(), SinkError> {
        let file = self.open.swap_remove(index);
        self.publish(file)
    }

    fn complete_those(&mut self, done: impl Fn(&OpenFile) -> bool) -> Result<(), SinkError> {
        while let Some(index) = self.open.iter().position(&done) {
            self.complete(index)?;
        }
        Ok(())
    }
}

impl Sink for FileSink {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        match self.width {
            _ if rows.is_empty() => {}
            None => {
                let place = Place {
                    bucket: Bucket::Whole,
                    late: false,
                };
                self.put(place, &Share::whole(rows), rows)?;
            }
            Some(width) => {
                let shares = width.shares(rows);
                let shares =
                    shares.map_err(|error| failed("dividing", &self.config.path, error))?;
                for share in shares {
                    let bucket = share.bucket;
                    let late = self.is_finished(width, bucket)?;
                    self.put(Place { bucket, late }, &share, rows)?;
                }
            }
        }
        self.writes += 1;
        Ok(())
    }

    fn durable(&mut self, now: Instant) -> Result<u64, SinkError> {
        for file in &mut self.open {
            file.since.get_or_insert(now);
        }
        self.look_again(now)?;
        let interval = self.config.roll_interval;
        self.complete_those(|file| {
            file.since
                .is_some_and(|since| now.saturating_duration_since(since) >= interval)
        })?;
        // Writes below the first of every open file are all in complete files.
        Ok(self
            .open
            .iter()
            .map(|file| file.first_write)
            .min()
            .unwrap_or(self.writes))
    }

    fn settles(&self) -> bool {
        self.width.is_some()
    }

    fn settle(&mut self, watermark: i64) -> Result<(), SinkError> {
        self.reach(watermark)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.complete_those(|_| true)
    }
}

fn visible(prefix: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name = prefix.replace(|c| !allowed(c), "-");
    let rest = name.trim_start_matches(['_', '.']);
    "-".repeat(name.len() - rest.len()) + rest
}

fn failed(doing: &str, path: &Path, error: ArrowError) -> SinkError {
    let what = format!("{doing} {}", path.display());
    match error {
        ArrowError::IoError(_, source) => SinkError::Io { what, source },
        source => SinkError::Format { what, source },
    }
}

/// Tells schemas apart in file names; a person's help, not an identity.
fn fingerprint(schema: &Schema) -> u32 {
    let mut hash = Sha256::new();
    for field in schema.fields() {
        hash.update(format!(
            "{:?} {} {}\n",
            field.name(),
            field.data_type(),
            field.is_nullable()
        ));
    }
    let digest: [u8; 32] = hash.finalize().into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod by_time_tests;
