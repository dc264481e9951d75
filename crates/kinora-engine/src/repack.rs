//! Checkpoints that lie in a folder as people have them, without `model_index.json`: the original release, ComfyUI's repacks,
//! GGUF, and any mix of them. What each file is, its header tells.

use crate::OpenError;
use crate::checkpoint::{Kind, recognise};
use crate::model::{failed, read_text};
use crate::parts::{
    Header, PIECES, Part, Parts, TokenizerAt, is_index, is_pickle, is_weights, list, shards,
};
use kinora_models::wan::{Config, Described, Expert, expert_of};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How deep folders within the folder are looked into: the original release has `google/umt5-xxl/tokenizer.json`.
const DEEPEST: usize = 3;
/// Most files of a checkpoint's folder; with more it is another kind of folder.
const MOST: usize = 20_000;

/// A network that was found.
#[derive(Debug)]
pub(crate) struct Group {
    pub part: Part,
    pub header: Header,
    pub kind: Kind,
}

/// What a folder holds.
#[derive(Debug)]
pub(crate) struct Found {
    folder: PathBuf,
    pub groups: Vec<Group>,
    tokenizer: Option<TokenizerAt>,
    pickles: Vec<PathBuf>,
}

/// A part that every checkpoint has.
struct Needed {
    kind: Kind,
    /// What it is called.
    name: &'static str,
    /// What it may be called as a file.
    like: &'static str,
    /// What the name of its pickle has in it.
    pickle: &'static str,
}

const TRANSFORMER: Needed = Needed {
    kind: Kind::Transformer,
    name: "transformer",
    like: "wan2.1_t2v_1.3B_bf16.safetensors",
    pickle: "wan",
};
const TEXT: Needed = Needed {
    kind: Kind::Text,
    name: "text encoder",
    like: "umt5_xxl_fp16.safetensors",
    pickle: "t5",
};
const VAE: Needed = Needed {
    kind: Kind::Vae,
    name: "autoencoder",
    like: "wan_2.1_vae.safetensors",
    pickle: "vae",
};
/// What lacks if there is no tokenizer.
const TOKENIZER: &str = "tokenizer, tokenizer.json or spiece.model of umt5-xxl";

/// Whether a folder holds weights at all.
pub(crate) fn is_folder(folder: &Path) -> bool {
    let holds = |files: Vec<PathBuf>| files.iter().any(|path| is_weights(path) || is_pickle(path));
    walk(folder).is_ok_and(holds)
}

/// The files of a folder and of those in it, sorted.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in list(&folder)? {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && depth < DEEPEST && !hidden {
                folders.push((path, depth + 1));
            } else if path.is_file() && !hidden && files.len() < MOST {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Looks what a folder holds.
pub(crate) fn find(folder: &Path) -> Result<Found, OpenError> {
    let files = walk(folder)?;
    let mut sets: Vec<Vec<PathBuf>> = Vec::new();
    for index in files.iter().filter(|path| is_index(path)) {
        sets.push(shards(index)?);
    }
    let sharded: BTreeSet<PathBuf> = sets.iter().flatten().cloned().collect();
    let single = files
        .iter()
        .filter(|path| is_weights(path) && !sharded.contains(*path));
    sets.extend(single.map(|path| vec![path.clone()]));
    let group = |files: Vec<PathBuf>| {
        let header = Header::of(&files)?;
        let beside = files[0].with_file_name("config.json");
        let place = match files.len() {
            1 => &files[0],
            _ => files[0].parent().unwrap_or(&files[0]),
        };
        let place = place.strip_prefix(folder).unwrap_or(place);
        let place = if place.as_os_str().is_empty() {
            Path::new(".")
        } else {
            place
        };
        Ok(Group {
            kind: recognise(&header.shapes).kind,
            part: Part {
                place: place.to_string_lossy().into_owned(),
                config: beside.is_file().then_some(beside),
                files,
            },
            header,
        })
    };
    let groups = sets
        .into_iter()
        .map(group)
        .collect::<Result<Vec<_>, OpenError>>()?;
    let named = |name: &str| {
        files
            .iter()
            .find(|path| path.file_name().is_some_and(|n| n == name))
    };
    let inside = groups
        .iter()
        .find(|group| group.header.shapes.contains_key(PIECES));
    let json = named("tokenizer.json").map(|path| TokenizerAt::Json(path.clone()));
    let pieces = || named("spiece.model").map(|path| TokenizerAt::SentencePiece(path.clone()));
    let inside = || inside.map(|group| TokenizerAt::Inside(group.part.files[0].clone()));
    Ok(Found {
        folder: folder.to_owned(),
        tokenizer: json.or_else(pieces).or_else(inside),
        pickles: files
            .iter()
            .filter(|path| is_pickle(path))
            .cloned()
            .collect(),
        groups,
    })
}

/// What lies around a transformer's file, in its folder or else the one above; of several transformers the file counts.
pub(crate) fn around(file: &Path) -> Result<(PathBuf, Found), OpenError> {
    if is_pickle(file) {
        return Err(OpenError::Pickle(file.to_owned()));
    }
    let file = std::path::absolute(file).map_err(|source| failed(file, source))?;
    let header = Header::of(std::slice::from_ref(&file))?;
    if recognise(&header.shapes).kind != Kind::Transformer {
        return Err(OpenError::NoTransformer(file));
    }
    let mut folders = file.ancestors().skip(1);
    let near = folders.next().unwrap_or(Path::new("."));
    let with = |folder: &Path| -> Result<Found, OpenError> {
        let mut found = find(folder)?;
        found.keep(&file);
        Ok(found)
    };
    let found = with(near)?;
    if found.missing().is_empty() {
        return Ok((near.to_owned(), found));
    }
    match folders.next() {
        Some(above) => match with(above)? {
            wider if wider.missing().is_empty() => Ok((above.to_owned(), wider)),
            _ => Ok((near.to_owned(), found)), // what is missing belongs into the nearer one
        },
        None => Ok((near.to_owned(), found)),
    }
}

impl Found {
    /// Leaves out transformers besides `file`, and the other expert if there is one that stands beside it.
    fn keep(&mut self, file: &Path) {
        let folder = file.parent();
        let levels = |path: &Path| expert_of(&path.to_string_lossy());
        let own = levels(Path::new(file.file_name().unwrap_or_default()));
        self.groups.retain(|group| {
            let path = &group.part.files[0];
            let other = || {
                let name = path.file_name().unwrap_or_default();
                own.is_some()
                    && path.parent() == folder
                    && levels(Path::new(name)).is_some_and(|level| Some(level) != own)
            };
            group.kind != Kind::Transformer || path == file || other()
        });
    }

    fn of(&self, needed: &Needed) -> Vec<&Group> {
        self.groups
            .iter()
            .filter(|group| group.kind == needed.kind)
            .collect()
    }

    /// Whether anything of it is Wan's.
    pub fn is_wan(&self) -> bool {
        let any = |needed| !self.of(needed).is_empty();
        any(&TRANSFORMER) || any(&TEXT) || any(&VAE) || !self.pickles.is_empty()
    }

    /// The parts that are not there, for people.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for needed in [&TRANSFORMER, &TEXT, &VAE] {
            if self.of(needed).is_empty() {
                missing.push(match self.pickle(needed) {
                    Some(path) => OpenError::Pickle(path.clone()).to_string(),
                    None => format!("{}, such as {}", needed.name, needed.like),
                });
            }
        }
        if let (None, [one]) = (self.experts(), self.of(&TRANSFORMER).as_slice()) {
            missing.push(format!(
                "transformer of the other noise levels, beside {}",
                one.part.place
            ));
        }
        if self.tokenizer.is_none() {
            missing.push(TOKENIZER.to_owned());
        }
        missing
    }

    fn pickle(&self, needed: &Needed) -> Option<&PathBuf> {
        let named = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.to_lowercase().contains(needed.pickle)
        };
        self.pickles.iter().find(named)
    }

    fn one(&self, needed: &Needed) -> Result<&Group, OpenError> {
        match self.of(needed).as_slice() {
            [one] => Ok(one),
            [] => Err(match self.pickle(needed) {
                Some(path) => OpenError::Pickle(path.clone()),
                None => self.lacks(format!("{}, such as {}", needed.name, needed.like)),
            }),
            [first, second, ..] => Err(OpenError::Several {
                folder: self.folder.clone(),
                what: needed.name,
                first: first.part.place.clone(),
                second: second.part.place.clone(),
            }),
        }
    }

    fn lacks(&self, what: String) -> OpenError {
        OpenError::Missing {
            folder: self.folder.clone(),
            what,
        }
    }

    /// The one transformer, or that of high noise levels and that of low ones.
    fn experts(&self) -> Option<(&Group, Option<&Group>)> {
        let all = self.of(&TRANSFORMER);
        let levels = |group: &&Group| expert_of(&group.part.place);
        match all.as_slice() {
            [one] if levels(one).is_none() => Some((one, None)),
            [a, b] => match (levels(a), levels(b)) {
                (Some(Expert::High), Some(Expert::Low)) => Some((a, Some(b))),
                (Some(Expert::Low), Some(Expert::High)) => Some((b, Some(a))),
                _ => None,
            },
            _ => None,
        }
    }

    /// The configuration and the files of the checkpoint.
    pub fn open(&self) -> Result<(Config, Parts), OpenError> {
        let Some((transformer, second)) = self.experts() else {
            let one = self.one(&TRANSFORMER)?;
            return Err(self.lacks(format!(
                "transformer of the other noise levels, beside {}",
                one.part.place
            )));
        };
        let (text, vae) = (self.one(&TEXT)?, self.one(&VAE)?);
        let tokenizer = self.tokenizer.clone();
        let tokenizer = tokenizer.ok_or_else(|| self.lacks(TOKENIZER.to_owned()))?;
        let read = |group: &Group| group.part.config.as_deref().map(read_text).transpose();
        let configs = [read(transformer)?, read(text)?, read(vae)?];
        let [transformer_config, text_config, vae_config] = &configs;
        let config = Config::of_shapes(
            described(transformer, transformer_config),
            described(text, text_config),
            described(vae, vae_config),
            second.is_some(),
        );
        let config = config.map_err(|source| OpenError::Wan {
            path: self.folder.clone(),
            source: Box::new(source),
        })?;
        let part = |group: &Group| group.part.clone();
        let parts = Parts {
            transformer: part(transformer),
            second: second.map(part),
            text: part(text),
            vae: part(vae),
            tokenizer,
            others: Vec::new(),
        };
        Ok((config, parts))
    }
}

fn described<'a>(group: &'a Group, config: &'a Option<String>) -> Described<'a> {
    Described {
        shapes: &group.header.shapes,
        config: config.as_deref(),
    }
}
