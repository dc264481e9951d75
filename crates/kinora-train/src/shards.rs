//! Records of one fixed size on disk, in shards that appear whole or not at all, so that filling them can stop at any
//! moment and go on later.

use crate::error::TrainError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// Records in a shard.
pub(crate) const SHARD: u64 = 16;

/// What a folder of shards holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Index {
    record_bytes: u64,
    /// What made the records; another recipe means another cache.
    recipe: serde_json::Value,
}

/// A folder of shards: `index.json`, and for each shard a flat file of records and a JSON list of their labels.
#[derive(Clone, Debug)]
pub(crate) struct Shards {
    folder: PathBuf,
    record_bytes: u64,
}

impl Shards {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`TrainError::OtherCache`] if the folder holds records of another size or recipe.
    pub fn open(
        folder: &Path,
        record_bytes: u64,
        recipe: serde_json::Value,
    ) -> Result<Self, TrainError> {
        let index = Index {
            record_bytes,
            recipe,
        };
        let path = folder.join("index.json");
        if path.exists() {
            if read_json::<Index>("cache index", &path)? != index {
                return Err(TrainError::OtherCache(folder.to_path_buf()));
            }
        } else {
            std::fs::create_dir_all(folder).map_err(TrainError::io("make", folder))?;
            write_json(&path, &index)?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            record_bytes,
        })
    }

    /// The shards among the first `records` records (rounded up to whole shards) that are not there yet.
    pub fn missing(&self, records: u64) -> Vec<u64> {
        (0..records.div_ceil(SHARD))
            .filter(|&shard| !self.labels_path(shard).exists())
            .collect()
    }

    /// The records of a shard.
    pub fn range(shard: u64) -> Range<u64> {
        shard * SHARD..(shard + 1) * SHARD
    }

    /// Writes one whole shard: the records one after the other, and their labels. The labels come last and mark it done.
    pub fn write<L: Serialize>(
        &self,
        shard: u64,
        records: &[u8],
        labels: &[L],
    ) -> Result<(), TrainError> {
        debug_assert_eq!(records.len() as u64, self.record_bytes * SHARD);
        write_atomic(&self.records_path(shard), records)?;
        write_json(&self.labels_path(shard), &labels)
    }

    /// Reads `part` (in bytes) of a record.
    pub fn read(&self, record: u64, part: Range<u64>) -> Result<Vec<u8>, TrainError> {
        debug_assert!(part.end <= self.record_bytes);
        let path = self.records_path(record / SHARD);
        let mut bytes = vec![0; (part.end - part.start) as usize];
        let start = record % SHARD * self.record_bytes + part.start;
        File::open(&path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut bytes))
            })
            .map_err(TrainError::io("read", &path))?;
        Ok(bytes)
    }

    /// The labels of the first `records` records.
    pub fn labels<L: DeserializeOwned>(&self, records: u64) -> Result<Vec<L>, TrainError> {
        let mut labels = Vec::with_capacity(records as usize);
        for shard in 0..records.div_ceil(SHARD) {
            labels.extend(read_json::<Vec<L>>(
                "list of labels",
                &self.labels_path(shard),
            )?);
        }
        labels.truncate(records as usize);
        Ok(labels)
    }

    fn records_path(&self, shard: u64) -> PathBuf {
        self.folder.join(format!("{shard:05}.bin"))
    }

    fn labels_path(&self, shard: u64) -> PathBuf {
        self.folder.join(format!("{shard:05}.json"))
    }
}

/// Writes a file under a temporary name in the same folder, syncs it and renames it.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(TrainError::io("write", path))
}

/// Writes a value as JSON, whole or not at all.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), TrainError> {
    let json =
        serde_json::to_vec_pretty(value).map_err(TrainError::malformed("JSON value", path))?;
    write_atomic(path, &json)
}

/// Reads a value from a JSON file; `what` names it in the error.
pub(crate) fn read_json<T: DeserializeOwned>(
    what: &'static str,
    path: &Path,
) -> Result<T, TrainError> {
    let bytes = std::fs::read(path).map_err(TrainError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(TrainError::malformed(what, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_without_labels_is_missing_and_another_recipe_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shards = Shards::open(folder.path(), 2, "a".into()).unwrap();
        let bytes: Vec<u8> = (0..32).collect();
        shards
            .write(1, &bytes, &(0..16).collect::<Vec<u32>>())
            .unwrap();
        assert_eq!(shards.missing(17), [0]);
        std::fs::write(folder.path().join("00000.bin"), &bytes[..7]).unwrap();
        assert_eq!(shards.missing(17), [0]);
        assert_eq!(shards.read(18, 1..2).unwrap(), [5]);
        shards
            .write(0, &bytes, &(16..32).collect::<Vec<u32>>())
            .unwrap();
        assert_eq!(shards.labels::<u32>(17).unwrap()[15..], [31, 0]);
        assert!(matches!(
            Shards::open(folder.path(), 2, "b".into()),
            Err(TrainError::OtherCache(_))
        ));
    }
}
