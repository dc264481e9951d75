//! The names that weights have in published files, and what they are called here.
//!
//! The layouts are those of diffusers and of the original release, which ComfyUI's repacks keep behind a prefix.

use super::config::VaeConfig;

/// A weight's name here and its shape there, from its name and shape in a file of any layout; `None` for what no network
/// here has.
pub type Renamed = Option<(String, Vec<usize>)>;

/// What stands before the names of a transformer in repacked files.
const PREFIXES: [&str; 2] = ["model.diffusion_model.", "diffusion_model."];

/// Of the transformer.
pub fn of_transformer(name: &str, shape: &[usize]) -> Renamed {
    let name = PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let width = shape.iter().skip(1).product();
    // Blocks and the head keep a leading extent of one before their tables.
    let table = || shape.iter().skip(1).copied().collect::<Vec<_>>();
    let plain = |name: &str| Some((name.to_owned(), shape.to_vec()));
    if let Some(rest) = name.strip_prefix("blocks.") {
        let (index, part) = rest.split_once('.')?;
        return match part {
            "scale_shift_table" | "modulation" => Some((format!("blocks.{index}.table"), table())),
            part => plain(&format!("blocks.{index}.{}", of_block(part)?)),
        };
    }
    match name {
        // A convolution whose kernel is its stride is a linear map of patches.
        "patch_embedding.weight" => Some(("patch.weight".into(), vec![*shape.first()?, width])),
        "patch_embedding.bias" => plain("patch.bias"),
        "scale_shift_table" | "head.modulation" => Some(("table".into(), table())),
        _ => {
            let (layer, kind) = name.rsplit_once('.')?;
            let layer = match layer {
                "condition_embedder.text_embedder.linear_1" | "text_embedding.0" => "text_in",
                "condition_embedder.text_embedder.linear_2" | "text_embedding.2" => "text_out",
                "condition_embedder.time_embedder.linear_1" | "time_embedding.0" => "time_in",
                "condition_embedder.time_embedder.linear_2" | "time_embedding.2" => "time_out",
                "condition_embedder.time_proj" | "time_projection.1" => "time_modulation",
                "proj_out" | "head.head" => "head",
                _ => return None,
            };
            plain(&format!("{layer}.{kind}"))
        }
    }
}

/// Of a block, without its table. What diffusers calls norm2 is norm3 in the original.
fn of_block(part: &str) -> Option<String> {
    let (layer, kind) = part.rsplit_once('.')?;
    let layer = match layer {
        "norm2" | "norm3" => "cross_norm".to_owned(),
        "ffn.net.0.proj" | "ffn.0" => "up".to_owned(),
        "ffn.net.2" | "ffn.2" => "down".to_owned(),
        _ => {
            let (attention, layer) = layer.split_once('.')?;
            let attention = match attention {
                "attn1" | "self_attn" => "attention",
                "attn2" | "cross_attn" => "cross",
                _ => return None,
            };
            let layer = match layer {
                "to_q" | "q" => "q",
                "to_k" | "k" => "k",
                "to_v" | "v" => "v",
                "to_out.0" | "o" => "out",
                "norm_q" => "q_norm",
                "norm_k" => "k_norm",
                _ => return None,
            };
            format!("{attention}.{layer}")
        }
    };
    Some(format!("{layer}.{kind}"))
}

/// Of the text encoder: the names of transformers, or those of the original release.
pub fn of_text(name: &str, shape: &[usize]) -> Renamed {
    let plain = |name: String| Some((name, shape.to_vec()));
    match name {
        "shared.weight" | "token_embedding.weight" => return plain("embedding.weight".into()),
        // The same tensor again.
        "encoder.embed_tokens.weight" => return None,
        "encoder.final_layer_norm.weight" | "norm.weight" => return plain("norm".into()),
        _ => {}
    }
    let rest = name
        .strip_prefix("encoder.block.")
        .or_else(|| name.strip_prefix("blocks."))?;
    let (index, part) = rest.split_once('.')?;
    let part = match part {
        "layer.0.SelfAttention.q.weight" | "attn.q.weight" => "q.weight",
        "layer.0.SelfAttention.k.weight" | "attn.k.weight" => "k.weight",
        "layer.0.SelfAttention.v.weight" | "attn.v.weight" => "v.weight",
        "layer.0.SelfAttention.o.weight" | "attn.o.weight" => "out.weight",
        "layer.0.SelfAttention.relative_attention_bias.weight"
        | "pos_embedding.embedding.weight" => "distances",
        "layer.0.layer_norm.weight" | "norm1.weight" => "attention_norm",
        "layer.1.DenseReluDense.wi_0.weight" | "ffn.gate.0.weight" => "gate.weight",
        "layer.1.DenseReluDense.wi_1.weight" | "ffn.fc1.weight" => "up.weight",
        "layer.1.DenseReluDense.wo.weight" | "ffn.fc2.weight" => "down.weight",
        "layer.1.layer_norm.weight" | "norm2.weight" => "up_norm",
        _ => return None,
    };
    plain(format!("blocks.{index}.{part}"))
}

/// Whether a matrix is one that quantised files keep in full: of a transformer what is outside its blocks, of a text encoder
/// its table of distances. llama.cpp, with the patch that ComfyUI-GGUF has for these networks, leaves the same alone.
pub fn is_delicate(name: &str, shape: &[usize]) -> bool {
    if let Some((name, _)) = of_text(name, shape) {
        return name.ends_with(".distances");
    }
    let pictures = ["condition_embedder.", "img_emb."];
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    pictures
        .iter()
        .any(|part| bare.unwrap_or(name).starts_with(part))
        || of_transformer(name, shape).is_some_and(|(name, _)| !name.starts_with("blocks."))
}

/// Of an autoencoder of this configuration: the names of diffusers, or those of the original release.
pub fn of_vae(name: &str, shape: &[usize], config: &VaeConfig) -> Renamed {
    let name = leveled(&layers(name), config)
        .replace(".upsamplers.0.", ".resample.")
        .replace(".upsampler.", ".resample.")
        .replace(".downsampler.", ".resample.")
        .replace(".resample.resample.1.", ".resample.conv.");
    // Gains are kept as vectors, and convolutions of single positions as linear maps.
    if let Some(norm) = name.strip_suffix(".gamma") {
        return Some((format!("{norm}.gain"), vec![shape.iter().product()]));
    }
    let linear = [".to_qkv.weight", ".proj.weight"]
        .iter()
        .any(|end| name.ends_with(end));
    let shape = if linear {
        &shape[..2.min(shape.len())]
    } else {
        shape
    };
    Some((name, shape.to_vec()))
}

/// What the original release calls a layer of the autoencoder, and diffusers. Blocks are [`leveled`] afterwards.
const VAE_LAYERS: [(&str, &str); 11] = [
    ("encoder.conv1.", "encoder.conv_in."),
    ("decoder.conv1.", "decoder.conv_in."),
    (".middle.0.", ".mid_block.resnets.0."),
    (".middle.1.", ".mid_block.attentions.0."),
    (".middle.2.", ".mid_block.resnets.1."),
    (".head.0.", ".norm_out."),
    (".head.2.", ".conv_out."),
    (".residual.0.", ".norm1."),
    (".residual.2.", ".conv1."),
    (".residual.3.", ".norm2."),
    (".residual.6.", ".conv2."),
];

/// A name of the original release with diffusers' names of layers; one of diffusers as it is.
fn layers(name: &str) -> String {
    if let Some(kind) = name.strip_prefix("conv1.") {
        return format!("quant_conv.{kind}");
    }
    if let Some(kind) = name.strip_prefix("conv2.") {
        return format!("post_quant_conv.{kind}");
    }
    let name = name.replace(".shortcut.", ".conv_shortcut.");
    let rename = |name: String, (theirs, ours): &(&str, &str)| name.replace(theirs, ours);
    VAE_LAYERS.iter().fold(name, rename)
}

/// Blocks in levels. Wan 2.1 has them in one row, in its encoder and in the original's decoder: those of a level, then what
/// resizes it. The original of Wan 2.2 has a row for each level.
fn leveled(name: &str, config: &VaeConfig) -> String {
    const ROWS: [(&str, &str); 4] = [
        ("encoder", "down_blocks."),
        ("encoder", "downsamples."),
        ("decoder", "up_blocks."),
        ("decoder", "upsamples."),
    ];
    let found = ROWS.iter().find_map(|(half, row)| {
        let rest = name.strip_prefix(half)?.strip_prefix('.')?;
        let (at, part) = rest.strip_prefix(row)?.split_once('.')?;
        Some((*half, at.parse::<usize>().ok()?, part))
    });
    let Some((half, at, part)) = found else {
        return name.to_owned();
    };
    let blocks = config.num_res_blocks + usize::from(half == "decoder");
    let place = |level: usize, block: usize, part: &str| match block == blocks {
        true => format!("{half}.levels.{level}.resample.{part}"),
        false => format!("{half}.levels.{level}.resnets.{block}.{part}"),
    };
    let (group, rest) = part.split_once('.').unwrap_or((part, ""));
    match group {
        "resnets" | "upsamplers" | "upsampler" | "downsampler" => {
            format!("{half}.levels.{at}.{part}")
        }
        "downsamples" | "upsamples" => match rest.split_once('.') {
            Some((block, part)) => place(at, block.parse().unwrap_or(usize::MAX), part),
            None => name.to_owned(),
        },
        _ => place(at / (blocks + 1), at % (blocks + 1), part),
    }
}
