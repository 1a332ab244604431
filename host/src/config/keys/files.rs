//! Keys of the file sink.

use crate::config::key::{Key, Kind, Unit};
use crate::config::sink::{FileCompression, FileFormat, PartitionBy};

pub(in crate::config) static FILE_PATH: Key = Key::new(
    "sink.file.path",
    Kind::Path,
    "The directory for the files. It is made where it does not exist.",
)
.required("./out");

pub(in crate::config) static FILE_FORMAT: Key = Key::choice(
    "sink.file.format",
    FileFormat::NAMES,
    "The format of the files.",
)
.required("parquet");

pub(in crate::config) static FILE_ROLL_ROWS: Key = Key::integer(
    "sink.file.roll.max.rows",
    (1, 1_000_000_000),
    Unit::Rows,
    "A file is finished when it has this many rows.",
)
.or("1000000");

pub(in crate::config) static FILE_ROLL_BYTES: Key = Key::integer(
    "sink.file.roll.max.bytes",
    (1, 64 << 30),
    Unit::Bytes,
    "A file is finished when it is about this large.",
)
.or("134217728");

pub(in crate::config) static FILE_ROLL_INTERVAL: Key = Key::integer(
    "sink.file.roll.interval.ms",
    (1, 86_400_000),
    Unit::Milliseconds,
    "A file is finished when it has been open for this long. Offsets are committed when a file \
     is finished, so this bounds what is read again after a crash.",
)
.or("60000");

pub(in crate::config) static FILE_COMPRESSION: Key = Key::choice(
    "sink.file.compression",
    FileCompression::NAMES,
    "How files are compressed: ndjson takes none or gzip, parquet none or zstd, arrow none.",
)
.or_else("zstd for parquet, none for the others");

pub(in crate::config) static FILE_PARTITION_BY: Key = Key::choice(
    "sink.file.partition.by",
    PartitionBy::NAMES,
    "Whether rows go to directories by their event time, in UTC: `dt=2026-11-24/hour=13` for \
     `event-time-hour`, `dt=2026-11-24` for `event-time-day`. A directory that all partitions of the \
     consumer group have passed gets an empty file `_SUCCESS`.",
)
.or("none");

pub(super) static ALL: &[&Key] = &[
    &FILE_PATH,
    &FILE_FORMAT,
    &FILE_ROLL_ROWS,
    &FILE_ROLL_BYTES,
    &FILE_ROLL_INTERVAL,
    &FILE_COMPRESSION,
    &FILE_PARTITION_BY,
];
