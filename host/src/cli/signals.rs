//! Ctrl-C and SIGTERM: the first asks to stop, the second ends the process.

use tokio::signal::unix::{SignalKind, signal};

use super::show;
use crate::stop::Stop;

/// What a shell reports for a process that Ctrl-C ended.
const EXIT_ABORTED: i32 = 130;

/// Listens from now on, on a thread of its own.
pub(super) fn heed(stop: Stop) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let listen = async move {
        let mut next =
            async || tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () };
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
