//! What LoRA files and their tensors are called.

use super::Expert;
use std::collections::BTreeMap;

/// What the end of a tensor's name says that it is.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Down,
    Up,
    Alpha,
    Whole { of: &'static str, scaled: bool },
}

const fn whole(of: &'static str) -> Part {
    Part::Whole { of, scaled: false }
}

const PARTS: [(&str, Part); 12] = [
    (".lora_A.weight", Part::Down),
    (".lora_A.default.weight", Part::Down),
    (".lora_down.weight", Part::Down),
    (".lora.down.weight", Part::Down),
    (".lora_B.weight", Part::Up),
    (".lora_B.default.weight", Part::Up),
    (".lora_up.weight", Part::Up),
    (".lora.up.weight", Part::Up),
    (".alpha", Part::Alpha),
    (".diff", whole("weight")),
    (".diff_b", whole("bias")),
    (".diff_m", whole("modulation")),
];
/// The bias of PEFT's second factor.
const BIAS: (&str, Part) = (
    ".lora_B.bias",
    Part::Whole {
        of: "bias",
        scaled: true,
    },
);
/// What may stand before a layer's name.
const PREFIXES: [&str; 5] = [
    "base_model.model.",
    "transformer.",
    "model.diffusion_model.",
    "diffusion_model.",
    "",
];
/// What stands before kohya's names, which have `_` for dots.
const KOHYA: &str = "lora_unet_";
/// Names of groups of layers, which kohya's names are divided behind.
const GROUPS: [&str; 8] = [
    "self_attn_",
    "cross_attn_",
    "ffn_",
    "head_",
    "text_embedding_",
    "time_embedding_",
    "time_projection_",
    "patch_embedding",
];
/// The layer that a tensor is of, in a name of the transformer's layouts, and what it is of it.
pub(super) fn parse(name: &str) -> Option<(String, Part)> {
    let mut ends = PARTS.iter().chain([&BIAS]);
    let (layer, part) = ends.find_map(|(end, part)| Some((name.strip_suffix(end)?, *part)))?;
    if let Some(layer) = layer.strip_prefix(KOHYA) {
        return Some((dotted(layer), part));
    }
    let layer = PREFIXES
        .iter()
        .find_map(|prefix| layer.strip_prefix(prefix))?;
    Some((layer.to_owned(), part))
}

/// `blocks_0_self_attn_q` as `blocks.0.self_attn.q`.
fn dotted(layer: &str) -> String {
    let group = |name: &str| {
        let of = GROUPS.iter().find(|group| name.starts_with(**group))?;
        let (group, rest) = name.split_at(of.len());
        group
            .strip_suffix('_')
            .map(|group| format!("{group}.{rest}"))
    };
    let block = layer
        .strip_prefix("blocks_")
        .and_then(|rest| rest.split_once('_'));
    match block {
        Some((index, rest)) => {
            let rest = group(rest).unwrap_or_else(|| rest.to_owned());
            format!("blocks.{index}.{rest}")
        }
        None => group(layer).unwrap_or_else(|| layer.to_owned()),
    }
}

/// Names of few-step distillations, in small letters.
const FEW_STEPS: [&str; 7] = [
    "lightx2v",
    "lightning",
    "distill",
    "lcm",
    "causvid",
    "4step",
    "4_step",
];

/// Whether a LoRA makes a model paint in a few steps without guidance, by its file's name and what its header calls it.
pub fn few_steps(name: &str, metadata: &BTreeMap<String, String>) -> bool {
    let titles = ["modelspec.title", "ss_output_name", "name", "title"];
    let titles = titles
        .iter()
        .filter_map(|key| metadata.get(*key).map(String::as_str));
    titles
        .chain([name])
        .map(str::to_lowercase)
        .any(|title| FEW_STEPS.iter().any(|mark| title.contains(mark)))
}

/// The transformer that a file is for by its name, as in `lightx2v_high_noise.safetensors`.
pub fn expert_of(name: &str) -> Option<Expert> {
    let name = name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.find_map(|word| match word {
        "high" | "highnoise" => Some(Expert::High),
        "low" | "lownoise" => Some(Expert::Low),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wan::of_transformer;

    #[test]
    fn names_of_every_layout_are_the_same_layers() {
        let layer = |name: &str| {
            let (layer, _) = parse(name).expect(name);
            of_transformer(&format!("{layer}.weight"), &[1, 1])
                .expect(name)
                .0
        };
        for (name, ours) in [
            (
                "transformer.blocks.3.attn1.to_out.0.lora_A.weight",
                "blocks.3.attention.out.weight",
            ),
            (
                "diffusion_model.blocks.3.self_attn.o.lora_down.weight",
                "blocks.3.attention.out.weight",
            ),
            (
                "lora_unet_blocks_3_self_attn_o.lora_up.weight",
                "blocks.3.attention.out.weight",
            ),
            (
                "lora_unet_blocks_12_cross_attn_norm_q.alpha",
                "blocks.12.cross.q_norm.weight",
            ),
            (
                "lora_unet_blocks_0_ffn_2.lora_down.weight",
                "blocks.0.down.weight",
            ),
            (
                "lora_unet_time_projection_1.lora_down.weight",
                "time_modulation.weight",
            ),
            ("lora_unet_patch_embedding.lora_down.weight", "patch.weight"),
            ("lora_unet_head_head.lora_down.weight", "head.weight"),
            ("blocks.0.norm3.diff", "blocks.0.cross_norm.weight"),
        ] {
            assert_eq!(layer(name), ours);
        }
    }

    #[test]
    fn few_steps_and_experts_are_told_by_names() {
        let none = BTreeMap::new();
        let name = "wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors";
        assert!(few_steps(name, &none) && expert_of(name) == Some(Expert::High));
        assert!(!few_steps("slow-film-look.safetensors", &none));
        assert_eq!(expert_of("slow-film-look.safetensors"), None);
        let title = [("modelspec.title".to_owned(), "Wan CausVid".to_owned())];
        assert!(few_steps("a.safetensors", &title.into()));
    }
}
