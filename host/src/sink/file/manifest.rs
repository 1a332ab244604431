//! What a directory has, as JSON beside its files, and the mark that says that it has all.
//!
//! `_manifest.json` lists the files whose rows are durable: it is written anew, and renamed, after
//! each file. A file that is not in it is from a run that crashed before it was told that the file
//! is complete: its rows come again. `_SUCCESS`, an empty file, is made when the watermark has
//! passed the directory. Readers skip names that begin with `_`, by custom.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directories::joined;
use super::output::{io_error, sync_directory};
use crate::batch::TopicPartition;
use crate::sink::SinkError;

const MANIFEST: &str = "_manifest.json";
const TEMPORARY: &str = "._manifest.json.inprogress";
const SUCCESS: &str = "_SUCCESS";
const VERSION: u32 = 1;

/// The files of one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    /// Whether the watermark has passed the directory.
    complete: bool,
    /// The watermark that has, in ms since the epoch.
    watermark: Option<i64>,
    /// Of all files.
    rows: u64,
    extent: Extent,
    files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Whether it came after the directory was complete.
    pub(super) late: bool,
    pub(super) extent: Extent,
}

/// What rows span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    /// The least event time, in ms since the epoch; null without one.
    min_event_time: Option<i64>,
    /// The greatest.
    max_event_time: Option<i64>,
    /// By topic and partition: the first and the last offset, both among the rows.
    offsets: BTreeMap<String, BTreeMap<i32, Offsets>>,
}

/// Not all between the two need be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offsets {
    first: i64,
    last: i64,
}

impl Extent {
    /// Takes rows in: their event times and offsets.
    pub(super) fn add(
        &mut self,
        source: &TopicPartition,
        offsets: impl Iterator<Item = i64>,
        times: Option<(i64, i64)>,
    ) {
        let range = offsets.fold(None, |range, offset| joined(range, Some((offset, offset))));
        self.add_times(times);
        if let Some((first, last)) = range {
            self.add_offsets(&source.topic, source.partition, Offsets { first, last });
        }
    }

    fn join(&mut self, other: &Self) {
        self.add_times(other.min_event_time.zip(other.max_event_time));
        for (topic, partitions) in &other.offsets {
            for (partition, offsets) in partitions {
                self.add_offsets(topic, *partition, *offsets);
            }
        }
    }

    fn add_times(&mut self, times: Option<(i64, i64)>) {
        let all = joined(self.min_event_time.zip(self.max_event_time), times);
        (self.min_event_time, self.max_event_time) = all.unzip();
    }

    fn add_offsets(&mut self, topic: &str, partition: i32, offsets: Offsets) {
        let partitions = self.offsets.entry(topic.to_owned()).or_default();
        let known = partitions.entry(partition).or_insert(offsets);
        known.first = known.first.min(offsets.first);
        known.last = known.last.max(offsets.last);
    }
}

/// Whether a directory is marked as complete.
pub(super) fn is_complete(directory: &Path) -> Result<bool, SinkError> {
    let mark = directory.join(SUCCESS);
    mark.try_exists().map_err(io_error("looking for", &mark))
}

/// Whether anything in a directory waits for its mark: a file that is complete.
pub(super) fn has_files(directory: &Path) -> Result<bool, SinkError> {
    Ok(!read(directory)?.files.is_empty())
}

/// Lists a file that has its name already.
pub(super) fn add(directory: &Path, entry: Entry) -> Result<(), SinkError> {
    let mut manifest = read(directory)?;
    manifest.files.retain(|known| known.name != entry.name);
    manifest.files.push(entry);
    write(directory, manifest)
}

/// Marks a directory as complete, all of whose files are listed.
pub(super) fn complete(directory: &Path, watermark: i64) -> Result<(), SinkError> {
    let mut manifest = read(directory)?;
    manifest.complete = true;
    manifest.watermark = Some(watermark);
    write(directory, manifest)?;
    let mark = directory.join(SUCCESS);
    let file = File::create(&mark).map_err(io_error("creating", &mark))?;
    file.sync_all().map_err(io_error("syncing", &mark))?;
    sync_directory(directory).map_err(io_error("syncing", directory))
}

fn read(directory: &Path) -> Result<Manifest, SinkError> {
    let path = directory.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Manifest {
                version: VERSION,
                ..Manifest::default()
            });
        }
        Err(error) => return Err(io_error("reading", &path)(error)),
    };
    let not_ours = |why: String| SinkError::Io {
        what: format!(
            "{} is no manifest of this version of weir: {why}. Move it, or its directory, away",
            path.display()
        ),
        source: ErrorKind::InvalidData.into(),
    };
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| not_ours(error.to_string()))?;
    match manifest.version {
        VERSION => Ok(manifest),
        other => Err(not_ours(format!("it is of version {other}"))),
    }
}

fn write(directory: &Path, mut manifest: Manifest) -> Result<(), SinkError> {
    manifest.rows = manifest.files.iter().map(|file| file.rows).sum();
    manifest.extent = Extent::default();
    for file in &manifest.files {
        manifest.extent.join(&file.extent);
    }
    let (path, temporary) = (directory.join(MANIFEST), directory.join(TEMPORARY));
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(|error| SinkError::Io {
        what: format!("writing {}", path.display()),
        source: error.into(),
    })?;
    text.push(b'\n');
    let mut file = File::create(&temporary).map_err(io_error("creating", &temporary))?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(io_error("writing", &temporary))?;
    fs::rename(&temporary, &path).map_err(io_error("renaming to", &path))?;
    sync_directory(directory).map_err(io_error("syncing", directory))
}
