//! The `weir` command, as its users run it: in a folder, with pipes, ended by signals.

mod capture;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::watched::Watched;
use capture::Capture;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of one's own with a pipeline file and what belongs to it.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

/// A command line of `weir` that was not started yet.
#[derive(Debug)]
#[must_use]
pub struct Weir<'p> {
    command: Command,
    project: &'p Project,
}

/// A running `weir`, which is killed when dropped.
#[derive(Debug)]
pub struct Running<'p> {
    process: Watched,
    /// Its folder is there as long as it runs.
    _project: &'p Project,
    stdout: Option<Capture>,
    stderr: Capture,
    started: Instant,
}

/// What came of a `weir`.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, unless somebody else read it.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From the start to the end.
    pub took: Duration,
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

impl Project {
    /// An empty folder, removed when dropped.
    ///
    /// # Panics
    ///
    /// If the system has no temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and returns its path.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, contents).expect("the file is written");
        path
    }

    /// `weir` with these arguments, in this folder.
    pub fn weir<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Weir<'_> {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.path())
            .env("WEIR_CACHE_DIR", self.cache())
            .env_remove("WEIR_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Weir {
            command,
            project: self,
        }
    }

    /// A cache of its own, so that no registry's schemas meet those of another test's at the
    /// same port; compiled code in it is everybody's.
    fn cache(&self) -> PathBuf {
        let (own, shared) = (self.path().join(".cache"), code_cache());
        std::fs::create_dir_all(&shared).expect("the build folder may be written");
        std::fs::create_dir_all(&own).expect("the folder is ours");
        match std::os::unix::fs::symlink(shared, own.join("code")) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                panic!("no link to the cache: {error}")
            }
            _ => own,
        }
    }

    /// `weir run` of a pipeline file that is written first, as `pipeline.yaml`.
    pub fn run(&self, pipeline: &str) -> Weir<'_> {
        self.write("pipeline.yaml", pipeline);
        self.weir(["run", "pipeline.yaml"])
    }
}

impl<'p> Weir<'p> {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it, reading all that it prints.
    #[must_use]
    pub fn start(self) -> Running<'p> {
        let (mut running, stdout) = self.start_unread();
        running.stdout = Some(Capture::of(stdout));
        running
    }

    /// Starts it with nobody reading its standard output but the caller.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_unread(mut self) -> (Running<'p>, ChildStdout) {
        let started = Instant::now();
        let mut process = Watched::spawn(&mut self.command, self.project.path());
        let child = process.child();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let running = Running {
            process,
            _project: self.project,
            stdout: None,
            stderr: Capture::of(stderr),
            started,
        };
        (running, stdout)
    }

    /// Starts it and waits for its end.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.start().finish()
    }
}

impl Running<'_> {
    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to stop, as Ctrl-C does.
    pub fn interrupt(&mut self) {
        self.process.signal(Signal::INT);
    }

    /// Asks it to read its pipeline file again.
    pub fn hang_up(&mut self) {
        self.process.signal(Signal::HUP);
    }

    /// Ends it as a crash does, without a chance to do anything.
    #[must_use]
    pub fn kill(mut self) -> Finished {
        self.process.signal(Signal::KILL);
        self.finish()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// The rows on standard output so far.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        rows(&self.stdout_so_far())
    }

    /// How many rows are on standard output so far.
    ///
    /// # Panics
    ///
    /// If somebody else reads it.
    #[must_use]
    pub fn row_count(&self) -> usize {
        let stdout = self.stdout.as_ref().expect("standard output is read here");
        stdout.lines()
    }

    /// Waits until standard output has this many rows, and returns all.
    ///
    /// # Panics
    ///
    /// If it takes too long; what was on standard error is in the message.
    pub fn wait_for_rows(&self, count: usize) -> Vec<Value> {
        let lines = |text: &str| text.matches('\n').count();
        let stdout = self.stdout.as_ref().expect("standard output is read here");
        let enough = stdout.wait_until(PATIENCE, |text| lines(text) >= count);
        let rows = self.rows();
        assert!(
            enough,
            "{} rows of {count}\n{}",
            rows.len(),
            self.stderr.text()
        );
        rows
    }

    /// Waits until standard error has this text.
    ///
    /// # Panics
    ///
    /// If it takes too long; what was on standard error is in the message.
    pub fn wait_for_stderr(&self, text: &str) {
        let found = self.stderr.wait_until(PATIENCE, |all| all.contains(text));
        assert!(found, "no `{text}` in:\n{}", self.stderr.text());
    }

    /// Standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Its resident memory in bytes, from /proc; `None` where there is no /proc.
    #[must_use]
    pub fn memory_bytes(&mut self) -> Option<u64> {
        let status = format!("/proc/{}/status", self.process.child().id());
        let status = std::fs::read_to_string(status).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes << 10)
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it takes too long; what was on standard error is in the message.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    /// Waits for its end, for so long at most.
    ///
    /// # Panics
    ///
    /// If it takes longer; what was on standard error is in the message.
    #[must_use]
    pub fn finish_within(mut self, patience: Duration) -> Finished {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.process.ended() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "weir has not ended after {patience:?}\n{}",
                self.stderr.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.started.elapsed();
        Finished {
            code: status.code(),
            stdout: self
                .stdout
                .as_ref()
                .map_or_else(String::new, Capture::to_end),
            stderr: self.stderr.to_end(),
            took,
        }
    }

    fn stdout_so_far(&self) -> String {
        self.stdout.as_ref().map_or_else(String::new, Capture::text)
    }
}

impl Finished {
    /// This, if the exit code is `code`.
    ///
    /// # Panics
    ///
    /// If it is another; what was on standard error is in the message.
    #[must_use]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The rows on standard output.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        rows(&self.stdout)
    }

    /// The lines of standard error that have this text.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| line.contains(text))
            .collect()
    }

    /// The one line of standard error with figures of the whole run.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[must_use]
    pub fn summary(&self) -> &str {
        match self.lines_with(" rows/s, ")[..] {
            [summary] => summary,
            _ => panic!("not one summary line in:\n{}", self.stderr),
        }
    }
}

/// Whole lines, each a JSON value: a line that was cut off by a kill does not count.
fn rows(text: &str) -> Vec<Value> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
        })
        .collect()
}

/// The command, which cargo built before the test that runs now, one folder above it.
fn binary() -> PathBuf {
    build_folder().join("weir-under-test")
}

/// One cache of compiled plug-ins for all tests, apart from the user's own. Its entries are
/// found by their content, so that none is ever stale.
fn code_cache() -> PathBuf {
    build_folder().join("weir-under-test.cache")
}

fn build_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let folder = test.parent().and_then(Path::parent);
    folder.expect("cargo's layout").to_owned()
}
