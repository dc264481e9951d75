//! What somebody asked for, unchecked.

use crate::Shortcuts;
use kinora_media::Fps;
use kinora_nn::Precision;

/// A request for a clip. What is `None` is the model's default; [`crate::plan`] checks the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the clip shows.
    pub prompt: String,
    /// What it should keep away from; may be empty.
    pub negative: String,
    /// Width and height in pixels.
    pub size: Option<(i64, i64)>,
    /// How long it is.
    pub length: Option<Length>,
    /// Frames a second.
    pub fps: Option<Fps>,
    /// Decides everything that the prompt leaves open.
    pub seed: u64,
    /// Sampler steps.
    pub steps: Option<i64>,
    /// Guidance scale; 1 is none.
    pub guidance: Option<f64>,
    /// Guidance scale of the second transformer of a model with two.
    pub guidance_2: Option<f64>,
    /// What is left out of the work.
    pub shortcuts: Shortcuts,
    /// Name of the sampler.
    pub sampler: Option<String>,
    /// Shift of the sigma schedule.
    pub shift: Option<f64>,
    /// Scale of the noise that fine detail begins from.
    pub temperature: Option<f64>,
    /// How many clips are begun, of which one goes on.
    pub candidates: Option<i64>,
    /// Precision of the transformer's products.
    pub precision: Option<Precision>,
}

/// How long a clip is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// A number of frames.
    Frames(i64),
    /// Seconds, rounded to whole frames.
    Seconds(f64),
}

impl Request {
    /// A request that leaves everything but the prompt and the seed to the model.
    pub fn new(prompt: impl Into<String>, seed: u64) -> Self {
        Self {
            prompt: prompt.into(),
            negative: String::new(),
            size: None,
            length: None,
            fps: None,
            seed,
            steps: None,
            guidance: None,
            guidance_2: None,
            shortcuts: Shortcuts::NONE,
            precision: None,
            sampler: None,
            shift: None,
            temperature: None,
            candidates: None,
        }
    }
}
