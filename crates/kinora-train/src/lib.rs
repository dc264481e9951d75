//! Trains and measures Kinora's models: clips and latents cached on disk, losses, one training loop with exact resume,
//! sheets, export and evaluation.

mod attributes;
mod camera;
pub mod cast;
mod characters;
mod checkpoint;
mod clips;
pub mod config;
mod convnet;
mod copies;
pub mod dit;
mod error;
mod export;
mod finish;
pub mod gallery;
mod given;
mod heads;
mod journal;
mod known;
mod latents;
mod metrics;
mod motion;
mod order;
mod pixel_loss;
mod pixels;
mod places;
mod portrait;
mod principal;
mod profile;
mod random;
mod recogniser;
pub mod recognition;
pub mod repertoire;
mod run;
mod schedule;
mod shards;
mod sketch;
pub mod stage;
mod staged;
pub mod vae;

pub use attributes::Attribute;
pub use characters::Characters;
pub use checkpoint::RunFolder;
pub use clips::{ClipCache, Clips, Label};
pub use error::TrainError;
pub use export::read_vae;
pub use journal::{Entry, read_journal};
pub use metrics::{psnr, ssim};
pub use profile::{IDENTITY, Profile};
pub use run::{
    Control, Event, LoopConfig, Loss, OptimiserConfig, Outcome, Progress, Task, draw_curve, run,
};
pub use schedule::Schedule;
