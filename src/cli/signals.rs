//! SIGTERM and SIGINT: the first asks for a clean stop, the second ends at once.

use std::io;
use std::process;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::logging::NOTICE;

/// Cancels `stop` on the first signal. When this returns, no signal ends the
/// process unheard any more.
///
/// # Errors
/// If the handlers or their thread cannot be installed.
pub fn watch(stop: CancellationToken) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (terminate, interrupt) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(obey(terminate, interrupt, stop)))?;
    Ok(())
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    received(&mut terminate, &mut interrupt).await;
    tracing::info!(
        target: NOTICE,
        "stopping: taking the final checkpoint; another signal ends the process at once"
    );
    stop.cancel();
    received(&mut terminate, &mut interrupt).await;
    // The state is safe at any moment: the next start goes on from the last checkpoint.
    process::exit(1);
}

async fn received(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
