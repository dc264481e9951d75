//! A repository of the hub, and what it lists. All of it comes from outside: names become paths, so each is checked.

use crate::failure::BadInput;
use anyhow::{Result, bail};
use serde::Deserialize;
use std::path::{Component, Path};

/// A repository of models: `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo(String);

impl Repo {
    /// Takes `owner/name`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let fine = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.len() <= 96 && part.chars().all(known)
        };
        let plain = |part: &str| fine(part) && !part.starts_with('.') && !part.contains("--");
        match text.split_once('/') {
            Some((owner, name)) if plain(owner) && plain(name) => Ok(Self(text.to_owned())),
            _ => bail!(BadInput(format!(
                "{text:?} is no repository of the hub; one is named owner/name"
            ))),
        }
    }

    /// `owner/name`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name of its folder in the cache.
    pub fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }

    /// The repository whose folder has this name.
    pub fn of_folder(name: &str) -> Option<Self> {
        let name = name.strip_prefix("models--")?;
        Self::parse(&name.replacen("--", "/", 1)).ok()
    }
}

/// What a file's bytes must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256, in hex: of files that git keeps aside.
    Sha256(String),
    /// SHA-1 as git takes it of a file, in hex.
    Git(String),
}

impl Digest {
    /// The hex digits: the file's ETag, and the name of its blob in the cache.
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

/// A file as the hub lists it.
#[derive(Clone, Debug)]
pub struct RemoteFile {
    /// Where it is in the repository; it never leads out of it.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What its bytes must give.
    pub digest: Digest,
}

/// A repository at one revision.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The repository.
    pub repo: Repo,
    /// The commit that the revision stands for.
    pub commit: String,
    /// The licence that its card states.
    pub licence: Option<String>,
    /// All its files.
    pub files: Vec<RemoteFile>,
}

/// The answer to `/api/models/{repo}/revision/{revision}`.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    sha: String,
    #[serde(default, rename = "cardData")]
    card: Option<serde_json::Value>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Info {
    /// The commit.
    pub fn commit(&self) -> Result<&str> {
        match is_hex(&self.sha, 40) {
            true => Ok(&self.sha),
            false => bail!(BadInput(format!(
                "the hub answers with {:?} where a commit should stand",
                self.sha
            ))),
        }
    }

    /// The licence of the card, or else of the tags.
    pub fn licence(&self) -> Option<String> {
        let of_card = |key: &str| Some(self.card.as_ref()?.get(key)?.as_str()?.to_owned());
        let tag = || {
            let found = self.tags.iter().find_map(|t| t.strip_prefix("license:"));
            found.map(str::to_owned)
        };
        let licence = of_card("license").or_else(tag)?;
        match of_card("license_name") {
            Some(name) if licence == "other" => Some(name),
            _ => Some(licence),
        }
    }
}

/// One entry of `/api/models/{repo}/tree/{revision}`.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Entry {
    /// The file, or `None` for a folder.
    ///
    /// # Errors
    /// When its path leads out of the repository, or its hash is none.
    pub fn file(self, repo: &Repo) -> Result<Option<RemoteFile>> {
        if self.kind != "file" {
            return Ok(None);
        }
        if !stays_inside(&self.path) {
            bail!(BadInput(format!(
                "{} lists a file {:?}, which leads out of its folder: nothing is fetched from it",
                repo.name(),
                self.path
            )));
        }
        let (digest, length, bytes) = match self.lfs {
            Some(lfs) => (Digest::Sha256(lfs.oid), 64, lfs.size),
            None => (Digest::Git(self.oid), 40, self.size),
        };
        if !is_hex(digest.hex(), length) {
            bail!(BadInput(format!(
                "{} lists {} with the hash {:?}, which is none: nothing is fetched from it",
                repo.name(),
                self.path,
                digest.hex()
            )));
        }
        Ok(Some(RemoteFile {
            path: self.path,
            bytes,
            digest,
        }))
    }
}

/// Whether a path of slashes is relative, has no `..`, and means the same on every system.
fn stays_inside(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let odd = |c: char| c == '\\' || c == ':' || c.is_control();
    let components = Path::new(path).components();
    !path.contains(odd)
        && path.split('/').all(plain)
        && components
            .into_iter()
            .all(|c| matches!(c, Component::Normal(_)))
}

/// Whether `text` is `length` small hex digits.
pub(super) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks that a revision can be part of an address and of a path.
///
/// # Errors
/// When it can't.
pub(super) fn check_revision(revision: &str) -> Result<()> {
    match stays_inside(revision) {
        true => Ok(()),
        false => bail!(BadInput(format!(
            "{revision:?} is no revision: name a branch, a tag or a commit"
        ))),
    }
}
