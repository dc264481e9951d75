//! Blocks of the convolutional networks that look at pictures, channels last.

use burn::{module::Module, tensor::Tensor};
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, gelu};

/// A block sees one moment.
const KERNEL: [usize; 3] = [1, 5, 5];

/// ConvNeXt's block (arXiv:2201.03545): `x + down(gelu(up(norm(conv(x)))))`.
#[derive(Module, Debug)]
pub(crate) struct Block {
    conv: DepthwiseConv3d,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

/// `depth` blocks of `width`.
pub(crate) fn blocks(width: usize, depth: usize, init: &mut Init) -> Vec<Block> {
    (0..depth).map(|_| Block::new(width, init)).collect()
}

impl Block {
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            conv: DepthwiseConv3d::new(width, KERNEL, init),
            norm: LayerNorm::new(width, init),
            up: Linear::new(width, 3 * width, init),
            down: Linear::new(3 * width, width, init),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
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
pub(crate) fn fold(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let (h, w) = (h / side, w / side);
    x.reshape([b, h, side, w, side, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, h, w, side * side * c])
}

/// The inverse of [`fold`].
pub(crate) fn unfold(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let c = c / (side * side);
    x.reshape([b, h, w, side, side, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, h * side, w * side, c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels;
    use burn::tensor::Device;

    #[test]
    fn unfolding_undoes_folding() {
        let x = Tensor::<1>::from_floats(
            kinora_nn::noise::normal(1, 0, 96).as_slice(),
            &Device::flex(),
        );
        let x = x.reshape([1, 4, 8, 3]);
        let back = unfold(fold(x.clone(), 2), 2);
        assert_eq!(pixels::floats(back), pixels::floats(x));
    }
}
