//! The files of a Wan checkpoint, whichever layout they lie in.

use crate::OpenError;
use crate::hashes::Hashes;
use crate::model::{failed, read_bytes, read_text};
use kinora_models::wan::{LoraFile, Shapes, TokenizerFile, WeightFiles};
use kinora_nn::weights::{Encoding, Mapped, WeightsError, read};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The tensor in which ComfyUI's text encoders keep their tokenizer.
pub(crate) const PIECES: &str = "spiece_model";
/// How the names of files end that hold programs along with their weights.
const PICKLES: [&str; 4] = ["pth", "pt", "ckpt", "bin"];

/// The files of a checkpoint.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The transformer, of high noise levels if there are two.
    pub transformer: Part,
    /// That of low noise levels.
    pub second: Option<Part>,
    pub text: Part,
    pub vae: Part,
    pub tokenizer: TokenizerAt,
    /// Files that are of no network.
    pub others: Vec<PathBuf>,
}

/// The files of a network.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What it is called to people.
    pub place: String,
    /// Its weights, in one or several files.
    pub files: Vec<PathBuf>,
    /// Its configuration, if there is one.
    pub config: Option<PathBuf>,
}

/// Where the tokenizer is.
#[derive(Clone, Debug)]
pub(crate) enum TokenizerAt {
    Json(PathBuf),
    SentencePiece(PathBuf),
    /// In the text encoder's weights.
    Inside(PathBuf),
}

impl Parts {
    /// The networks, those that are always there first.
    pub fn networks(&self) -> impl Iterator<Item = &Part> {
        [&self.transformer, &self.text, &self.vae]
            .into_iter()
            .chain(&self.second)
    }

    /// The tokenizer and all weights, in memory.
    pub fn weights(&self, loras: Vec<LoraFile>) -> Result<WeightFiles, OpenError> {
        let all = |part: &Part| {
            part.files
                .iter()
                .map(|file| mapped(file))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(WeightFiles {
            tokenizer: self.tokenizer.read()?,
            transformer: all(&self.transformer)?,
            transformer_2: self.second.as_ref().map_or(Ok(Vec::new()), all)?,
            text_encoder: all(&self.text)?,
            vae: all(&self.vae)?,
            loras,
        })
    }

    /// The hash of its configurations, tokenizer and weights: of each file's length and hash, in order.
    pub fn sha256(&self, hashes: &mut Hashes) -> Result<String, OpenError> {
        let mut files: Vec<&Path> = self.others.iter().map(AsRef::as_ref).collect();
        if let TokenizerAt::Json(path) | TokenizerAt::SentencePiece(path) = &self.tokenizer {
            files.push(path);
        }
        for part in self.networks() {
            files.extend(
                part.config
                    .iter()
                    .chain(&part.files)
                    .map(AsRef::<Path>::as_ref),
            );
        }
        let mut hash = Sha256::new();
        for path in files {
            let found = fs::metadata(path).map_err(|source| failed(path, source))?;
            hash.update(found.len().to_le_bytes());
            hash.update(hashes.of(path).map_err(|source| failed(path, source))?);
        }
        Ok(format!("{:x}", hash.finalize()))
    }
}

impl TokenizerAt {
    fn read(&self) -> Result<TokenizerFile, OpenError> {
        match self {
            Self::Json(path) => read_text(path).map(TokenizerFile::Json),
            Self::SentencePiece(path) => read_bytes(path).map(TokenizerFile::SentencePiece),
            Self::Inside(path) => {
                let file = mapped(path)?;
                let weights = read(&file).map_err(|error| damaged(path, error))?;
                let tensor = weights.tensors.get(PIECES);
                let bytes = tensor.filter(|tensor| tensor.encoding == Encoding::U8);
                let bytes = bytes.map(|tensor| tensor.data.to_vec()).unwrap_or_default();
                Ok(TokenizerFile::SentencePiece(bytes))
            }
        }
    }
}

/// What the headers of a network's files say.
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// Its tensors.
    pub shapes: Shapes,
    /// Numbers in each format.
    pub precision: BTreeMap<&'static str, u64>,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Header {
    /// Reads the headers of `files`.
    pub fn of(files: &[PathBuf]) -> Result<Self, OpenError> {
        let mut header = Self::default();
        for path in files {
            let file = mapped(path)?;
            header.bytes += file.len() as u64;
            let weights = read(&file).map_err(|error| damaged(path, error))?;
            for (name, tensor) in weights.tensors {
                let numbers = tensor.shape.iter().product::<usize>() as u64;
                if tensor.encoding != Encoding::U8 {
                    *header.precision.entry(tensor.encoding.name()).or_insert(0) += numbers;
                }
                header.shapes.insert(name, tensor.shape);
            }
        }
        Ok(header)
    }
}

/// The files of a network's folder: GGUF if there is such, otherwise what an index names, otherwise all safetensors, in
/// order of their names.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let files = list(folder)?;
    let ends = |end: &str| {
        files
            .iter()
            .filter(|path| is(path, end))
            .cloned()
            .collect::<Vec<_>>()
    };
    let gguf = ends("gguf");
    if !gguf.is_empty() {
        return Ok(gguf);
    }
    let indexes = files.iter().filter(|path| is_index(path));
    if let Some(index) = indexes.min_by_key(|path| path.as_os_str().len()) {
        return shards(index);
    }
    let safetensors = ends("safetensors");
    if safetensors.is_empty() {
        if let Some(pickle) = files.iter().find(|path| is_pickle(path)) {
            return Err(OpenError::Pickle(pickle.clone()));
        }
        let nothing = "it holds no .safetensors or .gguf file";
        return Err(failed(
            folder,
            io::Error::new(io::ErrorKind::NotFound, nothing),
        ));
    }
    Ok(safetensors)
}

/// The entries of a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    let path = |entry: io::Result<fs::DirEntry>| {
        Ok(entry.map_err(|source| failed(folder, source))?.path())
    };
    let mut paths = entries.map(path).collect::<Result<Vec<_>, OpenError>>()?;
    paths.sort();
    Ok(paths)
}

pub(crate) fn is(path: &Path, end: &str) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(end))
}

/// Whether a path is of weights that can be read, by its name.
pub(crate) fn is_weights(path: &Path) -> bool {
    is(path, "safetensors") || is(path, "gguf")
}

/// Whether a path is of weights that would have to be run, by its name.
pub(crate) fn is_pickle(path: &Path) -> bool {
    PICKLES.iter().any(|end| is(path, end))
}

/// Whether a path is of a list of shards, by its name.
pub(crate) fn is_index(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".safetensors.index.json")
}

#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// The files that an index names, which hold what it says.
pub(crate) fn shards(index: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let refuse = |reason: String| OpenError::Shard {
        index: index.to_owned(),
        reason,
    };
    let named: Index = serde_json::from_str(&read_text(index)?)
        .map_err(|error| refuse(format!("is not an index: {error}; download it again")))?;
    let mut tensors: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &named.weight_map {
        tensors.entry(file).or_default().push(tensor);
    }
    if tensors.is_empty() {
        return Err(refuse("names no file; download it again".to_owned()));
    }
    let mut files = Vec::new();
    for (name, tensors) in tensors {
        if Path::new(name)
            .file_name()
            .is_none_or(|plain| plain != name)
        {
            return Err(refuse(format!(
                "names {name:?}, which is no file beside it"
            )));
        }
        let path = index.with_file_name(name);
        if !path.is_file() {
            return Err(refuse(format!(
                "names {name}, which is not there; download that file beside it"
            )));
        }
        let file = mapped(&path)?;
        let found = read(&file).map_err(|error| damaged(&path, error))?;
        if let Some(lost) = tensors
            .iter()
            .find(|tensor| !found.tensors.contains_key(**tensor))
        {
            return Err(refuse(format!(
                "says that {name} holds {lost}, and it does not; download that file again"
            )));
        }
        files.push(path);
    }
    Ok(files)
}

/// A file of weights in memory.
pub(crate) fn mapped(path: &Path) -> Result<Mapped, OpenError> {
    Mapped::open(path).map_err(|error| match error {
        WeightsError::Io { source, .. } => failed(path, source),
        other => damaged(path, other),
    })
}

/// A file of weights that is there and is none.
pub(crate) fn damaged(path: &Path, error: WeightsError) -> OpenError {
    failed(path, io::Error::new(io::ErrorKind::InvalidData, error))
}
