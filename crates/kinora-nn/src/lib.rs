//! The operations, kernels, weight files and noise that Kinora's models stand on.
//!
//! Every operation is a plain function over Burn tensors (float, 32 bit, on the `flex` device, with
//! or without autodiff) with a handwritten backward pass. Layout is channels-last throughout:
//! tokens are `[B, N, C]`, video is `[B, T, H, W, C]`, linear weights are `[out, in]`. Results do
//! not depend on the number of threads: work is cut into fixed chunks and summed in a fixed order.
//! Wrong shapes are mistakes of the calling program and panic with the shapes in the message.

#[cfg(target_arch = "x86_64")]
mod bf16;
mod buffer;
mod int8;
mod kernel;
mod math;
mod matmul;
mod ops;
mod rate;

pub mod layers;
pub mod noise;
pub mod optim;
pub mod weights;

pub use layers::{DepthwiseConv3d, Embedding, Init, LayerNorm, Linear, RmsNorm, Slots};
pub use matmul::Precision;
pub use ops::{
    CONV_TILE, RopeTable, Walk, attention, conv3d, conv3d_behind, depthwise_conv3d, gated_residual,
    gelu, layer_norm, linear, linear_in, linear_stored, modulate, rms_norm, rms_norm_heads,
    rms_norm_silu, rope, silu, warp,
};
pub use rate::operations_a_second;
