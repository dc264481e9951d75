//! Files from outside, read in every way that the program does: for the damages of `mutations.rs` and the targets of `fuzz/`.

use kinora_models::wan::{
    Described, Lora, Shapes, TextConfig, TokenizerFile, TransformerConfig, VaeConfig,
};
use kinora_nn::weights::{WeightsView, read};

/// Whether the tokenizer is taken, which then works.
pub fn tokenizer(file: &TokenizerFile) -> bool {
    const VOCABULARY: usize = 1 << 18;
    let Ok(tokenizer) = file.open(VOCABULARY) else {
        return false;
    };
    let _ = tokenizer.encode("A red fox  runs, 3 times \u{1F98A} \u{4E16}", true);
    true
}

/// Whether the weight file is taken, whose numbers, networks and LoRA are then looked at.
pub fn weights(bytes: &[u8]) -> bool {
    let Ok(weights) = read(bytes) else {
        return false;
    };
    for tensor in weights.tensors.values() {
        assert!(tensor.data.len() <= bytes.len());
        drop(tensor.to_f32());
    }
    let shape = |(name, tensor): (&String, &WeightsView<'_>)| (name.clone(), tensor.shape.clone());
    let shapes: Shapes = weights.tensors.iter().map(shape).collect();
    let described = || Described {
        shapes: &shapes,
        config: None,
    };
    let _ = TransformerConfig::of_shapes(described());
    let _ = TextConfig::of_shapes(described());
    let _ = VaeConfig::of_shapes(described());
    if let Ok(lora) = Lora::read(bytes) {
        let _ = (lora.models(), lora.width(), lora.rank());
    }
    true
}
