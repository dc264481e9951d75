//! What a file or folder of weights is, from its headers alone.

use crate::parts::{Header, Part, Parts, is_pickle, is_weights};
use crate::{OpenError, diffusers, repack};
use kinora_models::wan::{KNOWN, Lora, Renamed, Shapes, of_text, of_transformer};
use kinora_nn::weights::{Dtype, Encoding, Mapped, Weights, WeightsView};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
    /// Bytes in memory if it is loaded whole, in 32 bits. Of what is merged into another network, none.
    pub memory: u64,
    /// Tensors that other blocks have and one lacks, and what no transformer is without.
    pub missing: Vec<String>,
}

impl Network {
    /// Whether most of its numbers are 32-bit floats.
    pub(crate) fn is_f32(&self) -> bool {
        let all: u64 = self.precision.values().sum();
        let plain = self.precision.get(Encoding::Plain(Dtype::F32).name());
        plain.is_some_and(|numbers| 2 * numbers > all)
    }
}

/// What kind of network has certain tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Transformer,
    Text,
    Vae,
    Lora,
    /// Of a model of Kinora's own.
    Kinora,
    Unknown,
}

/// What a network is.
#[derive(Clone, Debug)]
pub(crate) struct Recognised {
    pub kind: Kind,
    /// In words.
    pub is: String,
    /// Whose names its tensors have.
    pub layout: &'static str,
}

/// Whether a path is of weights: a file by its name, or a folder with such in it.
pub fn is_checkpoint(path: &Path) -> bool {
    match path.is_dir() {
        true => diffusers::is_folder(path) || repack::is_folder(path),
        false => is_weights(path) || is_pickle(path),
    }
}

/// The networks in a file of weights or in a checkpoint's folder, and the parts that the folder lacks.
///
/// # Errors
/// When a file can't be read or is damaged.
pub fn networks(path: &Path) -> Result<(Vec<Network>, Vec<String>), OpenError> {
    if is_pickle(path) {
        return Err(OpenError::Pickle(path.to_owned()));
    }
    if diffusers::is_folder(path) {
        let (parts, missing) = diffusers::found(path)?;
        let networks = parts.iter().map(of_part).collect::<Result<_, _>>()?;
        return Ok((networks, missing));
    }
    if path.is_dir() {
        let found = repack::find(path)?;
        let missing = if found.is_wan() {
            found.missing()
        } else {
            Vec::new()
        };
        let networks = found
            .groups
            .into_iter()
            .map(|group| network(&group.part, group.header));
        return Ok((networks.collect(), missing));
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    let mut one = of_part(&Part {
        place: name.to_string_lossy().into_owned(),
        files: vec![path.to_owned()],
        config: None,
    })?;
    if one.layout == LORA {
        one.is = lora(path).unwrap_or(one.is);
    }
    Ok((vec![one], Vec::new()))
}

/// The networks of a checkpoint.
pub(crate) fn of_parts(parts: &Parts) -> Result<Vec<Network>, OpenError> {
    parts.networks().map(of_part).collect()
}

fn of_part(part: &Part) -> Result<Network, OpenError> {
    Ok(network(part, Header::of(&part.files)?))
}

fn network(part: &Part, header: Header) -> Network {
    let Recognised { kind, is, layout } = recognise(&header.shapes);
    let missing = match kind {
        Kind::Transformer => missing(&header.shapes),
        _ => Vec::new(),
    };
    let numbers: u64 = header.precision.values().sum();
    Network {
        place: part.place.clone(),
        is,
        layout,
        memory: if kind == Kind::Lora { 0 } else { 4 * numbers },
        precision: header.precision,
        bytes: header.bytes,
        missing,
    }
}

/// The layout of files that are no network.
const LORA: &str = "LoRA";

/// What a LoRA's file is for, as far as it can be told.
fn lora(path: &Path) -> Option<String> {
    let file = Mapped::open(path).ok()?;
    let lora = Lora::read(&file).ok()?;
    let of = lora.models().unwrap_or_else(|| match lora.width() {
        Some(width) => format!("a transformer {width} wide"),
        None => "a transformer of unknown width".to_owned(),
    });
    Some(format!("LoRA of rank {} for Wan, {of}", lora.rank()))
}

/// The architecture of weights as GGUF files name it.
pub(crate) fn architecture(weights: &Weights<'_>) -> &'static str {
    let of = |(name, tensor): (&String, &WeightsView<'_>)| (name.clone(), tensor.shape.clone());
    match recognise(&weights.tensors.iter().map(of).collect()).kind {
        Kind::Transformer => "wan",
        _ => "unknown",
    }
}

/// What has tensors of these names and shapes, and whose names they are.
pub(crate) fn recognise(shapes: &Shapes) -> Recognised {
    let has = |part: &str| shapes.keys().any(|name| name.contains(part));
    let is = |kind, is: String, layout| Recognised { kind, is, layout };
    let ends = |end: &str| shapes.keys().any(|name| name.ends_with(end));
    if [".lora_", ".lora.", "lokr_", "hada_"].into_iter().any(has)
        || [".diff", ".diff_b", ".diff_m"].into_iter().any(ends)
    {
        return is(Kind::Lora, "LoRA".to_owned(), LORA);
    }
    if has("head.modulation") || has("condition_embedder.time_proj") {
        let layout = match (has("condition_embedder."), has("diffusion_model.")) {
            (true, _) => "diffusers",
            (_, true) => "ComfyUI",
            _ => "original",
        };
        let what = match ["img_emb.", "image_embedder."].into_iter().any(has) {
            true => {
                "2.1 I2V, which reads a picture encoder too; Kinora can't run it yet".to_owned()
            }
            false => size(shapes),
        };
        return is(
            Kind::Transformer,
            format!("Wan transformer, {what}"),
            layout,
        );
    }
    if let Some([tokens, width]) = extents(shapes, of_text, "embedding.weight") {
        let layout = if has("token_embedding") {
            "original"
        } else {
            "transformers"
        };
        let text = format!("umT5 text encoder, {tokens} tokens of width {width}");
        return is(Kind::Text, text, layout);
    }
    let residual = has("upsampler.") || has("upsamples.0.upsamples.");
    let kind = if residual {
        "Wan 2.2 autoencoder"
    } else {
        "Wan 2.1 autoencoder"
    };
    if has("decoder.up_blocks.") && has("time_conv.") {
        return is(Kind::Vae, kind.to_owned(), "diffusers");
    }
    if has("decoder.upsamples.") {
        return is(Kind::Vae, kind.to_owned(), "original");
    }
    if has("dit.patch_in") {
        let text = "kinora-1, text encoder and transformer".to_owned();
        return is(Kind::Kinora, text, "Kinora");
    }
    if has("smoother.linear") {
        return is(Kind::Kinora, "kinora-1 autoencoder".to_owned(), "Kinora");
    }
    is(
        Kind::Unknown,
        "no network that Kinora knows".to_owned(),
        "unknown",
    )
}

/// The two extents of the tensor that is called `wanted` here.
fn extents(
    shapes: &Shapes,
    rename: fn(&str, &[usize]) -> Renamed,
    wanted: &str,
) -> Option<[usize; 2]> {
    let mut all = shapes
        .iter()
        .filter_map(|(name, shape)| rename(name, shape));
    let (_, shape) = all.find(|(name, _)| name == wanted)?;
    shape.try_into().ok()
}

/// Which transformers are of a width and a number of channels.
fn size(shapes: &Shapes) -> String {
    let [width, patch] = extents(shapes, of_transformer, "patch.weight").unwrap_or_default();
    let channels = patch / 4;
    let same = KNOWN
        .iter()
        .filter(|known| (known.width, known.in_channels) == (width, channels));
    let names: Vec<&str> = same.map(|known| known.name).collect();
    match names.as_slice() {
        [] => format!("width {width}, {channels} latent channels"),
        [one] => (*one).to_owned(),
        [one, more @ ..] => format!("{one} (or one expert of {})", more.join(", ")),
    }
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
