//! The operations on tensors, one file for each family.

mod activation;
mod attention;
mod conv;
mod conv3d;
mod linear;
mod norm;
mod residual;
mod rope;
mod warp;
mod winograd;

pub use activation::{gelu, silu};
pub use attention::attention;
pub use conv::depthwise_conv3d;
pub use conv3d::{Walk, conv3d, conv3d_behind};
pub use linear::{linear, linear_in, linear_stored};
pub use norm::{layer_norm, modulate, rms_norm, rms_norm_heads, rms_norm_silu};
pub use residual::gated_residual;
pub use rope::{RopeTable, rope};
pub use warp::warp;
pub use winograd::TILE as CONV_TILE;
