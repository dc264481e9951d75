//! The Videos API on one's own machines: HTTP, a durable queue, and the results.
//!
//! A job is one readable path: a request ([`wire`]) becomes a checked [`render::RenderSpec`], a row with its place in the
//! queue ([`store`]), the work of a [`Worker`], files ([`Assets`]), and what clients see of it. What makes the clips is
//! behind [`render::Renderer`]; this crate knows no model.

mod app;
mod assets;
mod batches;
mod bucket;
mod doctor;
mod fetch;
mod http;
mod metrics;
mod pictures;
mod priority;
pub mod render;
mod serve;
mod stand_in;
pub mod store;
mod webhooks;
pub mod wire;
mod worker;

pub use app::{App, Caller, Settings};
pub use assets::{AssetError, Assets};
pub use bucket::{Bucket, BucketKeys};
pub use doctor::{Doctor, DoctorError, Findings};
pub use fetch::{FetchError, Reach};
pub use http::{Watch, router};
pub use metrics::Metrics;
pub use priority::step_back;
pub use serve::{ServeError, Server};
pub use stand_in::StandIn;
pub use webhooks::webhook_secret;
pub use worker::Worker;
