//! LoRA files of each naming against diffusers and PEFT (`reference/lora.py`), and those that are refused.

use crate::wan::{Fixture, close};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::wan::{Expert, LoraFile, Merge, Transformer, TransformerConfig, of_transformer};
use kinora_nn::Init;
use kinora_nn::weights::{Mapped, Store, load_stored, read, shapes};

const WEIGHT: f32 = 0.7;

fn file(path: &std::path::Path) -> LoraFile {
    LoraFile {
        name: "it".to_owned(),
        file: Mapped::open(path).unwrap(),
        weight: WEIGHT,
        expert: None,
    }
}

fn with(fixture: &Fixture, files: &[LoraFile], expert: Expert) -> Result<Transformer, String> {
    let (config, device): (TransformerConfig, _) = (fixture.config(), Device::flex());
    let mut init = Init::stored(&device);
    let empty = Transformer::new(&config, &mut init);
    let shapes = shapes(&empty, &init);
    let merge = Merge::new(files, expert, &shapes).map_err(|error| error.to_string())?;
    let store = Store::new(vec![
        Mapped::open(&Fixture::path("transformer.safetensors")).unwrap(),
    ]);
    let slots = init.take_slots();
    let model = load_stored(empty, &slots, &store, of_transformer, |name| merge.of(name));
    Ok(model.unwrap())
}

fn velocity(fixture: &Fixture, model: &Transformer) -> Tensor<5> {
    let one = fixture.case::<1>("one").unsqueeze_dim::<2>(1);
    model.forward(fixture.clip("latent"), one, fixture.case::<3>("text"))
}

#[test]
fn each_naming_gives_what_the_reference_gives() {
    let fixture = Fixture::new("transformer");
    let expected = Fixture::new("lora-outputs");
    let expected = read(&expected.0).unwrap();
    for name in ["peft", "comfy", "kohya", "lightx2v", "whole"] {
        let lora = file(&Fixture::path(&format!("lora-{name}.safetensors")));
        let model = with(&fixture, &[lora], Expert::High).unwrap();
        let wanted = &expected.tensors[name];
        let wanted = TensorData::new(wanted.to_f32(), wanted.shape.clone());
        let wanted = Tensor::<5>::from_data(wanted, &Device::flex()).permute([0, 2, 3, 4, 1]);
        close(name, velocity(&fixture, &model), wanted);
    }
}

#[test]
fn a_lora_of_the_other_transformer_is_left_out() {
    let fixture = Fixture::new("transformer");
    let mut lora = file(&Fixture::path("lora-comfy.safetensors"));
    lora.expert = Some(Expert::Low);
    let model = with(&fixture, &[lora], Expert::High).unwrap();
    close("plain", velocity(&fixture, &model), fixture.clip("out"));
}

/// A safetensors file of these tensors, each of one value.
fn written(tensors: &[(&str, &[usize], f32)]) -> (tempfile::TempDir, LoraFile) {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, value) in tensors {
        let start = data.len();
        (0..shape.iter().product()).for_each(|_| data.extend(value.to_le_bytes()));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert((*name).to_owned(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes.extend(data);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    std::fs::write(&path, bytes).unwrap();
    (folder, file(&path))
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let fixture = Fixture::new("transformer");
    let q = "diffusion_model.blocks.0.self_attn.q";
    let (down, up) = (
        format!("{q}.lora_down.weight"),
        format!("{q}.lora_up.weight"),
    );
    let wide = format!("{q}.diff");
    let deep = "diffusion_model.blocks.7.ffn.2.diff_b";
    let flux = "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight";
    type Tensors<'a> = &'a [(&'a str, &'a [usize], f32)];
    let cases: [(Tensors<'_>, &[&str]); 9] = [
        (
            &[(&down, &[2, 32], 1.0), (&up, &[32, 2], 0.0)],
            &["changes nothing"],
        ),
        (
            &[(&down, &[2, 32], 1.0)],
            &["self_attn.q", "one of two factors"],
        ),
        (
            &[(&down, &[2, 32], 1.0), (&up, &[32, 3], 1.0)],
            &["self_attn.q"],
        ),
        (
            &[(&down, &[2, 1536], 1.0), (&up, &[1536, 2], 1.0)],
            &[
                "blocks.0.self_attn.q is [1536, 1536]",
                "[32, 32]",
                "2.1 T2V 1.3B",
            ],
        ),
        (&[(&wide, &[40, 40], 1.0)], &["a transformer 40 wide"]),
        (&[(deep, &[32], 1.0)], &["blocks.7.ffn.2"]),
        (
            &[(flux, &[2, 32], 1.0)],
            &["single_transformer_blocks", "FLUX"],
        ),
        (&[("blocks.0.lokr_w1", &[2, 2], 1.0)], &["LoKr"]),
        (
            &[(&down, &[2, 32], 1.0), (&up, &[32, 2], f32::NAN)],
            &["not finite"],
        ),
    ];
    for (tensors, says) in cases {
        let (_folder, lora) = written(tensors);
        let refusal = with(&fixture, &[lora], Expert::High).err().unwrap();
        for part in says {
            assert!(refusal.contains(part), "{refusal:?} does not say {part:?}");
        }
    }
}
