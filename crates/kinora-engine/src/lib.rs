//! From a request to a plan to a clip: the only place that puts text, model, sampler and autoencoder together.
//!
//! A [`Request`] is what somebody asked for. [`plan`] checks it against a model and the memory at hand and fills in
//! what was left open. [`generate`] turns the [`Plan`] into a clip, and a [`Recipe`] beside the clip says how to make
//! it again.

mod around;
pub mod checkpoint;
mod conditioning;
mod convert;
mod diffusers;
mod error;
mod generate;
mod grade;
mod hashes;
mod known;
mod latents;
mod lora;
mod memory;
mod model;
mod paint;
mod painted;
mod parts;
mod plan;
mod previews;
mod recipe;
mod repack;
mod repertoire;
mod request;
mod shortcuts;
mod windows;

pub use conditioning::{Conditioning, ConditioningError, Picture};
pub use convert::{ConvertError, convert};
pub use error::{EngineError, Fault};
pub use generate::{Event, Job, finish, generate};
pub use kinora_models::wan::Tiles;
pub use latents::{Latents, LatentsError};
pub use lora::{LoraId, LoraRequest};
pub use memory::{Need, Room, Stage, estimate, human};
pub use model::{About, LoadError, ModelFiles, OpenError};
pub use painted::{Cut, Keep, Painted};
pub use plan::{MAX_FRAMES, MAX_PROMPT, MAX_SIDE, MAX_STEPS, Plan, PlanError, plan, plan_painted};
pub use recipe::{Input, ModelId, Recipe, RecipeError, Source};
pub use repertoire::{Direction, Task};
pub use request::{Length, Request};
pub use shortcuts::Shortcuts;

pub use burn::tensor::Device;
pub use kinora_diffusion::{Sampler, Step};
pub use kinora_models::wan::Expert;
pub use kinora_models::{Family, Geometry, Model, Reading};
pub use kinora_nn::weights::Encoding;
pub use kinora_nn::{Precision, operations_a_second};
