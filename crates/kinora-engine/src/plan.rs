//! From a request to a plan: every setting checked and filled in, the memory foreseen.

use crate::model::nearest;
use crate::{Length, ModelFiles, Need, Request, Shortcuts, memory};
use kinora_diffusion::Sampler;
use kinora_media::{Fps, MediaError};
use kinora_models::{Family, Geometry, kinora1::latent_frames};
use kinora_nn::Precision;
use serde::{Deserialize, Serialize};

/// Longest prompt, in characters.
pub const MAX_PROMPT: usize = 4_000;
/// Longest side, in pixels.
pub const MAX_SIDE: u32 = 2_048;
/// Most frames.
pub const MAX_FRAMES: u32 = 7_201;
/// Most clips that are begun for one.
pub const MAX_CANDIDATES: u32 = 16;
/// Most sampler steps.
pub const MAX_STEPS: u32 = 1_000;
/// Strongest guidance.
const MAX_GUIDANCE: f64 = 100.0;
/// Strongest shift.
const MAX_SHIFT: f64 = 100.0;

/// All settings of a clip, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the clip shows.
    pub prompt: String,
    /// What it should keep away from; may be empty.
    pub negative: String,
    /// Decides everything that the prompt leaves open.
    pub seed: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Number of frames.
    pub frames: u32,
    /// Frames a second.
    pub fps: Fps,
    /// Sampler steps.
    pub steps: u32,
    /// Guidance scale; 1 is none.
    pub guidance: f64,
    /// Guidance scale of the second transformer of a model with two; without it, the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_2: Option<f64>,
    /// The sampler.
    #[serde(with = "sampler_name")]
    pub sampler: Sampler,
    /// Shift of the sigma schedule.
    pub shift: f64,
    /// Scale of the noise that fine detail begins from, 0 to 1: less is smoother, 1 is as in training.
    pub temperature: f64,
    /// How many clips are begun; the one that shows most plainly what it should goes on.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub candidates: u32,
    /// Precision of the transformer's products.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
}

/// Why a request can't be carried out. Each is the asker's to mend.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing was asked for.
    #[error("the prompt is empty; say in a sentence what the clip shows")]
    EmptyPrompt,
    /// The prompt or the negative prompt is too long.
    #[error("the {which} has {chars} characters; at most {MAX_PROMPT} are allowed")]
    LongPrompt {
        /// "prompt" or "negative prompt".
        which: &'static str,
        /// Its length.
        chars: usize,
    },
    /// No such size can be made.
    #[error(
        "the size {width}x{height} can't be made; width and height are multiples of {multiple} from {multiple} to {MAX_SIDE}{}",
        near(*.width, *.height, *.multiple)
    )]
    Size {
        /// Pixels across.
        width: i64,
        /// Pixels down.
        height: i64,
        /// What sizes are multiples of.
        multiple: usize,
    },
    /// Another number is out of its range.
    #[error("{what} is {value}; it can be {allowed}")]
    Range {
        /// Which setting.
        what: &'static str,
        /// What was asked for.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A second guidance for a model of one transformer.
    #[error("{0} has one transformer, so there is no second guidance; leave --guidance-2 out")]
    NoSecond(String),
    /// Several candidates for a model that can't choose.
    #[error("{0} can't tell which of several clips shows the prompt best; leave --candidates out")]
    NoChoice(String),
    /// A step cache for a model that has none.
    #[error("{0} has no step cache; leave --step-cache out")]
    NoStepCache(String),
    /// No such rate.
    #[error(transparent)]
    Rate(#[from] MediaError),
    /// No such sampler.
    #[error("no sampler is called \"{name}\"{}; there are {}", nearest(.name, &sampler_names()), sampler_names().join(", "))]
    Sampler {
        /// What was asked for.
        name: String,
    },
    /// It would not fit.
    #[error(
        "{width}x{height} pixels and {frames} frames need about {} of memory, and {} may be taken; ask for a smaller size or fewer frames",
        memory::human(*.need),
        memory::human(*.free)
    )]
    Memory {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Number of frames.
        frames: u32,
        /// The estimate, in bytes.
        need: u64,
        /// What there is, in bytes.
        free: u64,
    },
}

/// Checks `request` against what `model` can do and the bytes of memory that may be taken (`None` if that is not known),
/// and fills in the model's defaults.
///
/// # Errors
/// Says what is wrong with the request and what is allowed.
pub fn plan(request: &Request, model: &ModelFiles, free: Option<u64>) -> Result<Plan, PlanError> {
    let plan = filled_in(request, model)?;
    let need = memory::estimate(&plan, &request.shortcuts, model, false, free);
    plan.check_memory(&need, free)?;
    Ok(plan)
}

/// [`plan`] of a clip that is painted: there is to be memory for the rest of the work.
///
/// # Errors
/// As [`plan`].
pub fn plan_painted(
    request: &Request,
    model: &ModelFiles,
    free: Option<u64>,
) -> Result<Plan, PlanError> {
    let plan = filled_in(request, model)?;
    let need = memory::estimate(&plan, &request.shortcuts, model, false, free);
    plan.check_memory(&need.of_painted(), free)?;
    Ok(plan)
}

/// The plan of a request, without a look at memory.
fn filled_in(request: &Request, model: &ModelFiles) -> Result<Plan, PlanError> {
    let (defaults, geometry) = (&model.about.defaults, model.about.geometry);
    let multiple = geometry.multiple;
    check_prompt("prompt", &request.prompt)?;
    check_prompt("negative prompt", &request.negative)?;
    if request.prompt.trim().is_empty() {
        return Err(PlanError::EmptyPrompt);
    }
    let (width, height) = request
        .size
        .unwrap_or((defaults.width as i64, defaults.height as i64));
    let (width, height) =
        side(width, multiple)
            .zip(side(height, multiple))
            .ok_or(PlanError::Size {
                width,
                height,
                multiple,
            })?;
    let fps = match request.fps {
        Some(fps) => fps,
        None => Fps::new(defaults.fps, 1)?,
    };
    let frames = match request
        .length
        .unwrap_or(Length::Frames(defaults.frames as i64))
    {
        Length::Frames(frames) => whole("the number of frames", frames, MAX_FRAMES)?,
        Length::Seconds(seconds) => {
            let most = fps.seconds(MAX_FRAMES as usize);
            let seconds = number("the length in seconds", seconds, f64::MIN_POSITIVE, most)?;
            ((seconds * fps.as_f64()).round() as u32).clamp(1, MAX_FRAMES)
        }
    };
    let sampler = request.sampler.as_deref().unwrap_or(&defaults.sampler);
    let plan = Plan {
        prompt: request.prompt.clone(),
        negative: request.negative.clone(),
        seed: request.seed,
        width,
        height,
        frames,
        fps,
        steps: whole(
            "the number of steps",
            request.steps.unwrap_or(defaults.steps as i64),
            MAX_STEPS,
        )?,
        guidance: number(
            "the guidance",
            request.guidance.unwrap_or(shortest(defaults.guidance)),
            0.0,
            MAX_GUIDANCE,
        )?,
        guidance_2: second_guidance(request, model)?,
        sampler: sampler.parse().map_err(|_| PlanError::Sampler {
            name: sampler.to_owned(),
        })?,
        shift: number(
            "the shift",
            request.shift.unwrap_or(shortest(defaults.shift)),
            1.0 / MAX_SHIFT,
            MAX_SHIFT,
        )?,
        temperature: number(
            "the temperature",
            request
                .temperature
                .unwrap_or(shortest(defaults.temperature)),
            0.0,
            1.0,
        )?,
        candidates: candidates(request, model)?,
        precision: request.precision.unwrap_or(model.about.precision),
    };
    request.shortcuts.check(model)?;
    Ok(plan)
}

impl Plan {
    fn check_memory(&self, need: &Need, free: Option<u64>) -> Result<(), PlanError> {
        let need = need.least();
        match free {
            Some(free) if need > free => Err(PlanError::Memory {
                width: self.width,
                height: self.height,
                frames: self.frames,
                need,
                free,
            }),
            _ => Ok(()),
        }
    }

    /// The request that gives this plan, without shortcuts.
    pub fn request(self) -> Request {
        Request {
            prompt: self.prompt,
            negative: self.negative,
            size: Some((self.width.into(), self.height.into())),
            length: Some(Length::Frames(self.frames.into())),
            fps: Some(self.fps),
            seed: self.seed,
            steps: Some(self.steps.into()),
            guidance: Some(self.guidance),
            guidance_2: self.guidance_2,
            sampler: Some(self.sampler.name().to_owned()),
            shift: Some(self.shift),
            temperature: Some(self.temperature),
            candidates: Some(self.candidates.into()),
            precision: Some(self.precision),
            shortcuts: Shortcuts::NONE,
        }
    }

    /// Shape of the latents: `[1, frames, height, width, channels]`.
    pub(crate) fn latent_shape(&self, geometry: Geometry) -> [usize; 5] {
        let side = |pixels: u32| pixels as usize / geometry.spatial;
        [
            1,
            latent_frames(self.frames as usize),
            side(self.height),
            side(self.width),
            geometry.channels,
        ]
    }
}

fn second_guidance(request: &Request, model: &ModelFiles) -> Result<Option<f64>, PlanError> {
    let Some(guidance) = request.guidance_2 else {
        return Ok(None);
    };
    if !model.about.two_transformers {
        return Err(PlanError::NoSecond(model.about.name.clone()));
    }
    number("the second guidance", guidance, 0.0, MAX_GUIDANCE).map(Some)
}

fn candidates(request: &Request, model: &ModelFiles) -> Result<u32, PlanError> {
    let asked = (request.candidates).unwrap_or(model.about.defaults.candidates as i64);
    let count = whole("the number of candidates", asked, MAX_CANDIDATES)?;
    if count > 1 && model.about.family != Family::Kinora1 {
        return Err(PlanError::NoChoice(model.about.name.clone()));
    }
    Ok(count)
}

/// What recipes of before leave out.
fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

fn check_prompt(which: &'static str, text: &str) -> Result<(), PlanError> {
    match text.chars().count() {
        chars if chars > MAX_PROMPT => Err(PlanError::LongPrompt { which, chars }),
        _ => Ok(()),
    }
}

fn side(pixels: i64, multiple: usize) -> Option<u32> {
    let pixels = u32::try_from(pixels).ok()?;
    let allowed = (multiple as u32..=MAX_SIDE).contains(&pixels)
        && (pixels as usize).is_multiple_of(multiple);
    allowed.then_some(pixels)
}

/// The nearest size that can be made, if the asked one is not absurd.
fn near(width: i64, height: i64, multiple: usize) -> String {
    let round = |pixels: i64| {
        let multiple = multiple as i64;
        (1..=i64::from(MAX_SIDE))
            .contains(&pixels)
            .then(|| ((pixels + multiple / 2) / multiple).max(1) * multiple)
    };
    round(width)
        .zip(round(height))
        .map_or_else(String::new, |(w, h)| format!(", such as {w}x{h}"))
}

fn whole(what: &'static str, value: i64, most: u32) -> Result<u32, PlanError> {
    let refused = || PlanError::Range {
        what,
        value: value.to_string(),
        allowed: format!("1 to {most}"),
    };
    u32::try_from(value)
        .ok()
        .filter(|v| (1..=most).contains(v))
        .ok_or_else(refused)
}

pub(crate) fn number(
    what: &'static str,
    value: f64,
    least: f64,
    most: f64,
) -> Result<f64, PlanError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let least = if least == f64::MIN_POSITIVE {
        "above 0".to_owned()
    } else {
        least.to_string()
    };
    let most = (most * 100.0).floor() / 100.0; // no more digits than a person needs
    Err(PlanError::Range {
        what,
        value: value.to_string(),
        allowed: format!("{least} to {most}"),
    })
}

/// The f64 that prints as `x` does, so that a default of 4.2 is 4.2 in a recipe and not 4.19999980926514.
fn shortest(x: f32) -> f64 {
    x.to_string()
        .parse()
        .expect("what an f32 prints as is a number")
}

fn sampler_names() -> Vec<&'static str> {
    Sampler::ALL.map(Sampler::name).to_vec()
}

/// A sampler by its name.
mod sampler_name {
    use kinora_diffusion::Sampler;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sampler: &Sampler, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(sampler.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Sampler, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}
