//! What this machine has to offer.

use std::env;
use std::path::PathBuf;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory that a program could take now; `None` if the system does not say. A container's limit counts.
pub fn free_memory() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory);
    let limit = system
        .cgroup_limits()
        .map(|limits| limits.free_memory)
        .filter(|free| *free > 0);
    let free = Some(system.available_memory()).filter(|free| *free > 0);
    free.into_iter().chain(limit).min()
}

/// The ffmpeg on the search path, if there is one.
pub fn ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}
