//! The text encoder: a small bidirectional transformer over word tokens, trained together with the painter.

use super::camera::CameraReader;
use super::config::TextConfig;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, module::embedding};
use kinora_nn::{Init, LayerNorm, Linear, attention, gelu};

/// A batch of read captions.
#[derive(Clone, Debug)]
pub struct Text {
    /// Features of each token, `[B, L, D]`; rows past a caption's length are padding.
    pub tokens: Tensor<3>,
    /// Tokens of each caption; 0 for the empty prompt that guidance compares with.
    pub lengths: Vec<usize>,
    /// Mean of each caption's token features, `[B, D]`; zeros for the empty prompt.
    pub pooled: Tensor<2>,
    /// How the camera moves from a frame to the next, `[B, 12]` ([`CameraReader`]).
    pub camera: Tensor<2>,
    /// What the clips should show before they are painted, as normalised latents `[B, T, h, w, C]`, if they are staged; zeros for
    /// those that are not.
    pub sketch: Option<Tensor<5>>,
}

impl Text {
    /// Of a clip of so many frames, over all of which the camera moves once as the captions have it.
    pub fn over(self, frames: usize) -> Self {
        let camera = self.camera / frames.saturating_sub(1).max(1) as f64;
        Self { camera, ..self }
    }

    /// Of clips that are staged so.
    pub fn staged(self, sketch: Option<Tensor<5>>) -> Self {
        Self { sketch, ..self }
    }
}

/// Reads token ids.
#[derive(Module, Debug)]
pub struct TextEncoder {
    embedding: Param<Tensor<2>>,
    position: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    /// Reads how the camera moves.
    pub camera: CameraReader,
    #[module(skip)]
    heads: usize,
}

impl TextEncoder {
    /// Fresh weights from the initialiser's seed.
    pub fn new(config: &TextConfig, init: &mut Init) -> Self {
        let width = config.width;
        Self {
            embedding: init.normal([config.vocabulary, width], 0.1),
            position: init.normal([config.max_tokens, width], 0.02),
            blocks: (0..config.depth).map(|_| Block::new(width, init)).collect(),
            norm: LayerNorm::new(width, init),
            camera: CameraReader::new(config.vocabulary, init).no_grad(),
            heads: config.heads,
        }
    }

    /// Longest caption in tokens.
    pub fn max_tokens(&self) -> usize {
        self.position.dims()[0]
    }

    /// Reads a batch of captions as token ids; the camera's motion is that over a clip of two frames ([`Text::over`]). Longer
    /// captions than [`Self::max_tokens`] are cut.
    ///
    /// # Panics
    /// If an id is not below the vocabulary; the tokenizer gives no such id.
    pub fn forward(&self, captions: &[Vec<u32>], device: &Device) -> Text {
        let lengths: Vec<usize> = captions
            .iter()
            .map(|c| c.len().min(self.max_tokens()))
            .collect();
        let (b, l) = (
            captions.len(),
            lengths.iter().copied().max().unwrap_or(0).max(1),
        );
        let mut ids = vec![0i32; b * l];
        let mut shares = vec![0f32; b * l];
        for (row, (caption, &length)) in captions.iter().zip(&lengths).enumerate() {
            for (column, &id) in caption[..length].iter().enumerate() {
                ids[row * l + column] = id as i32;
                shares[row * l + column] = 1.0 / length as f32;
            }
        }
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [b, l]), device);
        let shares = Tensor::<3>::from_data(TensorData::new(shares, [b, l, 1]), device);

        let present = shares.clone().greater_elem(0.0).float(); // (B, L, 1)
        let camera = self.camera.forward(ids.clone(), present); // (B, 12)
        let position = self.position.val().narrow(0, 0, l).unsqueeze::<3>(); // (1, L, D)
        let mut x = embedding(self.embedding.val(), ids) + position; // (B, L, D)
        for block in &self.blocks {
            x = block.forward(x, self.heads, &lengths);
        }
        let tokens = self.norm.forward(x); // (B, L, D)
        let pooled = (tokens.clone() * shares).sum_dim(1).squeeze_dim::<2>(1); // (B, D)
        Text {
            tokens,
            lengths,
            pooled,
            camera,
            sketch: None,
        }
    }
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(width: usize, init: &mut Init) -> Self {
        Self {
            norm1: LayerNorm::new(width, init),
            q: Linear::new(width, width, init),
            k: Linear::new(width, width, init),
            v: Linear::new(width, width, init),
            out: Linear::new(width, width, init),
            norm2: LayerNorm::new(width, init),
            up: Linear::new(width, 4 * width, init),
            down: Linear::new(4 * width, width, init),
        }
    }

    fn forward(&self, x: Tensor<3>, heads: usize, lengths: &[usize]) -> Tensor<3> {
        let y = self.norm1.forward(x.clone());
        let (q, k, v) = (
            self.q.forward(y.clone()),
            self.k.forward(y.clone()),
            self.v.forward(y),
        );
        let x = x + self
            .out
            .forward(attention(q, k, v, heads, Some(lengths.to_vec()))); // (B, L, D)
        let y = self.up.forward(self.norm2.forward(x.clone())); // (B, L, 4 D)
        x + self.down.forward(gelu(y))
    }
}
