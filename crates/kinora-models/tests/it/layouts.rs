//! Weights in other layouts than diffusers': the same networks, and their configurations from shapes.

use crate::wan::{CASE, Fixture, close};
use burn::tensor::Device;
use kinora_models::wan::{
    Config, Described, Shapes, TextConfig, TokenizerFile, Transformer, TransformerConfig, Vae,
    VaeConfig, WanError, nearest, of_transformer, of_vae,
};
use kinora_nn::Init;
use kinora_nn::weights::{WeightsError, load_renamed, read};
use std::collections::BTreeMap;

fn shapes(fixture: &Fixture) -> Shapes {
    let tensors = read(&fixture.0).unwrap().tensors.into_iter();
    let own = tensors.filter(|(name, _)| !name.starts_with(CASE));
    own.map(|(name, tensor)| (name, tensor.shape)).collect()
}

#[test]
fn the_autoencoders_are_those_of_the_original_release() {
    for name in ["vae-2.1-original", "vae-2.2-original"] {
        let fixture = Fixture::new(name);
        let text = read(&fixture.0).unwrap().metadata["config"].clone();
        let described = Described {
            shapes: &shapes(&fixture),
            config: Some(&text),
        };
        let config = VaeConfig::of_shapes(described).unwrap();
        let empty = Vae::new(&config, &mut Init::zeros(&Device::flex()));
        let rename = |name: &str, shape: &[usize]| match name.starts_with(CASE) {
            true => None,
            false => of_vae(name, shape, &config),
        };
        let model = load_renamed(empty, &[&fixture.0], rename).unwrap();
        let (latent, out) = (fixture.clip("latent"), fixture.clip("out"));
        close(name, model.encode(fixture.clip("video")), latent);
        close(name, model.decode(fixture.clip("code")), out);
    }
}

#[test]
fn configurations_are_told_by_shapes() {
    for name in ["transformer", "transformer-original"] {
        let fixture = Fixture::new(name);
        let shapes = shapes(&fixture);
        let told = |config| {
            TransformerConfig::of_shapes(Described {
                shapes: &shapes,
                config,
            })
        };
        let found = told(Some(r#"{"num_heads": 2, "model_type": "t2v"}"#)).unwrap();
        assert_eq!(found, fixture.config::<TransformerConfig>());
        let lacking = told(None).unwrap_err().to_string();
        assert!(lacking.contains("num_attention_heads"), "{lacking}");
    }
    let fixture = Fixture::new("text");
    let described = Described {
        shapes: &shapes(&fixture),
        config: Some(r#"{"relative_attention_max_distance": 20}"#),
    };
    let found = TextConfig::of_shapes(described).unwrap();
    assert_eq!(found, fixture.config::<TextConfig>());
    for name in ["vae-2.1", "vae-2.2"] {
        let fixture = Fixture::new(name);
        let wanted: VaeConfig = fixture.config();
        let statistics = serde_json::json!({
            "latents_mean": wanted.latents_mean, "latents_std": wanted.latents_std,
        });
        let statistics = statistics.to_string();
        let shapes = shapes(&fixture);
        let told = |config| {
            VaeConfig::of_shapes(Described {
                shapes: &shapes,
                config,
            })
        };
        let decoder_base_dim = Some(wanted.decoder_base_dim.unwrap_or(wanted.base_dim));
        let wanted = VaeConfig {
            decoder_base_dim,
            ..wanted
        };
        assert_eq!(told(Some(&statistics)).unwrap(), wanted);
        let lacking = told(None).unwrap_err().to_string();
        assert!(lacking.contains("latents_mean"), "{lacking}");
    }
}

/// The tensors by which a transformer of the original release is known.
fn published(width: usize, channels: usize, hidden: usize, layers: usize) -> Shapes {
    let mut shapes: Shapes = BTreeMap::new();
    let mut add = |name: &str, shape: &[usize]| shapes.insert(name.to_owned(), shape.to_vec());
    add("patch_embedding.weight", &[width, channels, 1, 2, 2]);
    add("patch_embedding.bias", &[width]);
    add("head.head.bias", &[channels.min(48) * 4]);
    add("text_embedding.0.weight", &[width, 4096]);
    add("time_embedding.0.weight", &[width, 256]);
    for layer in 0..layers {
        add(&format!("blocks.{layer}.ffn.0.bias"), &[hidden]);
    }
    shapes
}

#[test]
fn published_transformers_need_no_configuration() {
    for (width, channels, hidden, layers, two, name, shift) in [
        (1536, 16, 8960, 30, false, "2.1 T2V 1.3B", 8.0),
        (5120, 16, 13_824, 40, false, "2.1 T2V 14B", 5.0),
        (5120, 16, 13_824, 40, true, "2.2 T2V A14B", 12.0),
        (3072, 48, 14_336, 30, false, "2.2 TI2V 5B", 5.0),
    ] {
        let shapes = published(width, channels, hidden, layers);
        let described = Described {
            shapes: &shapes,
            config: None,
        };
        let config = TransformerConfig::of_shapes(described).unwrap();
        assert_eq!(config.attention_head_dim, 128);
        assert_eq!((config.num_layers, config.ffn_dim), (layers, hidden));
        let known = nearest(&config, two);
        assert_eq!((known.name, known.shift), (name, shift));
    }
}

#[test]
fn networks_that_do_not_go_together_are_named() {
    let (transformer, text, vae) = (
        Fixture::new("transformer"),
        Fixture::new("text"),
        Fixture::new("vae-2.1"),
    );
    let statistics = r#"{"latents_mean": [0, 0, 0], "latents_std": [1, 1, 1]}"#;
    let mut shapes = [shapes(&transformer), shapes(&text), shapes(&vae)];
    // The fixture's transformer has more channels in than out, as those of image-to-video have.
    let patch = shapes[0].get_mut("patch_embedding.weight").unwrap();
    patch[1] = 3;
    let described = |at: usize, config| Described {
        shapes: &shapes[at],
        config: Some(config),
    };
    let heads = r#"{"num_heads": 2}"#;
    let together = Config::of_shapes(
        described(0, heads),
        described(1, "{}"),
        described(2, statistics),
        false,
    );
    match together {
        Err(WanError::TextWidth { text, wanted }) => assert_eq!((text, wanted), (24, 12)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sentencepiece_gives_the_ids_of_the_reference() {
    let bytes = std::fs::read(Fixture::path("spiece.model")).unwrap();
    let json = std::fs::read_to_string(Fixture::path("tiny/tokenizer/tokenizer.json")).unwrap();
    let expected = std::fs::read(Fixture::path("spiece-ids.json")).unwrap();
    let expected: BTreeMap<String, Vec<u32>> = serde_json::from_slice(&expected).unwrap();
    let pieces = TokenizerFile::SentencePiece(bytes.clone())
        .open(64)
        .unwrap();
    let fast = TokenizerFile::Json(json).open(64).unwrap();
    for (prompt, ids) in expected {
        let found = pieces.encode(prompt.as_str(), true).unwrap();
        assert_eq!(found.get_ids(), ids, "{prompt:?}");
    }
    for prompt in ["A red fox runs through the SNOW.", "zebra, 17 été"] {
        let (a, b) = (pieces.encode(prompt, true), fast.encode(prompt, true));
        assert_eq!(a.unwrap().get_ids(), b.unwrap().get_ids());
    }
    // A model that is cut anywhere is refused or is a shorter one.
    for end in 0..bytes.len() {
        let cut = TokenizerFile::SentencePiece(bytes[..end].to_vec());
        let _ = cut
            .open(64)
            .map(|cut| cut.encode("A red fox", true).map(drop));
    }
    assert!(TokenizerFile::SentencePiece(bytes).open(10).is_err());
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let mut fixture = Fixture::new("transformer");
    let config: TransformerConfig = fixture.config();
    let at = {
        let file = read(&fixture.0).unwrap();
        let data = file.tensors["blocks.1.ffn.net.2.bias"].data;
        data.as_ptr() as usize - fixture.0.as_ptr() as usize
    };
    fixture.0[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let empty = Transformer::new(&config, &mut Init::zeros(&Device::flex()));
    match load_renamed(empty, &[&fixture.0], of_transformer) {
        Err(WeightsError::NotFinite(name)) => assert_eq!(name, "blocks.1.down.bias"),
        other => panic!("{:?}", other.err()),
    }
}
