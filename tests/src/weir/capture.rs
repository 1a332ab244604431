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
    bytes: Mutex<Vec<u8>>,
    news: Condvar,
}

impl Capture {
    /// Reads `pipe` until it closes.
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let sink = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock().extend_from_slice(&buffer[..count]);
                sink.news.notify_all();
            }
        });
        Self {
            shared,
            reader: Mutex::new(Some(reader)),
        }
    }

    /// The text so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock()).into_owned()
    }

    /// The whole text, once the other end is closed.
    pub(super) fn to_end(&self) -> String {
        let reader = self.reader.lock().expect("not poisoned").take();
        if let Some(reader) = reader {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }

    /// Waits until the text so far is as wanted; returns whether it is.
    pub(super) fn wait_until(&self, patience: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        let mut bytes = self.shared.lock();
        loop {
            if wanted(&String::from_utf8_lossy(&bytes)) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.shared.news.wait_timeout(bytes, left);
            bytes = woken.expect("not poisoned").0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("not poisoned")
    }
}
