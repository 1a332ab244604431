//! Directories by event time.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::PartitionBy;
use crate::event_time::Times;
use crate::sink::testing::{numbers, rows_of, words};

/// 2026-11-24T12:00:00Z.
const NOON: i64 = 1_795_521_600_000;
const HOUR: i64 = 3_600_000;

struct Setup {
    directory: TempDir,
    config: FileSinkConfig,
}

impl Setup {
    fn new(format: FileFormat) -> Self {
        let directory = TempDir::new().unwrap();
        let config = FileSinkConfig {
            path: directory.path().to_owned(),
            format,
            compression: format.compressions()[0],
            roll_max_rows: u64::MAX,
            roll_max_bytes: u64::MAX,
            roll_interval: Duration::from_secs(60),
            partition_by: PartitionBy::EventTimeHour,
        };
        Self { directory, config }
    }

    fn sink(&self, run: u32) -> FileSink {
        let started = UNIX_EPOCH + Duration::from_secs(1_709_251_199);
        FileSink::open(&self.config, "orders", started, run).unwrap()
    }

    fn hour(&self, hour: u32) -> PathBuf {
        let below = format!("dt=2026-11-24/hour={hour:02}");
        self.directory.path().join(below)
    }

    fn names(&self, hour: u32) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.hour(hour)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn is_done(&self, hour: u32) -> bool {
        self.names(hour).iter().any(|name| name == "_SUCCESS")
    }

    fn manifest(&self, hour: u32) -> Value {
        let text = fs::read(self.hour(hour).join("_manifest.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Name and whether it is late, of each file that is listed. Each is there.
    fn listed(&self, hour: u32) -> Vec<(String, bool)> {
        let manifest = self.manifest(hour);
        let files = manifest["files"].as_array().unwrap();
        let listed = files.iter().map(|file| {
            let name = file["name"].as_str().unwrap().to_owned();
            let bytes = fs::metadata(self.hour(hour).join(&name)).unwrap().len();
            assert_eq!(file["bytes"], json!(bytes));
            (name, file["late"].as_bool().unwrap())
        });
        listed.collect()
    }
}

/// Rows at these times, counted from noon.
fn rows(after_noon: &[i64]) -> Rows {
    let count = i64::try_from(after_noon.len()).unwrap();
    let times = after_noon.iter().map(|ms| NOON + ms).collect();
    Rows {
        event_times: Some(Times::new(times)),
        ..rows_of(numbers(0..count))
    }
}

#[test]
fn a_directory_is_finished_when_the_watermark_has_passed_it() {
    for format in [FileFormat::Ndjson, FileFormat::Arrow, FileFormat::Parquet] {
        let setup = Setup::new(format);
        let mut sink = setup.sink(1);
        sink.write(&rows(&[0, HOUR, 5, HOUR - 1])).unwrap();
        sink.write(&rows(&[HOUR + 1])).unwrap();
        sink.settle(NOON + HOUR - 1).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 0);
        assert!(!setup.is_done(12));

        sink.settle(NOON + HOUR).unwrap();
        assert!(setup.is_done(12) && !setup.is_done(13));
        let manifest = setup.manifest(12);
        let (name, late) = &setup.listed(12)[0];
        assert!(!late && name.starts_with("orders-20240229T235959Z-00000001-"));
        let extent = json!({
            "min_event_time": NOON,
            "max_event_time": NOON + HOUR - 1,
            "offsets": { "orders": { "3": { "first": 100, "last": 103 } } },
        });
        let expected = json!({
            "version": 1, "complete": true, "watermark": NOON + HOUR, "rows": 3, "extent": extent,
            "files": [{
                "name": name, "rows": 3, "bytes": manifest["files"][0]["bytes"], "late": false,
                "extent": extent,
            }],
        });
        assert_eq!(manifest, expected);
        // Rows of the first write are in the open file as well.
        assert_eq!(sink.durable(Instant::now()).unwrap(), 0);
        sink.flush().unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 2);
        assert!(!setup.is_done(13), "it is durable, and more may come");
        assert_eq!(setup.manifest(13)["complete"], json!(false));
        assert_eq!(setup.manifest(13)["rows"], json!(2));
    }
}

#[test]
fn late_rows_have_files_of_their_own() {
    let setup = Setup::new(FileFormat::Parquet);
    let mut sink = setup.sink(1);
    sink.write(&rows(&[0])).unwrap();
    sink.settle(NOON + HOUR).unwrap();
    let before = setup.manifest(12);
    sink.write(&rows(&[7, HOUR])).unwrap();
    sink.write(&rows(&[3])).unwrap();
    assert_eq!(setup.manifest(12), before, "they are not durable yet");
    sink.flush().unwrap();
    let listed = setup.listed(12);
    let late: Vec<bool> = listed.iter().map(|(_, late)| *late).collect();
    assert_eq!(late, [false, true]);
    assert!(listed[1].0.ends_with("-late.parquet"), "{listed:?}");
    assert_eq!(setup.manifest(12)["rows"], json!(3));
    assert!(setup.is_done(12));

    // Of an hour of which nothing has come before.
    sink.settle(NOON + 2 * HOUR).unwrap();
    sink.write(&rows(&[-HOUR])).unwrap();
    assert!(!setup.is_done(11), "not before the row is durable");
    sink.flush().unwrap();
    assert!(setup.is_done(11));
    assert_eq!(setup.manifest(11)["complete"], json!(true));
}

#[test]
fn what_a_crash_has_left_is_finished_by_the_next_run() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut first = setup.sink(1);
    first.write(&rows(&[0, 1])).unwrap();
    first.flush().unwrap();
    // Of these nothing is durable.
    first.write(&rows(&[2, HOUR])).unwrap();
    std::mem::forget(first);
    // A file that has its name, and was not listed: its rows come again.
    let unlisted = setup.hour(12).join("orders-unlisted.ndjson");
    fs::write(unlisted, "{\"n\":9}\n").unwrap();

    let mut second = setup.sink(2);
    second.write(&rows(&[2])).unwrap();
    second.settle(NOON + 2 * HOUR).unwrap();
    assert!(setup.is_done(12));
    assert_eq!(setup.manifest(12)["rows"], json!(3));
    let runs: Vec<bool> = setup
        .listed(12)
        .iter()
        .map(|(name, late)| {
            assert!(!late);
            name.contains("-00000002-")
        })
        .collect();
    assert_eq!(runs, [false, true]);
    assert!(!setup.is_done(13), "nothing of it is durable");

    // The last of them comes once more after another crash: it is not lost, and is late.
    std::mem::forget(second);
    let mut third = setup.sink(3);
    third.write(&rows(&[2])).unwrap();
    third.flush().unwrap();
    assert_eq!(setup.listed(12).len(), 3);
    assert!(setup.listed(12)[2].1);
}

#[test]
fn a_mark_that_a_crash_prevented_is_made_up_for() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut first = setup.sink(1);
    first.write(&rows(&[0])).unwrap();
    first.settle(NOON + HOUR).unwrap();
    fs::remove_file(setup.hour(12).join("_SUCCESS")).unwrap();
    let mut second = setup.sink(2);
    assert!(!setup.is_done(12));
    second.settle(NOON + HOUR).unwrap();
    assert!(setup.is_done(12));
}

#[test]
fn few_files_are_open_however_many_directories_there_are() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut sink = setup.sink(1);
    let hours: Vec<i64> = (0..100).map(|hour| hour * HOUR).collect();
    sink.write(&rows(&hours)).unwrap();
    sink.write(&rows(&hours)).unwrap();
    assert_eq!(sink.open.len(), MAX_OPEN);
    assert_eq!(sink.durable(Instant::now()).unwrap(), 1);
    sink.settle(NOON + 100 * HOUR).unwrap();
    assert!(sink.unfinished.is_empty() && sink.open.is_empty());
    assert_eq!(setup.manifest(23)["rows"], json!(2));
    assert!(setup.is_done(23));
}

#[test]
fn rows_without_an_event_time_are_never_complete() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut sink = setup.sink(1);
    sink.write(&rows_of(words(&["a"]))).unwrap();
    sink.settle(i64::MAX).unwrap();
    sink.flush().unwrap();
    let null = "__HIVE_DEFAULT_PARTITION__";
    let directory = setup
        .directory
        .path()
        .join(format!("dt={null}/hour={null}"));
    let names = fs::read_dir(directory).unwrap();
    assert_eq!(names.count(), 2, "a file, and the manifest");
}

#[test]
fn schemas_are_apart_within_a_directory() {
    let setup = Setup::new(FileFormat::Arrow);
    let mut sink = setup.sink(1);
    sink.write(&rows(&[0])).unwrap();
    let other = Rows {
        event_times: Some(Times {
            values: Arc::new(vec![NOON]),
            none: -1,
        }),
        ..rows_of(words(&["a"]))
    };
    sink.write(&other).unwrap();
    sink.settle(NOON + HOUR).unwrap();
    assert_eq!(setup.listed(12).len(), 2);
}

#[test]
fn a_manifest_of_somebody_else_is_an_error_that_names_it() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut sink = setup.sink(1);
    fs::create_dir_all(setup.hour(12)).unwrap();
    for text in ["{", "{\"version\":1}", "[]"] {
        fs::write(setup.hour(12).join("_manifest.json"), text).unwrap();
        sink.write(&rows(&[0])).unwrap();
        let error = sink.flush().unwrap_err().to_string();
        assert!(error.contains("hour=12/_manifest.json"), "{error}");
        assert!(error.contains("Move it"), "{error}");
    }
}

/// Two runs that write to the same directories, at the same time.
#[test]
fn what_another_has_finished_gets_late_files_only() {
    let setup = Setup::new(FileFormat::Ndjson);
    let (mut one, mut two) = (setup.sink(1), setup.sink(2));
    one.write(&rows(&[0])).unwrap();
    two.write(&rows(&[1, HOUR])).unwrap();
    one.settle(NOON + HOUR).unwrap();
    assert!(setup.is_done(12) && !setup.is_done(13));
    assert_eq!(setup.manifest(12)["rows"], json!(1));
    // The other had begun a file, and is not told before it is complete.
    two.flush().unwrap();
    let listed = setup.listed(12);
    let late: Vec<bool> = listed.iter().map(|(_, late)| *late).collect();
    assert_eq!(late, [false, true]);
    let name = &listed[1].0;
    assert!(
        name.contains("-00000002-") && name.ends_with("-late.ndjson"),
        "{name}"
    );
    assert_eq!(setup.manifest(12)["watermark"], json!(NOON + HOUR));
    assert_eq!(setup.manifest(12)["complete"], json!(true));
    two.settle(NOON + 2 * HOUR).unwrap();
    assert_eq!(
        setup.manifest(12)["watermark"],
        json!(NOON + HOUR),
        "it stays"
    );
    assert!(setup.is_done(13));
}

#[test]
fn two_runs_lose_nothing_of_each_others_manifests() {
    let setup = Setup::new(FileFormat::Ndjson);
    std::thread::scope(|scope| {
        for run in 1..=4 {
            let setup = &setup;
            scope.spawn(move || {
                let mut sink = setup.sink(run);
                for row in 0..25 {
                    sink.write(&rows(&[row])).unwrap();
                    sink.flush().unwrap();
                }
            });
        }
    });
    assert_eq!(setup.listed(12).len(), 100);
    assert_eq!(setup.manifest(12)["rows"], json!(100));
}

#[test]
fn directories_of_others_that_have_ended_are_found() {
    let setup = Setup::new(FileFormat::Ndjson);
    let mut stays = setup.sink(1);
    let start = Instant::now();
    stays.durable(start).unwrap();
    let mut ends = setup.sink(2);
    ends.write(&rows(&[0])).unwrap();
    ends.flush().unwrap();
    drop(ends);
    stays.settle(NOON + HOUR).unwrap();
    stays.durable(start + Duration::from_secs(29)).unwrap();
    assert!(!setup.is_done(12));
    stays.durable(start + Duration::from_secs(30)).unwrap();
    assert!(setup.is_done(12));
}
