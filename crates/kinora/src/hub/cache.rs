//! The cache on the disk: blobs by their hash, snapshots of links to them, and the commits that names stand for.

use super::repo::{Digest, RemoteFile, Repo, check_revision, is_hex};
use anyhow::{Context, Result, anyhow};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder with the layout of huggingface_hub's cache.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache in the folder `root`, which need not be there yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn repo(&self, repo: &Repo) -> PathBuf {
        self.root.join(repo.folder())
    }

    /// Where the bytes of that hash are kept.
    pub fn blob(&self, repo: &Repo, digest: &Digest) -> PathBuf {
        self.repo(repo).join("blobs").join(digest.hex())
    }

    /// Where they are kept while some are missing.
    pub fn partial(&self, repo: &Repo, digest: &Digest) -> PathBuf {
        self.blob(repo, digest).with_extension("incomplete")
    }

    /// Bytes of `file` that are still to be fetched.
    pub fn missing(&self, repo: &Repo, file: &RemoteFile) -> u64 {
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        if length(self.blob(repo, &file.digest)) == file.bytes {
            return 0;
        }
        let partial = length(self.partial(repo, &file.digest));
        file.bytes.checked_sub(partial).unwrap_or(file.bytes)
    }

    /// The folder with the files of a commit under their names.
    pub fn snapshot(&self, repo: &Repo, commit: &str) -> PathBuf {
        self.repo(repo).join("snapshots").join(commit)
    }

    /// The snapshot of what was last pulled as `revision`, or of the commit of that name.
    pub fn find(&self, repo: &Repo, revision: &str) -> Option<PathBuf> {
        check_revision(revision).ok()?;
        let named = fs::read_to_string(self.reference(repo, revision));
        let commit = named.map_or_else(|_| revision.to_owned(), |text| text.trim().to_owned());
        let folder = self.snapshot(repo, &commit);
        (is_hex(&commit, 40) && folder.is_dir()).then_some(folder)
    }

    /// All repositories that have something in it.
    pub fn repos(&self) -> Vec<Repo> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut repos: Vec<Repo> = entries
            .filter_map(|entry| Repo::of_folder(entry.file_name().to_str()?))
            .collect();
        repos.sort_by(|a, b| a.name().cmp(b.name()));
        repos
    }

    fn reference(&self, repo: &Repo, revision: &str) -> PathBuf {
        self.repo(repo).join("refs").join(revision)
    }

    /// Keeps that `revision` is `commit`.
    pub fn set_reference(&self, repo: &Repo, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.reference(repo, revision);
        let folder = parent(&path);
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(commit.as_bytes())?;
            file.as_file().sync_all()?;
            Ok(file.persist(&path)?)
        });
        written.with_context(|| format!("{} can't be written", path.display()))?;
        Ok(())
    }

    /// Lets the snapshot of `commit` have `file`, whose bytes are there.
    pub fn link(&self, repo: &Repo, commit: &str, file: &RemoteFile) -> Result<()> {
        let path = self.snapshot(repo, commit).join(&file.path);
        // One step up for each folder within the snapshot, and two out of it.
        let mut blob = PathBuf::new();
        (0..=file.path.split('/').count()).for_each(|_| blob.push(".."));
        blob.push("blobs");
        blob.push(file.digest.hex());
        place(&path, &blob)
    }

    /// Keeps other programs, of huggingface_hub too, from fetching the same bytes until the answer is dropped.
    pub fn lock(&self, repo: &Repo, digest: &Digest) -> Result<File> {
        let folder = self.root.join(".locks").join(repo.folder());
        let path = folder.join(format!("{}.lock", digest.hex()));
        let file = fs::create_dir_all(&folder).and_then(|()| File::create(&path));
        let file = file.with_context(|| format!("{} can't be written", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(anyhow!(
                "another program is fetching a file of {} just now; wait until it has ended",
                repo.name()
            )),
            // A file system without locks: as before there were any.
            Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// Bytes that the disk of the cache has free; `None` if the system does not say.
    pub fn free(&self) -> Option<u64> {
        let there = self.root.ancestors().find(|folder| folder.is_dir());
        fs4::available_space(there.unwrap_or(Path::new("."))).ok()
    }
}

/// A link at `path` to `target`, in place of what may be there.
pub fn place(path: &Path, target: &Path) -> Result<()> {
    let folder = parent(path);
    let placed = fs::create_dir_all(folder).and_then(|()| {
        let aside = tempfile::TempDir::new_in(folder)?;
        let link = aside.path().join("link");
        symlink(target, &link, folder)?;
        fs::rename(&link, path)
    });
    placed.with_context(|| format!("{} can't be written", path.display()))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path, _: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Links are a privilege elsewhere: the file is there twice, as huggingface_hub does it.
#[cfg(not(unix))]
fn symlink(target: &Path, link: &Path, folder: &Path) -> std::io::Result<()> {
    fs::copy(folder.join(target), link).map(drop)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
