//! Ctrl-C as a flag that long work looks at.

use anyhow::{Context, Result};
use signal_hook::{consts::SIGINT, flag};
use std::sync::{Arc, atomic::AtomicBool};

/// Exit status of a program that Ctrl-C ended.
pub const EXIT_STATUS: i32 = 130;

/// A flag that the first Ctrl-C sets; the second ends the program at once.
pub fn listen() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let listening = flag::register_conditional_shutdown(SIGINT, EXIT_STATUS, Arc::clone(&stop))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&stop)));
    listening.context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
