//! What this machine has to offer.

use std::env;
use std::path::PathBuf;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory that a program could take now; `None` if the system does not say. A container's limit counts.
pub fn free_memory() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(memory);
    // What is kept of files is given back when a program asks for memory.
    let limit = system
        .cgroup_limits()
        .map(|limits| limits.total_memory.saturating_sub(limits.rss))
        .filter(|free| *free > 0);
    let free = Some(system.available_memory()).filter(|free| *free > 0);
    free.into_iter().chain(limit).min()
}

/// Where the user's settings lie: `kinora` in the folder for settings.
pub fn settings_folder() -> Option<PathBuf> {
    own_folder("XDG_CONFIG_HOME", ".config")
}

/// Where what the user made for later is kept: `kinora` in the folder for data.
pub fn data_folder() -> Option<PathBuf> {
    own_folder("XDG_DATA_HOME", ".local/share")
}

/// Where what can be made again is kept: `kinora` in the folder for caches.
pub fn cache_folder() -> Option<PathBuf> {
    own_folder("XDG_CACHE_HOME", ".cache")
}

fn own_folder(variable: &str, at_home: &str) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let folder = set(variable)
        .or_else(|| set("APPDATA"))
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(at_home)));
    folder.map(|folder| folder.join("kinora"))
}

/// The ffmpeg on the search path, if there is one.
pub fn ffmpeg() -> Option<PathBuf> {
    let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}
