//! What a pipe has given so far.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// All that comes out of a pipe, read by a thread of its own.
#[derive(Debug)]
pub(super) struct Capture {
    shared: Arc<Shared>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl State {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Capture {
    /// Reads `pipe` until it closes.
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let sink = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock().bytes.extend_from_slice(&buffer[..count]);
                sink.news.notify_all();
            }
            sink.lock().closed = true;
            sink.news.notify_all();
        });
        Self {
            shared,
            reader: Mutex::new(Some(reader)),
        }
    }

    /// The text so far.
    pub(super) fn text(&self) -> String {
        self.shared.lock().text()
    }

    /// The whole lines so far.
    pub(super) fn lines(&self) -> usize {
        let state = self.shared.lock();
        state.bytes.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The whole text, once the other end is closed.
    pub(super) fn to_end(&self) -> String {
        let reader = self.reader.lock().expect("not poisoned").take();
        if let Some(reader) = reader {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }

    /// Waits until the text is as wanted, or the other end is closed; returns whether it is.
    pub(super) fn wait_until(&self, patience: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            if wanted(&state.text()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return false;
            }
            let woken = self.shared.news.wait_timeout(state, left);
            state = woken.expect("not poisoned").0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }
}
