//! Hashes of great files, which take minutes to make: they are told from the file's name in a cache of the hub, or
//! remembered.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that was changed less than this ago could change once more without its time showing it.
const SETTLED: Duration = Duration::from_secs(2);

/// SHA-256 of files, and those that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    kept_in: Option<PathBuf>,
    known: BTreeMap<PathBuf, Known>,
    changed: bool,
}

/// A file as it was when it was hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// Its number in the file system, where there is one.
    inode: u64,
    sha256: String,
}

impl Hashes {
    /// What the file `kept_in` remembers; nothing if it can't be read.
    pub fn read(kept_in: Option<&Path>) -> Self {
        let text = kept_in.and_then(|path| fs::read(path).ok());
        let known = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            kept_in: kept_in.map(Path::to_owned),
            known: known.unwrap_or_default(),
            changed: false,
        }
    }

    /// The SHA-256 of a file, in hex.
    pub fn of(&mut self, path: &Path) -> io::Result<String> {
        let path = fs::canonicalize(path)?;
        if let Some(hash) = blob(&path) {
            return Ok(hash.to_owned());
        }
        let now = seen(&fs::metadata(&path)?);
        if let Some(known) = self.known.get(&path)
            && let Some(now) = &now
            && *known
                == (Known {
                    sha256: known.sha256.clone(),
                    ..now.clone()
                })
        {
            return Ok(known.sha256.clone());
        }
        let mut hash = Sha256::new();
        io::copy(&mut File::open(&path)?, &mut hash)?;
        let sha256 = format!("{:x}", hash.finalize());
        if let Some(now) = now.filter(is_settled) {
            let sha256 = sha256.clone();
            self.known.insert(path, Known { sha256, ..now });
            self.changed = true;
        }
        Ok(sha256)
    }

    /// Remembers what is new, for files that are still there. That it can't be written is no reason to fail.
    pub fn keep(mut self) {
        let Some(path) = self.kept_in.as_ref().filter(|_| self.changed) else {
            return;
        };
        self.known.retain(|file, _| file.exists());
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder
            .and_then(|()| Ok(serde_json::to_vec(&self.known)?))
            .and_then(|text| fs::write(&partial, text))
            .and_then(|()| fs::rename(&partial, path));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
    }
}

/// The hash in the path `models--*/blobs/<hash>` of a cache of the hub, whose files were verified when they came.
fn blob(path: &Path) -> Option<&str> {
    let folder = path.parent()?;
    let of_hub = folder.file_name()? == "blobs"
        && folder
            .parent()?
            .file_name()?
            .to_str()?
            .starts_with("models--");
    let name = path.file_name()?.to_str()?;
    let small_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (of_hub && name.len() == 64 && name.bytes().all(small_hex)).then_some(name)
}

/// What tells a file from what it was, without its hash.
fn seen(found: &Metadata) -> Option<Known> {
    let since = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Known {
        bytes: found.len(),
        modified: u64::try_from(since.as_nanos()).ok()?,
        inode: inode(found),
        sha256: String::new(),
    })
}

fn is_settled(file: &Known) -> bool {
    let modified = UNIX_EPOCH + Duration::from_nanos(file.modified);
    let age = SystemTime::now().duration_since(modified);
    age.is_ok_and(|age| age >= SETTLED)
}

#[cfg(unix)]
fn inode(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a file of weights that was last changed an hour ago.
    fn place(name: &str) -> (PathBuf, PathBuf) {
        let folder =
            std::env::temp_dir().join(format!("kinora-hashes-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("weights");
        write(&file, "weights", 3600);
        (folder, file)
    }

    fn write(path: &Path, text: &str, age: u64) {
        fs::write(path, text).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }

    fn sha256(text: &str) -> String {
        format!("{:x}", Sha256::digest(text))
    }

    fn hashed(kept: &Path, file: &Path) -> String {
        let mut hashes = Hashes::read(Some(kept));
        let hash = hashes.of(file).unwrap();
        hashes.keep();
        hash
    }

    #[test]
    fn a_hash_is_remembered_until_the_file_changes() {
        let (folder, file) = place("kept");
        let kept = folder.join("new/hashes.json");
        assert_eq!(hashed(&kept, &file), sha256("weights"));
        // A marked hash shows that it was remembered and not made again.
        let text = fs::read_to_string(&kept).unwrap();
        let marked = text.replace(&sha256("weights"), "remembered");
        assert_ne!(text, marked);
        fs::write(&kept, marked).unwrap();
        assert_eq!(hashed(&kept, &file), "remembered");
        write(&file, "Weights", 1800);
        assert_eq!(hashed(&kept, &file), sha256("Weights"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_could_still_change_is_hashed_each_time() {
        let (folder, file) = place("fresh");
        let kept = folder.join("hashes.json");
        write(&file, "weights", 0);
        assert_eq!(hashed(&kept, &file), sha256("weights"));
        assert!(!kept.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_memory_and_a_broken_one_are_no_failure() {
        let (folder, file) = place("broken");
        let kept = folder.join("hashes.json");
        fs::write(&kept, "{").unwrap();
        assert_eq!(hashed(&kept, &file), sha256("weights"));
        // A file where the folder should be.
        assert_eq!(hashed(&file.join("hashes.json"), &file), sha256("weights"));
        assert_eq!(Hashes::read(None).of(&file).unwrap(), sha256("weights"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn files_of_the_hub_say_their_hash() {
        let (folder, _) = place("hub");
        let blobs = folder.join("models--a--b/blobs");
        fs::create_dir_all(&blobs).unwrap();
        let named = "0f".repeat(32);
        fs::write(blobs.join(&named), "weights").unwrap();
        fs::write(blobs.join("other"), "weights").unwrap();
        let mut hashes = Hashes::default();
        assert_eq!(hashes.of(&blobs.join(&named)).unwrap(), named);
        assert_eq!(hashes.of(&blobs.join("other")).unwrap(), sha256("weights"));
        fs::remove_dir_all(folder).unwrap();
    }
}
