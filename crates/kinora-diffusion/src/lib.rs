//! Schedules, samplers, guidance, step caches and the flow-matching target. Knows no model and no file.
//!
//! Everything is in flow form: `x(sigma) = (1 - sigma) * clean + sigma * noise`, so sigma 1 is pure noise, sigma 0 is
//! the clip, and the velocity is `dx / dsigma = noise - clean`. A sampler works on a *denoiser*: a function from a
//! noised latent and its sigma to the clean latent it expects. [`denoiser`] makes one of a network that predicts the
//! velocity; that is the only place that knows what the network predicts.

mod cache;
mod flow;
mod guidance;
mod sampler;
mod sigmas;

pub use cache::FirstBlock;
pub use flow::{Timesteps, noised, velocity};
pub use guidance::{Branches, Guidance, denoiser};
pub use sampler::{ParseSamplerError, Sampler, Step};
pub use sigmas::{from_thousand, shift, shifted};
