//! The work steps back behind the answers.

/// How far: beside a thread that answers, one that works gets about a tenth of a processor.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets this thread, and those that it starts from now on, work in the time that others leave. An answer takes a millisecond
/// and a job minutes, so the job hardly notices, while a client would wait for a job's thread to be interrupted.
///
/// On systems other than Linux priorities belong to whole programs, and this does nothing.
pub fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "the work keeps the priority of the answers");
    }
}
