//! The fixtures' checkpoints in the layouts that people have them in: the same clips, and refusals that name what is wrong.

use crate::bad_input::refused;
use crate::support::Place;
use crate::wan::{done, fixtures, off, run};
use kinora_nn::weights::read;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// What shapes do not tell of networks as small as the fixtures'.
const CONFIG: &str = r#"{
    "dim": 24, "num_heads": 2, "flow_shift": 3.0, "relative_attention_max_distance": 20,
    "latents_mean": [0.1, -0.2, 0.3], "latents_std": [1.5, 2.0, 0.7]
}"#;

type Tensor = (String, &'static str, Vec<usize>, Vec<u8>);

/// The tensors of a file of 32-bit floats, renamed.
fn tensors(path: &Path, rename: impl Fn(&str) -> String) -> Vec<Tensor> {
    let bytes = fs::read(path).unwrap();
    let file = read(&bytes).unwrap();
    let renamed = file.tensors.into_iter().map(|(name, tensor)| {
        let data = tensor.data.to_vec();
        (rename(&name), "F32", tensor.shape, data)
    });
    renamed.collect()
}

fn write(path: &Path, tensors: &[Tensor]) {
    let (mut header, mut data) = (Map::new(), Vec::<u8>::new());
    for (name, dtype, shape, bytes) in tensors {
        let ends = [data.len(), data.len() + bytes.len()];
        data.extend(bytes);
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": ends });
        header.insert(name.clone(), entry);
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes.extend(data);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn replaced(name: &str, pairs: &[(&str, &str)]) -> String {
    let replace = |name: String, (from, to): &(&str, &str)| name.replace(from, to);
    pairs.iter().fold(name.to_owned(), replace)
}

fn original_transformer(name: &str) -> String {
    match name {
        "scale_shift_table" => return "head.modulation".to_owned(),
        name if name.contains("norm2") => return name.replace("norm2", "norm3"),
        _ => {}
    }
    replaced(
        name,
        &[
            ("scale_shift_table", "modulation"),
            (
                "condition_embedder.time_embedder.linear_1",
                "time_embedding.0",
            ),
            (
                "condition_embedder.time_embedder.linear_2",
                "time_embedding.2",
            ),
            (
                "condition_embedder.text_embedder.linear_1",
                "text_embedding.0",
            ),
            (
                "condition_embedder.text_embedder.linear_2",
                "text_embedding.2",
            ),
            ("condition_embedder.time_proj", "time_projection.1"),
            ("attn1", "self_attn"),
            ("attn2", "cross_attn"),
            ("to_out.0", "o"),
            (".to_", "."),
            ("ffn.net.0.proj", "ffn.0"),
            ("ffn.net.2", "ffn.2"),
            ("proj_out", "head.head"),
        ],
    )
}

fn original_text(name: &str) -> String {
    replaced(
        name,
        &[
            ("shared.", "token_embedding."),
            ("encoder.final_layer_norm", "norm"),
            ("encoder.block.", "blocks."),
            (
                "layer.0.SelfAttention.relative_attention_bias",
                "pos_embedding.embedding",
            ),
            ("layer.0.SelfAttention", "attn"),
            ("layer.0.layer_norm", "norm1"),
            ("layer.1.DenseReluDense.wi_0", "ffn.gate.0"),
            ("layer.1.DenseReluDense.wi_1", "ffn.fc1"),
            ("layer.1.DenseReluDense.wo", "ffn.fc2"),
            ("layer.1.layer_norm", "norm2"),
        ],
    )
}

/// Of Wan 2.1, with one residual block a level in the encoder and two in the decoder.
fn original_vae(name: &str) -> String {
    let mut name = replaced(
        name,
        &[
            ("post_quant_conv", "conv2"),
            ("quant_conv", "conv1"),
            ("conv_in", "conv1"),
            ("norm_out", "head.0"),
            ("conv_out", "head.2"),
            ("mid_block.resnets.0", "middle.0"),
            ("mid_block.attentions.0", "middle.1"),
            ("mid_block.resnets.1", "middle.2"),
            ("encoder.down_blocks", "encoder.downsamples"),
            ("conv_shortcut", "shortcut"),
        ],
    );
    for level in 0..4 {
        let up = format!("decoder.up_blocks.{level}.");
        for (part, at) in [("resnets.0", 0), ("resnets.1", 1), ("upsamplers.0", 2)] {
            let row = format!("decoder.upsamples.{}.", 3 * level + at);
            name = name.replace(&format!("{up}{part}."), &row);
        }
    }
    if name.contains("middle.") || name.contains("samples.") {
        let layers = [
            (".norm1.", ".residual.0."),
            (".conv1.", ".residual.2."),
            (".norm2.", ".residual.3."),
            (".conv2.", ".residual.6."),
        ];
        name = replaced(&name, &layers);
    }
    name
}

const TRANSFORMER: &str = "transformer/diffusion_pytorch_model.safetensors";
const TEXT: &str = "text_encoder/model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

/// The folder of the original release in `wan/`, its transformer in two shards.
fn original() -> Place {
    let (place, tiny) = (Place::new(), fixtures().join("tiny"));
    let all = tensors(&tiny.join(TRANSFORMER), original_transformer);
    let (first, second) = all.split_at(all.len() / 2);
    let mut map = Map::new();
    for (number, part) in [(1, first), (2, second)] {
        let name = format!("diffusion_pytorch_model-0000{number}-of-00002.safetensors");
        write(&place.path("wan").join(&name), part);
        let of_part = part
            .iter()
            .map(|(tensor, ..)| (tensor.clone(), json!(name)));
        map.extend(of_part);
    }
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    let file = |name: &str| place.path("wan").join(name);
    fs::write(
        file("diffusion_pytorch_model.safetensors.index.json"),
        index,
    )
    .unwrap();
    fs::write(file("config.json"), CONFIG).unwrap();
    let text = tensors(&tiny.join(TEXT), original_text);
    write(&file("models_t5_umt5-xxl-enc-bf16.safetensors"), &text);
    write(
        &file("Wan2.1_VAE.safetensors"),
        &tensors(&tiny.join(VAE), original_vae),
    );
    fs::create_dir_all(file("google/umt5-xxl")).unwrap();
    fs::copy(
        fixtures().join("spiece.model"),
        file("google/umt5-xxl/spiece.model"),
    )
    .unwrap();
    place
}

/// ComfyUI's folders in `wan/`, with the tokenizer in the text encoder.
fn comfy() -> Place {
    let (place, tiny) = (Place::new(), fixtures().join("tiny"));
    let file = |name: &str| place.path("wan").join(name);
    let prefixed = |name: &str| format!("model.diffusion_model.{}", original_transformer(name));
    write(
        &file("diffusion_models/wan2.1_t2v_tiny_fp32.safetensors"),
        &tensors(&tiny.join(TRANSFORMER), prefixed),
    );
    let mut text = tensors(&tiny.join(TEXT), str::to_owned);
    let pieces = fs::read(fixtures().join("spiece.model")).unwrap();
    text.push(("spiece_model".to_owned(), "U8", vec![pieces.len()], pieces));
    write(&file("text_encoders/umt5_xxl_fp32.safetensors"), &text);
    write(
        &file("vae/wan_2.1_vae.safetensors"),
        &tensors(&tiny.join(VAE), original_vae),
    );
    for folder in ["diffusion_models", "text_encoders", "vae"] {
        fs::write(file(folder).join("config.json"), CONFIG).unwrap();
    }
    place
}

const SIZE: [&str; 4] = ["--size", "48x32", "--frames", "9"];

fn same(place: &Place, what: &str) {
    run(place, "tiny", &SIZE);
    let most = off(place, "out", "tiny", "frames", 0);
    assert!(most <= 1.0, "{what}: a value is off by {most} of 255");
}

#[test]
fn every_layout_gives_the_frames_of_the_reference() {
    same(&original(), "original");
    let place = comfy();
    same(&place, "ComfyUI");
    // A mix: the transformer as GGUF, the text encoder and the autoencoder as they were.
    let models = place.path("wan/diffusion_models");
    fs::remove_file(models.join("wan2.1_t2v_tiny_fp32.safetensors")).unwrap();
    fs::copy(fixtures().join("tiny.gguf"), models.join("tiny.gguf")).unwrap();
    fs::remove_dir_all(place.path("out")).unwrap();
    same(&place, "GGUF");
}

/// The two transformers of the original release in `wan/`, and the rest as ComfyUI has it.
fn experts() -> Place {
    let place = comfy();
    fs::remove_dir_all(place.path("wan/diffusion_models")).unwrap();
    for (folder, from) in [
        ("high_noise_model", "transformer"),
        ("low_noise_model", "transformer_2"),
    ] {
        let from = fixtures().join("tiny-a14b").join(from);
        let all = tensors(
            &from.join("diffusion_pytorch_model.safetensors"),
            original_transformer,
        );
        let file = place
            .path("wan")
            .join(folder)
            .join("diffusion_pytorch_model.safetensors");
        write(&file, &all);
        fs::write(file.with_file_name("config.json"), CONFIG).unwrap();
    }
    let vae = fixtures().join("tiny-a14b").join(VAE);
    write(
        &place.path("wan/vae/wan_2.1_vae.safetensors"),
        &tensors(&vae, original_vae),
    );
    let text = fixtures().join("tiny-a14b").join(TEXT);
    let mut text = tensors(&text, str::to_owned);
    let pieces = fs::read(fixtures().join("spiece.model")).unwrap();
    text.push(("spiece_model".to_owned(), "U8", vec![pieces.len()], pieces));
    write(
        &place.path("wan/text_encoders/umt5_xxl_fp32.safetensors"),
        &text,
    );
    place
}

#[test]
fn two_folders_of_transformers_are_two_experts() {
    let place = experts();
    run(
        &place,
        "tiny-a14b",
        &["--size", "32x32", "--frames", "5", "--guidance-2", "3"],
    );
    let most = off(&place, "out", "tiny-a14b", "frames", 0);
    assert!(most <= 1.0, "a value is off by {most} of 255");
    fs::remove_dir_all(place.path("wan/high_noise_model")).unwrap();
    let ended = ask(&place);
    fs::remove_dir_all(place.path("out")).unwrap();
    refused(&place, &ended, 2, "beside low_noise_model");
}

fn ask(place: &Place) -> crate::support::Ended {
    place.run(
        &[
            &["generate", "a fox", "--model", "wan", "-o", "out.mp4"],
            &SIZE[..],
        ]
        .concat(),
    )
}

#[test]
fn layouts_are_told_from_headers() {
    let place = original();
    let found = done(&place, &["inspect", "wan", "--json"]).json();
    assert_eq!(found["missing"], json!([]));
    let networks = found["networks"].as_array().unwrap();
    let of = |is: &str| {
        networks
            .iter()
            .find(|n| n["is"].as_str().unwrap().starts_with(is))
            .unwrap()
    };
    assert_eq!(of("Wan transformer, width 24")["layout"], "original");
    assert_eq!(of("Wan transformer")["missing"], json!([]));
    assert_eq!(of("umT5 text encoder, 44")["layout"], "original");
    assert_eq!(of("Wan 2.1 autoencoder")["layout"], "original");
    let place = comfy();
    fs::remove_file(place.path("wan/text_encoders/umt5_xxl_fp32.safetensors")).unwrap();
    let found = done(&place, &["inspect", "wan", "--json"]).json();
    let missing: Vec<&str> = found["missing"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(missing[0].starts_with("text encoder") && missing[1].starts_with("tokenizer"));
    assert_eq!(found["networks"][0]["layout"], "ComfyUI");
    let shown = done(&original(), &["models", "--json", "show", "wan"]).json();
    assert_eq!(shown["defaults"]["shift"], 3.0);
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let place = original();
    let file = |name: &str| place.path("wan").join(name);
    let refuse = |says: &str| refused(&place, &ask(&place), 2, says);
    let shard = "diffusion_pytorch_model-00002-of-00002.safetensors";
    let whole = fs::read(file(shard)).unwrap();
    fs::remove_file(file(shard)).unwrap();
    refuse(&format!("names {shard}, which is not there"));
    let inspected = place.run(&["inspect", "wan"]);
    assert_eq!(inspected.status, Some(2), "{}", inspected.stderr);
    write(
        &file(shard),
        &[("else".to_owned(), "F32", vec![1], vec![0; 4])],
    );
    refuse("and it does not");
    fs::write(file(shard), &whole).unwrap();
    let mut broken = whole.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    fs::write(file(shard), &broken).unwrap();
    refuse("not finite");
    fs::write(file(shard), &whole).unwrap();

    fs::copy(file("Wan2.1_VAE.safetensors"), file("again.safetensors")).unwrap();
    refuse("Wan2.1_VAE.safetensors and again.safetensors");
    fs::remove_file(file("again.safetensors")).unwrap();
    fs::rename(file("Wan2.1_VAE.safetensors"), file("Wan2.1_VAE.pth")).unwrap();
    refuse("Wan2.1_VAE.pth is a pickle");
    fs::rename(file("Wan2.1_VAE.pth"), file("Wan2.1_VAE.safetensors")).unwrap();

    let text = file("models_t5_umt5-xxl-enc-bf16.safetensors");
    let (before, other) = (
        fs::read(&text).unwrap(),
        fixtures().join("text.safetensors"),
    );
    fs::copy(other, &text).unwrap();
    refuse("24 wide and the transformer reads 16");
    fs::remove_file(&text).unwrap();
    refuse("has no text encoder");
    fs::write(&text, before).unwrap();
    fs::write(file("google/umt5-xxl/spiece.model"), "no").unwrap();
    refuse("spiece.model");
    fs::remove_file(file("google/umt5-xxl/spiece.model")).unwrap();
    refuse("has no tokenizer");
    fs::write(file("config.json"), "{}").unwrap();
    fs::copy(fixtures().join("spiece.model"), file("spiece.model")).unwrap();
    refuse("num_attention_heads");
}
