//! A renderer that paints stripes instead of a model, so that the service can be tested without weights, and fast.
//!
//! It says so in its name, in every recipe and in its pictures. Words in square brackets in a prompt let it go wrong:
//! `[fail]`, `[panic]`, `[abort]`, `[slow]`.

use crate::render::{
    Inputs, ModelCard, News, Progress, RenderError, RenderRequest, RenderSpec, Rendered, Renderer,
    Role, Size, Stage, Task,
};
use kinora_media::{Clip, Fps, probe};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Its name as a model.
const NAME: &str = "stand-in";
const STEPS: u32 = 10;
/// Parts in which it acts as if it decoded.
const DECODED: u32 = 3;
const SIZE: Size = Size {
    width: 64,
    height: 32,
};
const MULTIPLE: u32 = 16;
const MAX_SIDE: u32 = 256;
const MAX_FRAMES: u32 = 1440;
const FPS: u32 = 12;

/// The stand-in.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// How long a step takes.
    pub step: Duration,
    /// The models that it stands in for; none is its own name.
    pub models: Vec<String>,
}

impl Renderer for StandIn {
    fn models(&self) -> Vec<ModelCard> {
        let own = [NAME.to_owned()];
        let names = if self.models.is_empty() {
            &own
        } else {
            &self.models[..]
        };
        let card = |name: &String| ModelCard {
            name: name.clone(),
            owned_by: "nobody: it paints stripes, for tests".into(),
            size: SIZE,
            multiple: MULTIPLE,
            fps: f64::from(FPS),
            max_frames: MAX_FRAMES,
        };
        names.iter().map(card).collect()
    }

    fn plan(&self, request: &RenderRequest, inputs: &Inputs) -> Result<RenderSpec, RenderError> {
        let refused = |param, message: String| RenderError::Refused {
            param: Some(param),
            message,
        };
        let source = inputs.get(&Role::Source).map(|path| probe(path));
        let source = source.transpose();
        let unread = |_| refused("video", "the file that was sent is no video".into());
        let source = source.map_err(unread)?;
        let size = match (&source, request.size) {
            (Some(source), _) => Size {
                width: source.width,
                height: source.height,
            },
            (None, size) => size.unwrap_or(SIZE),
        };
        let makeable = |side: u32| side.is_multiple_of(MULTIPLE) && side <= MAX_SIDE;
        if !makeable(size.width) || !makeable(size.height) {
            return Err(refused(
                "size",
                format!(
                    "the size {size} can't be made; sides are multiples of {MULTIPLE} up to {MAX_SIDE}"
                ),
            ));
        }
        let rate = Fps::new(FPS, 1).map_err(|error| refused("fps", error.to_string()))?;
        let fps = source.as_ref().and_then(|source| source.fps);
        let fps = fps.or(request.fps).unwrap_or(rate);
        let asked = request.seconds.unwrap_or(1.0);
        let more = (asked * fps.as_f64()).round();
        let frames = match (request.task, &source) {
            (Task::Extend, Some(source)) => source.frames as f64 + more,
            (_, Some(source)) => source.frames as f64,
            (_, None) => more,
        };
        if !(1.0..=f64::from(MAX_FRAMES)).contains(&frames) {
            return Err(refused(
                "seconds",
                format!("seconds is {asked}; it can be 0.1 to {}", MAX_FRAMES / FPS),
            ));
        }
        Ok(RenderSpec {
            request: request.clone(),
            size,
            frames: frames as u32,
            fps,
        })
    }

    fn describe(&self, name: &str, clip: &Path) -> Result<String, RenderError> {
        let read = probe(clip).map_err(|_| RenderError::Refused {
            param: Some("video"),
            message: "the file that was sent is no video".into(),
        })?;
        Ok(format!("a stripe of {} pixels for {name}", read.width))
    }

    fn render(
        &self,
        spec: &RenderSpec,
        inputs: &Inputs,
        cancel: &AtomicBool,
        on_news: &mut dyn FnMut(News),
    ) -> Result<Rendered, RenderError> {
        let says = |word: &str| spec.request.prompt.contains(word);
        let (width, height) = (spec.size.width, spec.size.height);
        let stripe = |frame: u32| {
            let shift = spec.request.seed.wrapping_add(u64::from(frame));
            let pixel = |x: u32| {
                [if (u64::from(x / 8).wrapping_add(shift)) % 2 == 0 {
                    200
                } else {
                    40
                }; 3]
            };
            let line: Vec<u8> = (0..width).flat_map(pixel).collect();
            line.repeat(height as usize)
        };
        let clip = |frames: u32| {
            let frames = (0..frames).map(stripe).collect();
            let clip = Clip::new(width, height, spec.fps, frames);
            clip.map_err(|error| RenderError::Failed(error.to_string()))
        };
        let steps = spec.request.steps.unwrap_or(STEPS);
        let step = self.step * if says("[slow]") { 50 } else { 1 };
        let mut tell = |news| {
            if cancel.load(Ordering::Relaxed) {
                return Err(RenderError::Cancelled);
            }
            on_news(news);
            Ok(())
        };
        let at = |stage, done, of| News::Progress(Progress { stage, done, of });
        for done in 0..=steps {
            tell(at(Stage::Sampling, done, steps))?;
            if done == steps / 2 {
                tell(News::Preview(clip(1)?))?;
                misbehave(&says)?;
            }
            sleep(step);
        }
        for done in 0..=DECODED {
            tell(at(Stage::Decoding, done, DECODED))?;
            sleep(step);
        }
        let clip = clip(spec.frames)?;
        let recipe = json!({
            "program": "kinora's stand-in, which paints stripes for tests and is no model",
            "prompt": spec.request.prompt,
            "seed": spec.request.seed,
            "inputs": inputs.len(),
        });
        Ok(Rendered { clip, recipe })
    }
}

fn misbehave(says: &dyn Fn(&str) -> bool) -> Result<(), RenderError> {
    if says("[fail]") {
        return Err(RenderError::Failed("it was asked to fail".into()));
    }
    if says("[abort]") {
        std::process::abort();
    }
    assert!(!says("[panic]"), "it was asked to panic");
    Ok(())
}
