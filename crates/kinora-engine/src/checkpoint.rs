//! What a file or folder of weights is, from its headers alone.

use crate::{OpenError, diffusers};
use kinora_models::wan::{Renamed, of_text, of_transformer};
use kinora_nn::weights::{Weights, WeightsView, read};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The networks of a Wan checkpoint in a folder of diffusers.
const FOLDERS: [&str; 3] = ["transformer", "text_encoder", "vae"];

/// One network's weights, in one or several files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Where they are.
    pub place: String,
    /// What it is: "Wan transformer, 1.3B".
    pub is: String,
    /// Whose names its tensors have.
    pub layout: &'static str,
    /// Numbers in each format.
    pub precision: BTreeMap<&'static str, u64>,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes in memory once it is loaded: all is worked with in 32 bits.
    pub memory: u64,
    /// Tensors that other blocks have and one lacks, and what no transformer is without.
    pub missing: Vec<String>,
}

/// Whether a path is of weights by its name: a `.safetensors` or `.gguf` file, or a folder in the layout of diffusers.
pub fn is_checkpoint(path: &Path) -> bool {
    let ends = |end| path.extension().is_some_and(|extension| extension == end);
    ends("safetensors") || ends("gguf") || diffusers::is_folder(path)
}

/// The networks in a file of weights, or in a folder in the layout of diffusers, and the parts that the folder lacks.
///
/// # Errors
/// When a file can't be read or is damaged.
pub fn networks(path: &Path) -> Result<(Vec<Network>, Vec<String>), OpenError> {
    if !diffusers::is_folder(path) {
        let place = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        return Ok((vec![network(&place, &[path])?], Vec::new()));
    }
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let second = path.join(diffusers::SECOND);
    let second = second.is_dir().then_some(diffusers::SECOND);
    for folder in FOLDERS.into_iter().chain(second) {
        match diffusers::weight_files(&path.join(folder)) {
            Ok(files) => {
                let files: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
                found.push(network(folder, &files)?);
            }
            Err(OpenError::Read { .. }) => missing.push(format!("{folder}/*.safetensors")),
            Err(other) => return Err(other),
        }
        let config = format!("{folder}/config.json");
        if !path.join(&config).is_file() {
            missing.push(config);
        }
    }
    for file in [
        "tokenizer/tokenizer.json",
        "scheduler/scheduler_config.json",
    ] {
        if !path.join(file).is_file() {
            missing.push(file.to_owned());
        }
    }
    Ok((found, missing))
}

fn network(place: &str, files: &[&Path]) -> Result<Network, OpenError> {
    let mut precision = BTreeMap::new();
    let mut shapes = BTreeMap::new();
    let mut bytes = 0;
    for path in files {
        let file = diffusers::mapped(path)?;
        bytes += file.len() as u64;
        let weights = read(&file).map_err(|error| diffusers::damaged(path, error))?;
        for (name, tensor) in weights.tensors {
            let numbers = tensor.shape.iter().product::<usize>() as u64;
            *precision.entry(tensor.encoding.name()).or_insert(0) += numbers;
            shapes.insert(name, tensor.shape);
        }
    }
    let (is, layout) = recognise(&shapes);
    let missing = if is.starts_with("Wan transformer") {
        missing(&shapes)
    } else {
        Vec::new()
    };
    Ok(Network {
        place: place.to_owned(),
        is,
        layout,
        memory: 4 * precision.values().sum::<u64>(),
        precision,
        bytes,
        missing,
    })
}

/// The architecture of weights as GGUF files name it.
pub(crate) fn architecture(weights: &Weights<'_>) -> &'static str {
    let of = |(name, tensor): (&String, &WeightsView<'_>)| (name.clone(), tensor.shape.clone());
    let (is, _) = recognise(&weights.tensors.iter().map(of).collect());
    match is.starts_with("Wan transformer") {
        true => "wan",
        false => "unknown",
    }
}

/// What has tensors of these names and shapes, and whose names they are.
fn recognise(shapes: &BTreeMap<String, Vec<usize>>) -> (String, &'static str) {
    let has = |part: &str| shapes.keys().any(|name| name.contains(part));
    let renamed = |rename: fn(&str, &[usize]) -> Renamed, wanted: &str| {
        let mut all = shapes
            .iter()
            .filter_map(|(name, shape)| rename(name, shape));
        all.find(|(name, _)| name == wanted).map(|(_, shape)| shape)
    };
    if has("head.modulation") || has("condition_embedder.time_proj") {
        let layout = match (has("condition_embedder."), has("model.diffusion_model.")) {
            (true, _) => "diffusers",
            (_, true) => "ComfyUI",
            _ => "original",
        };
        let width = renamed(of_transformer, "patch.bias").map_or(0, |shape| shape[0]);
        let patch = renamed(of_transformer, "patch.weight").map_or(0, |shape| shape[1]);
        let size = match (width, patch / 4) {
            (1536, 16) => "2.1 T2V 1.3B".to_owned(),
            (5120, 16) => "T2V 14B (2.1, or one expert of 2.2 A14B)".to_owned(),
            (5120, 36) => "I2V 14B".to_owned(),
            (3072, 48) => "2.2 TI2V 5B".to_owned(),
            (width, channels) => format!("width {width}, {channels} latent channels"),
        };
        return (format!("Wan transformer, {size}"), layout);
    }
    if let Some(shape) = renamed(of_text, "embedding") {
        let layout = if has("token_embedding") {
            "original"
        } else {
            "transformers"
        };
        return (
            format!(
                "umT5 text encoder, {} tokens of width {}",
                shape[0], shape[1]
            ),
            layout,
        );
    }
    if has("decoder.up_blocks.") {
        let kind = if has("upsampler.") {
            "Wan 2.2"
        } else {
            "Wan 2.1"
        };
        return (format!("{kind} autoencoder"), "diffusers");
    }
    if has("decoder.upsamples.") {
        return ("Wan autoencoder".to_owned(), "original");
    }
    if has("dit.patch_in") {
        return (
            "kinora-1, text encoder and transformer".to_owned(),
            "Kinora",
        );
    }
    if has("smoother.linear") {
        return ("kinora-1 autoencoder".to_owned(), "Kinora");
    }
    ("no network that Kinora knows".to_owned(), "unknown")
}

/// Tensors of a transformer that are not there.
fn missing(shapes: &BTreeMap<String, Vec<usize>>) -> Vec<String> {
    let names = shapes
        .iter()
        .filter_map(|(name, shape)| of_transformer(name, shape));
    let names: BTreeSet<String> = names.map(|(name, _)| name).collect();
    let mut of_blocks: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for name in &names {
        let Some((index, part)) = name.strip_prefix("blocks.").and_then(|n| n.split_once('.'))
        else {
            continue;
        };
        if let Ok(index) = index.parse() {
            of_blocks.entry(index).or_default().insert(part);
        }
    }
    let all: BTreeSet<&str> = of_blocks.values().flatten().copied().collect();
    let count = of_blocks.keys().last().map_or(0, |last| last + 1);
    let mut missing = Vec::new();
    for index in 0..count {
        let has = of_blocks.get(&index);
        let lacks = all
            .iter()
            .filter(|part| has.is_none_or(|has| !has.contains(**part)));
        missing.extend(lacks.map(|part| format!("blocks.{index}.{part}")));
    }
    for layer in [
        "patch",
        "text_in",
        "text_out",
        "time_in",
        "time_out",
        "time_modulation",
        "head",
    ] {
        for part in ["weight", "bias"] {
            let name = format!("{layer}.{part}");
            if !names.contains(&name) {
                missing.push(name);
            }
        }
    }
    if !names.contains("table") {
        missing.push("table".to_owned());
    }
    missing
}
