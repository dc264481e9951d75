//! The recogniser: a small convolutional network that names a clip's attributes from five frames, trained on stage
//! renders only and used to measure what a model painted.

use crate::{attributes::Attribute, heads::Heads, pixels};
use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, gelu};

/// Frames it looks at, spread over the clip; their pixels are stacked.
pub(crate) const FRAMES: usize = 5;
/// Pixels of its picture across and down.
pub(crate) const WIDTH: usize = 96;
/// See [`WIDTH`].
pub(crate) const HEIGHT: usize = 64;
/// Side of the patches that the first layer reads.
const PATCH: usize = 4;
/// Channels at each scale.
const WIDTHS: [usize; 3] = [64, 128, 192];
/// Blocks at each scale, each scale half the size of the one before.
const DEPTHS: [usize; 3] = [2, 3, 2];
/// A block sees one moment: time is in the channels.
const KERNEL: [usize; 3] = [1, 5, 5];

/// ConvNeXt blocks (arXiv:2201.03545) at three scales, mean and maximum over the picture, linear heads.
#[derive(Module, Debug)]
pub struct Recogniser {
    stem: Linear,
    scales: Vec<Vec<Block>>,
    merges: Vec<Linear>,
    place: Param<Tensor<3>>,
    norm: LayerNorm,
    heads: Heads,
}

#[derive(Module, Debug)]
struct Block {
    conv: DepthwiseConv3d,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Recogniser {
    /// Fresh weights.
    pub fn new(init: &mut Init) -> Self {
        let block = |width: usize, init: &mut Init| Block {
            conv: DepthwiseConv3d::new(width, KERNEL, init),
            norm: LayerNorm::new(width, init),
            up: Linear::new(width, 3 * width, init),
            down: Linear::new(3 * width, width, init),
        };
        let [first, _, last] = WIDTHS;
        Self {
            stem: Linear::new(PATCH * PATCH * 3 * FRAMES, first, init),
            scales: (WIDTHS.iter().zip(DEPTHS))
                .map(|(&width, depth)| (0..depth).map(|_| block(width, init)).collect())
                .collect(),
            merges: WIDTHS
                .windows(2)
                .map(|pair| Linear::new(4 * pair[0], pair[1], init))
                .collect(),
            place: init.normal([HEIGHT / PATCH, WIDTH / PATCH, first], 0.1),
            norm: LayerNorm::new(last, init),
            heads: Heads::new(2 * last, init),
        }
    }

    /// Features `[B, 384]` of pictures `[B, 64, 96, 5 * 3]` with pixels in -1 to 1.
    pub(crate) fn features(&self, pictures: Tensor<4>) -> Tensor<2> {
        let x = self.stem.forward(fold(pictures, PATCH)); // (B, 16, 24, 64)
        let mut x = x + self.place.val().unsqueeze::<4>();
        for (scale, blocks) in self.scales.iter().enumerate() {
            if scale > 0 {
                x = self.merges[scale - 1].forward(fold(x, 2));
            }
            for block in blocks {
                x = block.forward(x);
            }
        }
        let [b, h, w, c] = x.dims();
        let x = self.norm.forward(x).reshape([b, h * w, c]); // (B, 24, 192)
        let mean = x.clone().mean_dim(1).squeeze_dim::<2>(1);
        Tensor::cat(vec![mean, x.max_dim(1).squeeze_dim::<2>(1)], 1)
    }

    /// The loss of naming the attributes in `which`; see [`Heads::loss`].
    pub(crate) fn loss(
        &self,
        pictures: Tensor<4>,
        classes: &[Vec<usize>],
        which: &[Attribute],
    ) -> Tensor<1> {
        self.heads.loss(
            self.features(pictures),
            classes,
            &vec![1.0; classes.len()],
            which,
        )
    }

    /// The likeliest class of each of [`Attribute::ALL`] for each picture of [`picture`].
    pub(crate) fn name(&self, pictures: &[Vec<f32>]) -> Vec<Vec<usize>> {
        let scores = self
            .heads
            .forward(self.features(batch(pictures, &Device::flex())));
        let mut named = vec![Vec::with_capacity(Attribute::ALL.len()); pictures.len()];
        for scores in scores {
            let classes = scores.dims()[1];
            for (row, named) in pixels::floats(scores).chunks_exact(classes).zip(&mut named) {
                named.push(
                    (0..classes)
                        .max_by(|&a, &b| row[a].total_cmp(&row[b]))
                        .unwrap_or(0),
                );
            }
        }
        named
    }
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self
            .conv
            .forward(x.clone().unsqueeze_dim::<5>(1))
            .squeeze_dim::<4>(1); // (B, H, W, C)
        x + self
            .down
            .forward(gelu(self.up.forward(self.norm.forward(y))))
    }
}

/// Folds squares into channels: `[B, H s, W s, C]` to `[B, H, W, s s C]`.
fn fold(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let (h, w) = (h / side, w / side);
    x.reshape([b, h, side, w, side, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, h, w, side * side * c])
}

/// Pictures as one tensor `[B, 64, 96, 15]`.
pub(crate) fn batch(pictures: &[Vec<f32>], device: &Device) -> Tensor<4> {
    let shape = [pictures.len(), HEIGHT, WIDTH, FRAMES * 3];
    Tensor::from_data(TensorData::new(pictures.concat(), shape), device)
}

/// Which frames of a clip of `count` the recogniser looks at.
pub(crate) fn frames(count: usize) -> impl Iterator<Item = usize> {
    (0..FRAMES).map(move |slot| slot * (count - 1) / (FRAMES - 1))
}

/// The recogniser's picture of a clip: its frames spread over the clip (one alone is repeated), brought to 96 x 64 by
/// area, frame beside frame in the channels.
pub(crate) fn picture(frames: &[u8], width: usize, height: usize) -> Vec<f32> {
    let size = width * height * 3;
    let count = frames.len() / size;
    let mut out = vec![0.0; WIDTH * HEIGHT * FRAMES * 3];
    for (slot, index) in self::frames(count).enumerate() {
        let frame = &frames[index * size..][..size];
        for y in 0..HEIGHT {
            let rows =
                y * height / HEIGHT..((y + 1) * height / HEIGHT).max(y * height / HEIGHT + 1);
            for x in 0..WIDTH {
                let columns =
                    x * width / WIDTH..((x + 1) * width / WIDTH).max(x * width / WIDTH + 1);
                let area = (rows.len() * columns.len()) as f32;
                let mut sum = [0.0; 3];
                for row in rows.clone() {
                    for pixel in frame
                        [(row * width + columns.start) * 3..(row * width + columns.end) * 3]
                        .chunks_exact(3)
                    {
                        sum.iter_mut()
                            .zip(pixel)
                            .for_each(|(sum, &value)| *sum += f32::from(value));
                    }
                }
                let place = (y * WIDTH + x) * FRAMES * 3 + slot * 3;
                out[place..place + 3].copy_from_slice(&sum.map(|sum| sum / area / 127.5 - 1.0));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_the_means_of_five_frames() {
        // 9 frames of 192 x 128, each of one grey but for a bright left half.
        let frame = |index: usize| {
            (0..192 * 128).flat_map(move |i| [if i % 192 < 96 { 255 } else { index as u8 * 10 }; 3])
        };
        let frames: Vec<u8> = (0..9).flat_map(frame).collect();
        let picture = picture(&frames, 192, 128);
        assert_eq!(picture.len(), WIDTH * HEIGHT * FRAMES * 3);
        let at = |x: usize, y: usize, slot: usize| picture[(y * WIDTH + x) * FRAMES * 3 + slot * 3];
        assert_eq!(at(47, 63, 4), 1.0);
        for (slot, index) in [0.0, 2.0, 4.0, 6.0, 8.0].into_iter().enumerate() {
            assert!((at(48, 10, slot) - (index * 10.0 / 127.5 - 1.0)).abs() < 1e-5);
        }
    }

    #[test]
    fn learns_to_tell_two_pictures_apart() {
        let device = Device::flex().autodiff();
        let mut model = Recogniser::new(&mut Init::new(1, &device));
        let pictures: Vec<Vec<f32>> = [-0.5, 0.5]
            .map(|value| vec![value; WIDTH * HEIGHT * FRAMES * 3])
            .to_vec();
        let classes: Vec<Vec<usize>> =
            vec![vec![0; Attribute::ALL.len()], vec![1; Attribute::ALL.len()]];
        let config = kinora_nn::optim::AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        let mut adam = kinora_nn::optim::AdamW::new(config);
        for _ in 0..12 {
            let loss = model.loss(batch(&pictures, &device), &classes, &Attribute::ALL);
            let grads = kinora_nn::optim::Grads::take(&model, &mut loss.backward());
            model = adam.step(model, &grads, 3e-3, 1.0);
        }
        assert_eq!(model.valid().name(&pictures), classes);
    }
}
