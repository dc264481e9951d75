//! The engine as the server sees it: what a request means for a model, and the clip.

use crate::characters::{Character, told_in};
use crate::commands::repertoire::drawn_on;
use crate::failure::{self, BadInput};
use crate::input::sha256;
use crate::prompting::Compiler;
use crate::{library, machine, styles};
use anyhow::{Error, Result, bail};
use kinora_engine::{
    Device, Direction, EngineError, Event, Input, Job, Length, MAX_FRAMES, Model, ModelFiles, Plan,
    PlanError, Precision, Recipe, Request, Shortcuts, Source, Task, estimate, generate, plan,
};
use kinora_media::{Clip, Fit, Fps, Reader, fit, probe, read_clip};
use kinora_prompt::{Controls, Term};
use kinora_server::render::{
    self, Inputs, ModelCard, News, Progress, RenderError, RenderRequest, RenderSpec, Rendered,
    Renderer, Role, Size, Stage,
};
use kinora_server::step_back;
use kinora_train::recognition::Judge;
use rayon::ThreadPoolBuilder;
use serde_json::{Map, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// How freely a remix leaves its source, if nothing is said; as `kinora remix`.
const REMIX: f64 = 0.7;
/// How freely an edit without a mask does.
const EDIT: f64 = 0.5;
/// How much the shape of a picture may differ from the clip's.
const SHAPE: f64 = 0.03;
/// Memory that a sent clip's frames may take, in bytes.
const MAX_SOURCE: u64 = 1 << 30;

/// Models of this machine, one of them loaded.
#[derive(Debug)]
pub struct EngineRenderer {
    models: Vec<ModelFiles>,
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    name: String,
    precision: Precision,
    model: Model,
}

/// A request, understood: all but the model's work is done.
struct Prepared<'a> {
    files: &'a ModelFiles,
    plan: Plan,
    task: Task,
    /// The result's size, which the plan's may exceed.
    size: Size,
    source: Option<Source>,
}

impl EngineRenderer {
    /// The models of these names, none of them loaded yet.
    ///
    /// # Errors
    /// When one is not there or can't be used.
    pub fn open(names: &[String]) -> Result<Self> {
        // All models share these threads. If something else had them started before, they keep their priority.
        let threads = ThreadPoolBuilder::new().start_handler(|_| step_back());
        if let Err(error) = threads.build_global() {
            tracing::debug!(%error, "the models' threads are there already");
        }
        let models = names.iter().map(|name| library::open(name));
        Ok(Self {
            models: models.collect::<Result<_>>()?,
            loaded: Mutex::new(None),
        })
    }

    fn files(&self, name: &str) -> Result<&ModelFiles> {
        let found = self.models.iter().find(|files| files.about.name == name);
        found.ok_or_else(|| BadInput(format!("this worker has no model called {name:?}")).into())
    }

    fn prepare(&self, asked: &RenderRequest, inputs: &Inputs) -> Result<Prepared<'_>> {
        let files = self.files(&asked.model)?;
        let (request, task, size) = match inputs.get(&Role::Source) {
            None => created(asked, inputs, files)?,
            Some(path) => derived(asked, inputs, path)?,
        };
        let request = told(request, asked, files)?;
        let plan = plan(&request, files, machine::free_memory()).map_err(EngineError::from)?;
        task.conditioning.check(&plan).map_err(EngineError::from)?;
        let size = size.unwrap_or(Size {
            width: plan.width,
            height: plan.height,
        });
        Ok(Prepared {
            files,
            plan,
            task,
            size,
            source: source(asked, inputs)?,
        })
    }

    fn paint(
        &self,
        prepared: &Prepared<'_>,
        cancel: &AtomicBool,
        on_news: &mut dyn FnMut(News),
    ) -> Result<Clip> {
        let Prepared {
            files, plan, size, ..
        } = prepared;
        let device = Device::flex();
        // A panic of an earlier job may have left the model in any state.
        let poisoned = self.loaded.is_poisoned();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if poisoned {
            *loaded = None;
            self.loaded.clear_poison();
        }
        let fits =
            |loaded: &Loaded| loaded.name == files.about.name && loaded.precision == plan.precision;
        if !loaded.as_ref().is_some_and(fits) {
            *loaded = None; // before the next one takes its memory
            on_news(progress(Stage::Loading, 0, 1));
            let model = files
                .load(plan.precision, &device)
                .map_err(EngineError::from)?;
            *loaded = Some(Loaded {
                name: files.about.name.clone(),
                precision: plan.precision,
                model,
            });
        }
        let model = &loaded.as_ref().expect("it was loaded above").model;
        let free = machine::free_memory();
        let pictures = !prepared.task.conditioning.is_empty();
        let need = estimate(plan, &Shortcuts::NONE, files, pictures, free);
        let job = Job {
            plan,
            model,
            device: &device,
            conditioning: &prepared.task.conditioning,
            start: None,
            save_latents: None,
            shortcuts: &Shortcuts::NONE,
            room: need.room(free),
            previews: true,
            cancel,
        };
        let mut sampling = true;
        let clip = generate(&job, |event| match event {
            Event::Sampled(step) => {
                sampling = step.done < step.of;
                on_news(progress(Stage::Sampling, step.done, step.of));
            }
            // The parts of a long clip are decoded between the steps of the others.
            Event::Decoded { .. } if sampling => {}
            Event::Decoded { done, of } => on_news(progress(Stage::Decoding, done, of)),
            Event::Preview(frame) => {
                let picture = Clip::new(plan.width, plan.height, plan.fps, vec![frame]);
                let picture = picture.and_then(|clip| clip.corner(size.width, size.height));
                if let Ok(picture) = picture {
                    on_news(News::Preview(picture));
                }
            }
        })?;
        Ok(clip
            .part(prepared.task.keep.clone())?
            .corner(size.width, size.height)?)
    }
}

impl Renderer for EngineRenderer {
    fn models(&self) -> Vec<ModelCard> {
        let card = |files: &ModelFiles| {
            let defaults = &files.about.defaults;
            ModelCard {
                name: files.about.name.clone(),
                owned_by: format!("{} weights", files.about.licence),
                size: Size {
                    width: defaults.width as u32,
                    height: defaults.height as u32,
                },
                multiple: files.about.geometry.multiple as u32,
                fps: f64::from(defaults.fps),
                max_frames: MAX_FRAMES,
            }
        };
        self.models.iter().map(card).collect()
    }

    fn plan(&self, request: &RenderRequest, inputs: &Inputs) -> Result<RenderSpec, RenderError> {
        let prepared = self.prepare(request, inputs).map_err(render_error)?;
        Ok(RenderSpec {
            request: request.clone(),
            size: prepared.size,
            frames: prepared.task.keep.len() as u32,
            fps: prepared.plan.fps,
        })
    }

    fn describe(&self, name: &str, clip: &Path) -> Result<String, RenderError> {
        let described = || {
            let clip = read(clip)?;
            let character = Character::of(name, vec![clip], None, &Judge::built_in()?)?;
            Ok(character.description)
        };
        described().map_err(|error| match render_error(error) {
            RenderError::Refused { message, .. } => RenderError::Refused {
                param: Some("video"),
                message,
            },
            other => other,
        })
    }

    fn render(
        &self,
        spec: &RenderSpec,
        inputs: &Inputs,
        cancel: &AtomicBool,
        on_news: &mut dyn FnMut(News),
    ) -> Result<Rendered, RenderError> {
        let mut rendered = || {
            let prepared = self.prepare(&spec.request, inputs)?;
            let clip = self.paint(&prepared, cancel, on_news)?;
            let recipe = Recipe::new(
                &prepared.plan,
                &Shortcuts::NONE,
                prepared.files,
                None,
                prepared.source,
            );
            Ok(Rendered {
                clip,
                recipe: recipe.to_json(),
            })
        };
        rendered().map_err(render_error)
    }
}

/// A clip from a prompt, with the pictures that it begins and ends with.
fn created(
    asked: &RenderRequest,
    inputs: &Inputs,
    files: &ModelFiles,
) -> Result<(Request, Task, Option<Size>)> {
    let mut request = settings(asked);
    request.fps = asked.fps;
    request.length = asked.seconds.map(Length::Seconds);
    request.size = asked
        .size
        .map(|size| (size.width.into(), size.height.into()));
    let plan = plan(&request, files, machine::free_memory()).map_err(EngineError::from)?;
    let frames = plan.frames as usize;
    let mut pictures = Vec::new();
    for (role, at) in [(Role::First, 0), (Role::Last, frames - 1)] {
        let Some(path) = inputs.get(&role) else {
            continue;
        };
        let picture = read(path)?;
        let shape = |width: u32, height: u32| f64::from(width) / f64::from(height);
        let (found, wanted) = (
            shape(picture.width(), picture.height()),
            shape(plan.width, plan.height),
        );
        if (found / wanted - 1.0).abs() > SHAPE {
            bail!(BadInput(format!(
                "Inpaint image must match the requested width and height: the picture has {}x{} pixels, and the video {}x{}",
                picture.width(),
                picture.height(),
                plan.width,
                plan.height
            )));
        }
        let (picture, _) = fit(&picture, plan.width, plan.height, Fit::Crop)?;
        pictures.extend(picture.into_frames().into_iter().map(|pixels| (at, pixels)));
    }
    let task = Task::pictures(frames, pictures).from_strength(asked.strength);
    Ok((request, task, None))
}

/// A clip from a clip.
fn derived(
    asked: &RenderRequest,
    inputs: &Inputs,
    path: &Path,
) -> Result<(Request, Task, Option<Size>)> {
    let clip = read(path)?;
    let size = Size {
        width: clip.width(),
        height: clip.height(),
    };
    let clip = drawn_on(&clip)?;
    let strength = |otherwise| asked.strength.unwrap_or(otherwise);
    let task = match (asked.task, inputs.get(&Role::Mask)) {
        (render::Task::Extend, _) => {
            let seconds = asked.seconds.unwrap_or(1.0);
            let more = (seconds * clip.fps().as_f64()).round().max(1.0) as usize;
            Task::extend(&clip, more, Direction::Forward).from_strength(asked.strength)
        }
        (render::Task::Edit, Some(mask)) => {
            let mask = read(mask)?;
            if (mask.width(), mask.height()) != (size.width, size.height) {
                bail!(BadInput(format!(
                    "Inpaint image must match the requested width and height: the mask has {}x{} pixels, and the video {size}",
                    mask.width(),
                    mask.height()
                )));
            }
            let mask = drawn_on(&mask)?;
            let (pixels, _) = mask.frames()[0].as_chunks::<3>();
            let grey = |p: &[u8; 3]| (p.iter().map(|&c| u16::from(c)).sum::<u16>() / 3) as u8;
            Task::edit(&clip, &[pixels.iter().map(grey).collect()], strength(1.0))
        }
        (render::Task::Edit, None) => Task::remix(&clip, strength(EDIT)),
        _ => Task::remix(&clip, strength(REMIX)),
    };
    let mut request = settings(asked);
    request.fps = Some(clip.fps());
    request.size = Some((clip.width().into(), clip.height().into()));
    request.length = Some(Length::Frames(task.frames as i64));
    Ok((request, task, Some(size)))
}

/// What the request says of the sampling.
fn settings(asked: &RenderRequest) -> Request {
    Request {
        negative: asked.negative_prompt.clone().unwrap_or_default(),
        steps: asked.steps.map(i64::from),
        guidance: asked.guidance,
        ..Request::new(&asked.prompt, asked.seed)
    }
}

/// The request in the model's words: characters by their descriptions, controls and style.
fn told(mut request: Request, asked: &RenderRequest, files: &ModelFiles) -> Result<Request> {
    for render::Character { name, description } in &asked.characters {
        let told = told_in(&request.prompt, name, description);
        request.prompt = told.ok_or_else(|| {
            BadInput(format!(
                "the prompt does not say what {name} does; write the name in it"
            ))
        })?;
    }
    let style = asked.shot.style.as_deref().map(styles::named).transpose()?;
    let told = Compiler::new(style, files)
        .with(controls(&asked.shot)?)
        .tell(&request.prompt)?;
    if let Some(negative) = told.negative.filter(|_| request.negative.is_empty()) {
        request.negative = negative;
    }
    request.prompt = told.prompt;
    Ok(request)
}

fn controls(shot: &render::Shot) -> Result<Controls> {
    let term = |(control, value): (&String, &String)| -> Result<Term, String> {
        fn read<T: std::str::FromStr<Err: std::fmt::Display> + Into<Term>>(
            value: &str,
        ) -> Result<Term, String> {
            let read = value.parse::<T>();
            read.map(Into::into).map_err(|error| error.to_string())
        }
        match control.as_str() {
            "shot" => read::<kinora_prompt::Size>(value),
            "framing" => read::<kinora_prompt::Framing>(value),
            "angle" => read::<kinora_prompt::Angle>(value),
            "move" => read::<kinora_prompt::Move>(value),
            "lens" => read::<kinora_prompt::Lens>(value),
            "light" => read::<kinora_prompt::Light>(value),
            "look" => read::<kinora_prompt::Look>(value),
            "emotion" => read::<kinora_prompt::Emotion>(value),
            other => Err(format!("there is no control called {other}")),
        }
    };
    let terms = shot.controls.iter().map(term).collect::<Result<_, _>>();
    Ok(terms.map_err(BadInput)?)
}

/// What the recipe says of the files.
fn source(asked: &RenderRequest, inputs: &Inputs) -> Result<Option<Source>> {
    if inputs.is_empty() {
        return Ok(None);
    }
    let input = |(role, path): (&Role, &std::path::PathBuf)| -> Result<Input> {
        let role = match role {
            Role::First => "first picture",
            Role::Last => "last picture",
            Role::Source => "clip",
            Role::Mask => "mask",
        };
        Ok(Input {
            role: role.to_owned(),
            file: role.to_owned(),
            sha256: sha256(path)?,
            fitted: None,
        })
    };
    let command = match asked.task {
        render::Task::Create => "generate",
        render::Task::Remix => "remix",
        render::Task::Edit => "edit",
        render::Task::Extend => "extend",
    };
    let options = [
        ("strength", asked.strength.map(|strength| json!(strength))),
        ("seconds", asked.seconds.map(|seconds| json!(seconds))),
    ];
    let options = options
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Some(Source {
        command: command.to_owned(),
        inputs: inputs.iter().map(input).collect::<Result<_>>()?,
        options: options.collect::<Map<_, _>>(),
    }))
}

/// Reads a clip that somebody sent, by Kinora's own decoders alone and within bounds.
fn read(path: &Path) -> Result<Clip> {
    if let Ok(seen) = probe(path) {
        let bytes = u64::from(seen.width) * u64::from(seen.height) * 3 * seen.frames as u64;
        if bytes > MAX_SOURCE {
            bail!(BadInput(format!(
                "the video's {} frames of {}x{} pixels are more than this server takes; send a shorter or smaller one",
                seen.frames, seen.width, seen.height
            )));
        }
    }
    let reader = Reader {
        fps: Fps::new(12, 1)?,
        max_frames: MAX_FRAMES as usize,
        ffmpeg: None,
    };
    let clip = read_clip(path, &reader);
    // The name that it has here is of no use to who sent it.
    clip.map_err(|error| match error.is_machine_failure() {
        true => error.into(),
        false => {
            let name = path.display().to_string();
            BadInput(error.to_string().replace(&name, "the file that was sent")).into()
        }
    })
}

fn progress(stage: Stage, done: usize, of: usize) -> News {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    News::Progress(Progress {
        stage,
        done: count(done),
        of: count(of),
    })
}

fn render_error(error: Error) -> RenderError {
    if let Some(EngineError::Cancelled) = error.downcast_ref() {
        return RenderError::Cancelled;
    }
    let message = failure::sentence(&error);
    if failure::status(&error) != failure::BAD_INPUT {
        return RenderError::Failed(message);
    }
    let param = match error.downcast_ref() {
        Some(EngineError::Plan(PlanError::Size { .. } | PlanError::Memory { .. })) => Some("size"),
        Some(EngineError::Plan(PlanError::EmptyPrompt | PlanError::LongPrompt { .. })) => {
            Some("prompt")
        }
        Some(EngineError::Plan(PlanError::Rate(_))) => Some("fps"),
        Some(EngineError::Plan(PlanError::Range { what, .. })) => match *what {
            "the number of steps" => Some("steps"),
            "the guidance" => Some("guidance"),
            "the length in seconds" | "the number of frames" => Some("seconds"),
            _ => None,
        },
        _ => None,
    };
    RenderError::Refused { param, message }
}
