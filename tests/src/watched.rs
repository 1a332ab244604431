//! A child process that never outlives the test process.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Ends the child and removes its folder once the pipe from the test process closes.
///
/// A parent-death signal would not do: it follows the thread that spawned the
/// child, and that is a test's thread, which ends with its test.
const WATCHER: &str = r#"
read -r word
[ "$word" = done ] && exit
kill -KILL "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
rm -rf "$2"
"#;

/// A running child, with the watcher that ends it should the test process die.
#[derive(Debug)]
pub(crate) struct Watched {
    child: Child,
    watcher: Child,
}

impl Watched {
    /// Starts `command`; `folder` goes when the test process dies while the child is watched.
    pub(crate) fn spawn(command: &mut Command, folder: &Path) -> Self {
        let child = command.spawn().expect("the child starts");
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, "watcher", &child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self { child, watcher }
    }

    /// The child, for its pipes and its id.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends the child a signal, if it still runs.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// How the child ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    /// Asks the child to stop, and kills it after `patience`. Returns whether it stopped by itself.
    pub(crate) fn stop(mut self, patience: Duration) -> bool {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Kills the child at once, with SIGKILL.
    pub(crate) fn kill(self) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // Before the wait: until then, the child's id cannot be another's.
        if let Some(mut pipe) = self.watcher.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watcher.wait();
        let _ = self.child.wait();
    }
}
