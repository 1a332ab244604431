//! Ctrl-C and SIGTERM: the first asks to stop, the second ends the process. SIGHUP: read the
//! file again.

use tokio::signal::unix::{SignalKind, signal};

use super::show;
use crate::stop::Stop;

/// What a shell reports for a process that Ctrl-C ended.
const EXIT_ABORTED: i32 = 130;

/// Listens from now on, on a thread of its own.
pub(super) fn heed(stop: Stop, mut reload: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    let listen = async move {
        let mut next = async || {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return,
                    _ = terminate.recv() => return,
                    _ = hangup.recv() => reload(),
                }
            }
        };
        next().await;
        show::note(
            "stopping: delivering and committing what is under way; once more to end at once",
        );
        stop.request();
        next().await;
        std::process::exit(EXIT_ABORTED);
    };
    std::thread::Builder::new()
        .name("weir-signals".into())
        .spawn(move || runtime.block_on(listen))?;
    Ok(())
}
