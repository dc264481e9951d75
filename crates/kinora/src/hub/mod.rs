//! The Hugging Face hub: what a repository holds, and its files in the cache that other programs share.
//!
//! Why not the crate hf-hub: 0.5 keeps the layout of the cache but checks neither size nor hash of what arrives, names
//! its unfinished files in its own way, and needs further features of ureq; 1.0 stands on tokio, reqwest and xet, and
//! checks no hash on the way down either. What is needed here are three requests, so they are made with ureq, and the
//! cache has the very layout of the Python package huggingface_hub: `models--owner--name/{blobs,refs,snapshots}`.

mod cache;
mod client;
mod download;
mod repo;

pub use cache::{Cache, place};
pub use client::Client;
pub use download::fetch;
pub use repo::{Listing, RemoteFile, Repo};

use crate::failure::BadInput;
use anyhow::{Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the hub is if `HF_ENDPOINT` does not say otherwise.
const ENDPOINT: &str = "https://huggingface.co";
/// The revision that is meant when none is named.
pub const MAIN: &str = "main";

/// What the environment says of the hub, by the variables that its other programs look at.
#[derive(Debug)]
pub struct Settings {
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// Who asks, if somebody special does.
    pub token: Option<String>,
    /// Where files are kept.
    pub cache: Cache,
}

impl Settings {
    /// Reads `HF_ENDPOINT`, `HF_TOKEN` (or the file that logging in writes), `HF_HUB_CACHE` and `HF_HOME`.
    ///
    /// # Errors
    /// When the address is none, or the network is forbidden by `HF_HUB_OFFLINE`.
    pub fn from_environment() -> Result<Self> {
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            bail!(BadInput(format!(
                "HF_ENDPOINT is {endpoint:?}; it begins with https:// or http://"
            )));
        }
        if text("HF_HUB_OFFLINE").is_some_and(|value| value != "0") {
            bail!(BadInput(
                "HF_HUB_OFFLINE forbids the network; unset it to pull".to_owned()
            ));
        }
        let Some(cache) = cache() else {
            bail!(BadInput(
                "there is no home folder to keep files in; set HF_HOME".to_owned()
            ));
        };
        let kept = || fs::read_to_string(home()?.join("token")).ok();
        let token = text("HF_TOKEN").or_else(kept);
        let token = token.map(|token| token.trim().to_owned());
        Ok(Self {
            endpoint,
            token: token.filter(|token| !token.is_empty()),
            cache,
        })
    }
}

/// The cache of the hub's files; `None` if there is no home folder.
pub fn cache() -> Option<Cache> {
    let named = text("HF_HUB_CACHE").map(PathBuf::from);
    named.or_else(|| Some(home()?.join("hub"))).map(Cache::new)
}

/// The folder of all that concerns the hub.
fn home() -> Option<PathBuf> {
    let cache = || {
        let named = text("XDG_CACHE_HOME").map(PathBuf::from);
        named.or_else(|| Some(Path::new(&env::home_dir()?).join(".cache")))
    };
    let named = text("HF_HOME").map(PathBuf::from);
    named.or_else(|| Some(cache()?.join("huggingface")))
}

fn text(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}
