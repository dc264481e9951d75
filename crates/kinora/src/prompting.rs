//! From a prompt, cinematic controls and a style to what the model is told.

use crate::failure::BadInput;
use crate::sampling::tell;
use crate::{chat, styles};
use anyhow::Result;
use clap::Args;
use kinora_engine::{Conditioning, Family, ModelFiles, Request};
use kinora_prompt::{
    Angle, Controls, Dialect, Emotion, Finder, Framing, Lens, Light, Look, Move, Size, Style, Term,
    Told, expand,
};
use serde_json::json;
use std::io::{self, Write};

/// How the shot is filmed
#[derive(Debug, Args)]
#[command(next_help_heading = "The shot")]
pub struct ShotArgs {
    /// Shot size: EWS, WS, FS, MWS, MS, MCU, CU, ECU, insert
    #[arg(long, value_name = "SIZE")]
    shot: Option<Size>,
    /// Framing: single, two-shot, group, OTS, POV, establishing
    #[arg(long, value_name = "FRAMING")]
    framing: Option<Framing>,
    /// Angle: eye, low, high, overhead, aerial, Dutch, ground
    #[arg(long, value_name = "ANGLE")]
    angle: Option<Angle>,
    /// Camera move: static, pan left, tilt up, push-in, pull-out, truck right, boom up, orbit left, track, zoom in, handheld, ...
    #[arg(long = "move", value_name = "MOVE")]
    camera_move: Option<Move>,
    /// Lens: ultra-wide, wide, normal, tele, long, macro, anamorphic, fisheye
    #[arg(long, value_name = "LENS")]
    lens: Option<Lens>,
    /// Light: day, night, golden hour, blue hour, neon, candle, Rembrandt, rim, silhouette, high-key, low-key, ...
    #[arg(long, value_name = "LIGHT")]
    light: Option<Light>,
    /// Finish: 35mm, 16mm, reversal, noir, watercolor, clay, cel, plain
    #[arg(long, value_name = "LOOK")]
    look: Option<Look>,
    /// What faces show: calm, happy, sad, angry, surprised, afraid
    #[arg(long, value_name = "EMOTION")]
    emotion: Option<Emotion>,
    /// A style by its name; see `kinora styles`
    #[arg(long, value_name = "NAME")]
    style: Option<String>,
    /// Write a short prompt out, light, shot and finish: by the built-in grammar, or with =URL by a chat service that speaks OpenAI's protocol
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    expand: Option<String>,
    /// The chat service's model
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        requires = "expand"
    )]
    expand_model: String,
    /// Print what the model is told, and paint nothing
    #[arg(long)]
    pub show_prompt: bool,
}

/// What every prompt of a command becomes.
#[derive(Debug)]
pub struct Compiler {
    controls: Controls,
    style: Option<Style>,
    dialect: Dialect,
    finder: Finder,
    model: String,
}

impl ShotArgs {
    /// The compiler of these flags, for a model.
    fn compiler(&self, files: &ModelFiles) -> Result<Compiler> {
        let style = self.style.as_deref().map(styles::named).transpose()?;
        Ok(Compiler::new(style, files).with(Controls {
            size: self.shot,
            framing: self.framing,
            angle: self.angle,
            camera_move: self.camera_move,
            lens: self.lens,
            light: self.light,
            look: self.look,
            emotion: self.emotion,
        }))
    }

    /// Tells `request` and the later prompts of `conditioning` in the model's words, and says what was changed.
    ///
    /// # Errors
    /// When a flag contradicts the prompt, there is no such style, or the chat service gives no answer.
    pub fn apply(
        &self,
        request: &mut Request,
        conditioning: &mut Conditioning,
        files: &ModelFiles,
    ) -> Result<()> {
        let compiler = self.compiler(files)?;
        if let Some(url) = &self.expand {
            request.prompt = match url.as_str() {
                "" => expand(&request.prompt, &compiler.finder),
                url => chat::expand(url, &self.expand_model, &request.prompt)?,
            };
        }
        let told = compiler.tell(&request.prompt)?;
        compiler.say(&told);
        // Later prompts may well be of another hour, so there the flags give way to the text.
        for prompt in conditioning.prompts.values_mut() {
            *prompt = compiler.tell_later(prompt)?.prompt;
        }
        if told.prompt != request.prompt || self.expand.is_some() {
            tell(&format!("{} is told: {}", compiler.model, told.prompt));
        }
        if let Some(negative) = told.negative.filter(|_| request.negative.is_empty()) {
            request.negative = negative;
        }
        request.prompt = told.prompt;
        Ok(())
    }
}

impl Compiler {
    /// The compiler of a style, for a model.
    pub fn new(style: Option<Style>, files: &ModelFiles) -> Self {
        Self {
            controls: Controls::default(),
            style,
            dialect: match files.about.family {
                Family::Kinora1 => Dialect::Stage,
                Family::Wan => Dialect::Film,
            },
            finder: Finder::new(),
            model: files.about.name.clone(),
        }
    }

    /// The same with controls.
    pub fn with(self, controls: Controls) -> Self {
        Self { controls, ..self }
    }

    /// What the model is told of `prompt`.
    pub fn tell(&self, prompt: &str) -> Result<Told> {
        let told = self
            .dialect
            .tell(prompt, &self.controls, self.style.as_ref(), &self.finder);
        Ok(told.map_err(|error| BadInput(error.to_string()))?)
    }

    fn tell_later(&self, prompt: &str) -> Result<Told> {
        let stated = self.finder.controls(prompt);
        let open = |term: &Term| stated.like(*term).is_none();
        let controls: Controls = self.controls.terms().into_iter().filter(open).collect();
        let told = self
            .dialect
            .tell(prompt, &controls, self.style.as_ref(), &self.finder);
        Ok(told.map_err(|error| BadInput(error.to_string()))?)
    }

    fn say(&self, told: &Told) {
        for (asked, near) in &told.nearest {
            tell(&format!(
                "{} has no word for {asked:?}; it is told the nearest that it knows: {near}",
                self.model,
                asked = asked.to_string()
            ));
        }
        for asked in &told.left_out {
            tell(&format!(
                "{} has no word for {:?}, so this {} is left out",
                self.model,
                asked.to_string(),
                asked.what()
            ));
        }
    }
}

/// Prints what the model is told: the prompt, later ones with their frames, and what is kept away from.
pub fn show(request: &Request, conditioning: &Conditioning, as_json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        let later = &conditioning.prompts;
        let shown =
            json!({ "prompt": request.prompt, "later": later, "negative": request.negative });
        writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
        return Ok(());
    }
    writeln!(out, "{}", request.prompt)?;
    for (frame, prompt) in &conditioning.prompts {
        writeln!(out, "from frame {frame}: {prompt}")?;
    }
    if !request.negative.is_empty() {
        writeln!(out, "not: {}", request.negative)?;
    }
    Ok(())
}
