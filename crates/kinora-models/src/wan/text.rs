//! The umT5 text encoder (arXiv:2304.09151): T5's encoder with a table of distances in every block.
//!
//! Reference: `modeling_umt5.py` of transformers.

use super::config::TextConfig;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation::softmax};
use kinora_nn::{Embedding, Init, Linear, gelu, rms_norm};

const EPS: f32 = 1e-6;

/// Reads token ids.
#[derive(Module, Debug)]
pub struct TextEncoder {
    /// `[vocabulary, D]`.
    embedding: Embedding,
    blocks: Vec<Block>,
    /// Gains of the last norm, `[D]`.
    norm: Param<Tensor<1>>,
    #[module(skip)]
    config: TextConfig,
}

impl TextEncoder {
    /// An encoder with the initialiser's weights.
    pub fn new(config: &TextConfig, init: &mut Init) -> Self {
        Self {
            embedding: Embedding::new(config.vocab_size, config.d_model, init),
            blocks: (0..config.num_layers)
                .map(|_| Block::new(config, init))
                .collect(),
            norm: init.normal([config.d_model], 1.0),
            config: config.clone(),
        }
    }

    /// Features `[L, D]` of a text's `L` ids, the end mark included, padding left out. A model that wants a longer text
    /// gets zeros behind it.
    ///
    /// # Panics
    /// If an id is not below the vocabulary; a tokenizer gives no such id.
    pub fn forward(&self, ids: &[u32], device: &Device) -> Tensor<2> {
        let length = ids.len();
        let buckets = self.buckets(length, device);
        let x = self.embedding.forward(ids, device); // (L, D)
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, &buckets, &self.config));
        rms_norm(x, self.norm.val(), EPS)
    }

    /// The class of the distance from each token to each, `[L * L]`.
    fn buckets(&self, length: usize, device: &Device) -> Tensor<1, Int> {
        let (buckets, most) = (
            self.config.relative_attention_num_buckets,
            self.config.relative_attention_max_distance,
        );
        let pairs = (0..length).flat_map(|query| (0..length).map(move |key| (query, key)));
        let classes = pairs.map(|(query, key)| bucket(query, key, buckets, most) as i32);
        let classes: Vec<i32> = classes.collect();
        Tensor::from_data(TensorData::new(classes, [length * length]), device)
    }
}

/// The class of a distance: half of them before, half behind; of each half, one for each of the least distances and the
/// rest evenly spaced on a logarithmic scale.
fn bucket(query: usize, key: usize, buckets: usize, most: usize) -> usize {
    let half = buckets / 2;
    let exact = half / 2;
    let distance = query.abs_diff(key);
    let class = if distance < exact {
        distance
    } else {
        let share = (distance as f32 / exact as f32).ln() / (most as f32 / exact as f32).ln();
        (exact + (share * (half - exact) as f32) as usize).min(half - 1)
    };
    if key > query { half + class } else { class }
}

#[derive(Module, Debug)]
struct Block {
    /// Gains before attention, `[D]`.
    attention_norm: Param<Tensor<1>>,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    /// What a distance adds to the scores of each head, `[buckets, heads]`.
    distances: Param<Tensor<2>>,
    /// Gains before the perceptron, `[D]`.
    up_norm: Param<Tensor<1>>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(config: &TextConfig, init: &mut Init) -> Self {
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv);
        let linear =
            |inputs, outputs, init: &mut Init| Linear::new(inputs, outputs, init).without_bias();
        Self {
            attention_norm: init.normal([width], 1.0),
            q: linear(width, inner, init),
            k: linear(width, inner, init),
            v: linear(width, inner, init),
            out: linear(inner, width, init),
            distances: init.normal(
                [config.relative_attention_num_buckets, config.num_heads],
                1.0,
            ),
            up_norm: init.normal([width], 1.0),
            gate: linear(width, config.d_ff, init),
            up: linear(width, config.d_ff, init),
            down: linear(config.d_ff, width, init),
        }
    }

    /// `x` `[L, D]`; T5 scales no scores.
    fn forward(&self, x: Tensor<2>, buckets: &Tensor<1, Int>, config: &TextConfig) -> Tensor<2> {
        let (length, heads) = (x.dims()[0], config.num_heads);
        let split = |y: Tensor<2>| y.reshape([length, heads, config.d_kv]).swap_dims(0, 1);
        let y = rms_norm(x.clone(), self.attention_norm.val(), EPS);
        let (q, k) = (self.q.forward(y.clone()), self.k.forward(y.clone()));
        let (q, k, v) = (split(q), split(k), split(self.v.forward(y))); // (heads, L, d)
        let near = self.distances.val().select(0, buckets.clone()); // (L L, heads)
        let near = near.reshape([length, length, heads]).permute([2, 0, 1]);
        let weights = softmax(q.matmul(k.transpose()) + near, 2); // (heads, L, L)
        let y = weights
            .matmul(v)
            .swap_dims(0, 1)
            .reshape([length, heads * config.d_kv]);
        let x = x + self.out.forward(y);

        let y = rms_norm(x.clone(), self.up_norm.val(), EPS);
        let y = gelu(self.gate.forward(y.clone())) * self.up.forward(y);
        x + self.down.forward(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `_relative_position_bucket` in transformers.
    #[test]
    fn distances_fall_into_t5s_buckets() {
        let at = |key: usize| bucket(200, key, 32, 128);
        let found: Vec<usize> = [200, 199, 193, 192, 184, 168, 72, 0].map(at).to_vec();
        assert_eq!(found, [0, 1, 7, 8, 10, 12, 15, 15]);
        assert_eq!(bucket(0, 1, 32, 128), 17);
        assert_eq!(bucket(0, 500, 32, 128), 31);
    }
}
