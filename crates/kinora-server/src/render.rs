//! The narrow place between the service and the models: what is asked of a renderer, and what it answers.

use kinora_media::{Clip, Fps};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

/// Width and height in pixels, written `1280x720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A clip from a prompt, and from pictures if there are any.
    Create,
    /// A clip painted again after another prompt.
    Remix,
    /// A clip painted again where its mask says so, or a little everywhere.
    Edit,
    /// A clip continued.
    Extend,
}

/// What an input file is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The first picture.
    First,
    /// The last picture.
    Last,
    /// The clip that is remixed, edited or extended.
    Source,
    /// Where to paint: white.
    Mask,
}

/// A character that the prompt names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Character {
    /// What the prompt calls it.
    pub name: String,
    /// What the model is told instead.
    pub description: String,
}

/// How the shot is filmed, in the words of the command line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Controls by their names, as `light` -> `golden hour`.
    pub controls: BTreeMap<String, String>,
    /// A style by its name.
    pub style: Option<String>,
}

/// A request that the wire has understood. What is `None` is the model's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderRequest {
    /// A model's name, as in [`ModelCard::name`].
    pub model: String,
    /// What is done.
    pub task: Task,
    /// What the clip shows.
    pub prompt: String,
    /// What it should keep away from.
    pub negative_prompt: Option<String>,
    /// Its size; without it, that of the source or the model.
    pub size: Option<Size>,
    /// How long it is, or how much longer than its source.
    pub seconds: Option<f64>,
    /// Frames a second.
    pub fps: Option<Fps>,
    /// Decides all that is left open.
    pub seed: u64,
    /// Sampler steps.
    pub steps: Option<u32>,
    /// Guidance scale.
    pub guidance: Option<f64>,
    /// How freely the result leaves its source, 0 to 1.
    pub strength: Option<f64>,
    /// How the shot is filmed.
    pub shot: Shot,
    /// Characters that the prompt names.
    pub characters: Vec<Character>,
}

/// A request that was checked: nothing about the result's form is open any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderSpec {
    /// What was asked for.
    pub request: RenderRequest,
    /// The result's size.
    pub size: Size,
    /// The result's frames.
    pub frames: u32,
    /// The result's frames a second.
    pub fps: Fps,
}

impl RenderSpec {
    /// Length of the result in seconds.
    pub fn seconds(&self) -> f64 {
        self.fps.seconds(self.frames as usize)
    }

    /// Pixels of all frames, in millions.
    pub fn megapixels(&self) -> f64 {
        f64::from(self.size.width) * f64::from(self.size.height) * f64::from(self.frames) / 1e6
    }
}

/// A model that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// Its name.
    pub name: String,
    /// Who made it, or the licence of its weights.
    pub owned_by: String,
    /// The size it was made for.
    pub size: Size,
    /// What sides are multiples of.
    pub multiple: u32,
    /// Frames a second that it was made for.
    pub fps: f64,
    /// Most frames of a clip.
    pub max_frames: u32,
}

/// The input files of a job, on this machine.
pub type Inputs = BTreeMap<Role, PathBuf>;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Steps or frames that are done.
    pub done: u32,
    /// Of so many.
    pub of: u32,
}

/// What a renderer tells of its work.
#[derive(Debug)]
pub enum News {
    /// How far it is.
    Progress(Progress),
    /// What a frame of the clip is becoming: a clip of one frame.
    Preview(Clip),
}

/// The parts of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The model's weights are read.
    Loading,
    /// Noise becomes latents.
    Sampling,
    /// Latents become frames.
    Decoding,
    /// Frames become files.
    Encoding,
}

/// A finished clip.
#[derive(Debug)]
pub struct Rendered {
    /// Its frames.
    pub clip: Clip,
    /// How to make it again; goes into the file.
    pub recipe: Value,
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The request can't be carried out as it stands.
    #[error("{message}")]
    Refused {
        /// The parameter at fault, if one is.
        param: Option<&'static str>,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The machine failed.
    #[error("{0}")]
    Failed(String),
    /// The cancel flag was set.
    #[error("stopped")]
    Cancelled,
}

/// What makes clips. Its methods are long work: they are called on threads that may wait.
pub trait Renderer: Send + Sync + 'static {
    /// The models that can be asked for; the first is the default.
    fn models(&self) -> Vec<ModelCard>;

    /// Checks a request and settles the form of its result.
    ///
    /// # Errors
    /// [`RenderError::Refused`] when it can't be carried out.
    fn plan(&self, request: &RenderRequest, inputs: &Inputs) -> Result<RenderSpec, RenderError>;

    /// What a model is told in the place of a character's name, from a clip of it.
    ///
    /// # Errors
    /// [`RenderError::Refused`] when the file can't be read as a clip.
    fn describe(&self, name: &str, clip: &std::path::Path) -> Result<String, RenderError>;

    /// Makes the clip. `cancel` ends the work within a step.
    ///
    /// # Errors
    /// See [`RenderError`].
    fn render(
        &self,
        spec: &RenderSpec,
        inputs: &Inputs,
        cancel: &AtomicBool,
        on_news: &mut dyn FnMut(News),
    ) -> Result<Rendered, RenderError>;
}

impl ModelCard {
    /// The size nearest in shape to `asked` that the model was made for: its own area, sides in its multiples.
    pub fn nearest(&self, asked: Size) -> Size {
        let area = f64::from(self.size.width) * f64::from(self.size.height);
        let shape = f64::from(asked.width.max(1)) / f64::from(asked.height.max(1));
        let multiple = f64::from(self.multiple.max(1));
        let side = |pixels: f64| ((pixels / multiple).round().max(1.0) * multiple) as u32;
        Size {
            width: side((area * shape).sqrt()),
            height: side((area / shape).sqrt()),
        }
    }
}

impl Progress {
    /// Percent of the whole job: sampling is most of it.
    pub fn percent(self) -> i64 {
        let part = |from: f64, to: f64| {
            let share = f64::from(self.done) / f64::from(self.of.max(1));
            (from + (to - from) * share.clamp(0.0, 1.0)) as i64
        };
        match self.stage {
            Stage::Loading => 0,
            Stage::Sampling => part(0.0, 85.0),
            Stage::Decoding => part(85.0, 97.0),
            Stage::Encoding => part(97.0, 99.0),
        }
    }
}

/// Why a text is no size.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no size; write width x height in pixels, as 1280x720")]
pub struct SizeError(String);

impl FromStr for Size {
    type Err = SizeError;
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let side = |text: &str| text.parse().ok().filter(|side| *side > 0);
        let sides = text.split_once('x');
        let size = sides.and_then(|(w, h)| {
            Some(Self {
                width: side(w)?,
                height: side(h)?,
            })
        });
        size.ok_or_else(|| SizeError(text.chars().take(40).collect()))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl TryFrom<String> for Size {
    type Error = SizeError;
    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_size_keeps_the_shape_and_the_area() {
        let card = ModelCard {
            name: "m".into(),
            owned_by: "o".into(),
            size: "192x128".parse().unwrap(),
            multiple: 32,
            fps: 12.0,
            max_frames: 100,
        };
        let mapped = |text: &str| card.nearest(text.parse().unwrap()).to_string();
        assert_eq!(mapped("1280x720"), "224x128");
        assert_eq!(mapped("720x1280"), "128x224");
        assert_eq!(mapped("192x128"), "192x128");
        for wrong in ["", "x", "1280", "0x5", "-1x5", "1e3x5", "1280X720", "5x5x5"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
