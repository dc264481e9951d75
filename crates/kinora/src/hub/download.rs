//! One file into the cache: what is there already is kept, the rest is fetched, and the whole is verified.

use super::cache::Cache;
use super::client::{Client, Failure};
use super::repo::{Digest, Listing, RemoteFile};
use anyhow::{Context, Error, Result, anyhow};
use indicatif::DecimalBytes;
use kinora_engine::EngineError;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often a connection that brings nothing is tried again.
const TRIES: u32 = 3;
/// How long the first pause between tries is; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// What every failure on the way leaves behind.
const KEPT: &str = "what has arrived is kept, and the same command goes on from there";

/// Fetches `file` of `listing` into `cache`; `progress` is told how many of its bytes are there.
///
/// # Errors
/// When the hub fails for good, the bytes are not those that it lists, the disk is full, or `stop` is set.
pub fn fetch(
    client: &Client,
    cache: &Cache,
    listing: &Listing,
    file: &RemoteFile,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<()> {
    let blob = cache.blob(&listing.repo, &file.digest);
    let _lock = cache.lock(&listing.repo, &file.digest)?;
    if fs::metadata(&blob).is_ok_and(|found| found.len() == file.bytes) {
        progress(file.bytes);
        return Ok(());
    }
    let partial = cache.partial(&listing.repo, &file.digest);
    let mut download = Download::open(partial, file, stop, progress)?;
    let mut tries = 0;
    loop {
        let before = download.have;
        match download.go_on(client, listing) {
            Ok(()) => break,
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(error)) => {
                tries = if download.have > before { 1 } else { tries + 1 };
                if tries > TRIES {
                    return Err(error.context(format!(
                        "{} stopped at {}; {KEPT}",
                        file.path,
                        download.so_far()
                    )));
                }
                thread::sleep(PAUSE * 2u32.pow(tries - 1));
            }
        }
    }
    download.finish(&blob)
}

/// A file while it arrives.
struct Download<'a> {
    file: &'a RemoteFile,
    path: PathBuf,
    out: File,
    hash: Hash,
    have: u64,
    stop: &'a AtomicBool,
    progress: &'a dyn Fn(u64),
}

impl<'a> Download<'a> {
    /// Goes on with what is at `path`, if there is something.
    fn open(
        path: PathBuf,
        file: &'a RemoteFile,
        stop: &'a AtomicBool,
        progress: &'a dyn Fn(u64),
    ) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let opened = fs::create_dir_all(folder).and_then(|()| {
            let mut how = OpenOptions::new();
            how.read(true).write(true).create(true).truncate(false);
            how.open(&path)
        });
        let out = opened.with_context(|| format!("{} can't be written", path.display()))?;
        let hash = Hash::new(file);
        let mut download = Self {
            file,
            path,
            out,
            hash,
            have: 0,
            stop,
            progress,
        };
        download.take_up()?;
        Ok(download)
    }

    /// Hashes what is there; more than the file has is none of it.
    fn take_up(&mut self) -> Result<()> {
        let failed = |path: &Path| format!("{} can't be read", path.display());
        let there = self
            .out
            .metadata()
            .with_context(|| failed(&self.path))?
            .len();
        if there > self.file.bytes {
            return self.begin_again();
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self
                .out
                .read(&mut chunk)
                .with_context(|| failed(&self.path))?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(&chunk[..read]);
            self.have += read as u64;
            self.step()?;
        }
    }

    fn begin_again(&mut self) -> Result<()> {
        let emptied = self.out.set_len(0).and_then(|()| self.out.rewind());
        emptied.with_context(|| format!("{} can't be written", self.path.display()))?;
        (self.hash, self.have) = (Hash::new(self.file), 0);
        Ok(())
    }

    fn so_far(&self) -> String {
        let (have, whole) = (DecimalBytes(self.have), DecimalBytes(self.file.bytes));
        format!("{have} of {whole}")
    }

    /// Says how far it is, and looks whether to stop.
    fn step(&self) -> Result<()> {
        (self.progress)(self.have);
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::new(EngineError::Cancelled).context(KEPT)),
            false => Ok(()),
        }
    }

    /// Fetches what is missing by one request.
    fn go_on(&mut self, client: &Client, listing: &Listing) -> Result<(), Failure> {
        if self.have == self.file.bytes {
            return Ok(());
        }
        let path = &self.file.path;
        let incoming = client.file(&listing.repo, &listing.commit, path, self.have)?;
        if let Some(whole) = incoming.whole.filter(|&whole| whole != self.file.bytes) {
            return Err(Failure::Final(anyhow!(
                "{path} should have {} bytes and is sent with {whole}: the hub's copy is damaged, or something on the \
                 way changes it",
                self.file.bytes
            )));
        }
        if incoming.from != self.have {
            self.begin_again().map_err(Failure::Final)?;
        }
        let mut reader = incoming.reader.take(self.file.bytes - self.have);
        let mut chunk = vec![0; CHUNK];
        while self.have < self.file.bytes {
            let read = reader.read(&mut chunk).map_err(|error| {
                Failure::Passing(Error::new(error).context("the connection broke"))
            })?;
            if read == 0 {
                return Err(Failure::Passing(anyhow!("the connection ended early")));
            }
            self.keep(&chunk[..read])?;
            self.step().map_err(Failure::Final)?;
        }
        Ok(())
    }

    /// Writes bytes. Of those that the disk has no room for, the part that it took counts.
    fn keep(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let written = match self.out.write(bytes) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other,
            };
            let written = written.map_err(|error| Failure::Final(self.unwritten(error)))?;
            self.hash.update(&bytes[..written]);
            self.have += written as u64;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Why bytes could not be written.
    fn unwritten(&self, error: io::Error) -> Error {
        let folder = self.path.parent().unwrap_or(&self.path).display();
        let full = [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::FileTooLarge,
        ];
        let words = match full.contains(&error.kind()) {
            true => format!(
                "the disk is full: {} needs {} more in {folder}; make room, {KEPT}",
                self.file.path,
                DecimalBytes(self.file.bytes - self.have)
            ),
            false => format!("{folder} can't be written"),
        };
        Error::new(error).context(words)
    }

    /// Verifies the whole and gives it its name.
    fn finish(self, blob: &Path) -> Result<()> {
        let found = self.hash.finish();
        if found != self.file.digest.hex() {
            let _ = fs::remove_file(&self.path); // gone or not, it is never taken for the file
            return Err(anyhow!(
                "{} has the hash {found} and should have {}: what arrived is deleted; run the same command again, and if \
                 that does not help, the hub's copy is damaged or something on the way changes it",
                self.file.path,
                self.file.digest.hex()
            ));
        }
        let named = self
            .out
            .sync_all()
            .and_then(|()| fs::rename(&self.path, blob));
        named.with_context(|| format!("{} can't be written", blob.display()))
    }
}

/// A hash while bytes come in.
enum Hash {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hash {
    fn new(file: &RemoteFile) -> Self {
        match file.digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            // What git hashes of a file has its kind and length before it.
            Digest::Git(_) => {
                let head = format!("blob {}\0", file.bytes);
                Self::Git(Sha1::new_with_prefix(head))
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => format!("{:x}", hash.finalize()),
            Self::Git(hash) => format!("{:x}", hash.finalize()),
        }
    }
}
