//! The Wan 2.1 and 2.2 family of open checkpoints (arXiv:2503.20314): one transformer, one text encoder and one video
//! autoencoder for all of them; which is which is configuration.
//!
//! Checked against diffusers 0.42.1 on small random weights (`reference/wan.py`).

mod config;
mod footprint;
mod known;
mod layers;
mod lora;
mod names;
mod networks;
mod shapes;
mod text;
mod tiles;
mod tokenizer;
mod transformer;
mod vae;

pub use config::{TextConfig, TransformerConfig, VaeConfig};
pub use footprint::Footprint;
pub use known::{KNOWN, Known, nearest};
pub use lora::{Expert, Lora, LoraError, LoraFile, Merge, expert_of, few_steps};
pub use names::{Renamed, is_delicate, of_text, of_transformer, of_vae};
pub(crate) use networks::EASE;
pub use networks::{Config, ConfigFiles, Networks, TEXT_ROWS, WanError, WeightFiles};
pub use shapes::{Described, Shapes};
pub use text::TextEncoder;
pub use tiles::{Around, Span, Tiles, Tiling};
pub use tokenizer::TokenizerFile;
pub use transformer::Transformer;
pub use vae::{Vae, VaeCache};
