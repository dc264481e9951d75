//! Cards on a clip's timeline: texts, pictures and clips at times.

use crate::failure::BadInput;
use crate::input::Given;
use crate::sampling::EaseArgs;
use anyhow::{Result, bail};
use kinora_engine::{Conditioning, Input, Picture, Plan, Source};
use kinora_media::{Fit, Fps, Reader};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the names of pictures and clips end in, if there is no file to look at.
const EXTENSIONS: [&str; 10] = [
    "png", "jpg", "jpeg", "gif", "mp4", "mov", "mkv", "webm", "m4v", "avi",
];

/// A card: what holds from a time on.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    at: Time,
    shows: Shows,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Time {
    Seconds(f64),
    Frame(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Shows {
    Text(String),
    File(PathBuf),
}

impl FromStr for Card {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a time and what holds from it on, as 2s:TEXT or 24f:picture.png";
        let (time, card) = text.split_once(':').ok_or_else(wrong)?;
        let at = if let Some(seconds) = time.strip_suffix('s') {
            let seconds = seconds.parse::<f64>().map_err(|_| wrong())?;
            if !(0.0..1e6).contains(&seconds) {
                return Err("a card's time is 0 s or later".to_owned());
            }
            Time::Seconds(seconds)
        } else {
            let frame = time.strip_suffix('f').ok_or_else(wrong)?;
            Time::Frame(frame.parse().map_err(|_| wrong())?)
        };
        if card.trim().is_empty() {
            return Err("the card shows nothing; write a text or a file's name".to_owned());
        }
        let path = Path::new(card);
        let named = path.extension().and_then(|e| e.to_str());
        let named = named.is_some_and(|e| EXTENSIONS.contains(&e.to_lowercase().as_str()));
        let shows = match named || path.exists() {
            true => Shows::File(path.to_owned()),
            false => Shows::Text(card.to_owned()),
        };
        Ok(Self { at, shows })
    }
}

impl Card {
    /// Its text, if the clip opens with it.
    pub fn opening_text(&self) -> Option<&str> {
        match (&self.shows, self.at) {
            (Shows::Text(text), Time::Seconds(0.0) | Time::Frame(0)) => Some(text),
            _ => None,
        }
    }

    fn frame(&self, fps: Fps) -> usize {
        match self.at {
            Time::Frame(frame) => frame,
            Time::Seconds(seconds) => (seconds * fps.as_f64()).round() as usize,
        }
    }
}

/// The timeline while cards are laid on it.
#[derive(Debug)]
pub struct Cards<'a> {
    plan: &'a Plan,
    fit: Fit,
    conditioning: Conditioning,
    inputs: Vec<Input>,
    texts: Map<String, Value>,
    last: Option<usize>,
}

impl<'a> Cards<'a> {
    /// An empty timeline for a clip of `plan`; pictures of another shape are fitted as `fit` says.
    pub fn new(plan: &'a Plan, fit: Fit) -> Self {
        Self {
            plan,
            fit,
            conditioning: Conditioning::default(),
            inputs: Vec::new(),
            texts: Map::new(),
            last: None,
        }
    }

    /// Lays the next card.
    pub fn lay(&mut self, card: &Card, reader: &Reader) -> Result<()> {
        let (frame, frames) = (card.frame(self.plan.fps), self.plan.frames as usize);
        if frame >= frames {
            bail!(BadInput(format!(
                "a card is at frame {frame}, and the clip has {frames} frames ({:.1} s); ask for more with --seconds",
                self.plan.fps.seconds(frames)
            )));
        }
        if self.last.is_some_and(|last| frame <= last) {
            bail!(BadInput(format!(
                "the card at frame {frame} comes after one at frame {}; give cards in order of time",
                self.last.unwrap_or_default()
            )));
        }
        self.last = Some(frame);
        match &card.shows {
            Shows::Text(text) => {
                self.texts.insert(frame.to_string(), text.clone().into());
                self.conditioning.shots.insert(frame);
                if frame > 0 {
                    self.conditioning.prompts.insert(frame, text.clone());
                }
                Ok(())
            }
            Shows::File(path) => {
                let given = Given::open(path, &format!("card at frame {frame}"), reader)?;
                self.place(frame, given)
            }
        }
    }

    /// Puts a picture or clip at `frame`.
    pub fn place(&mut self, frame: usize, given: Given) -> Result<()> {
        let Plan { width, height, .. } = *self.plan;
        let Given { clip, input } = given.fitted(width, height, self.fit)?;
        let (count, frames) = (clip.frames().len(), self.plan.frames as usize);
        if frame + count > frames {
            bail!(BadInput(format!(
                "{} ends at frame {}, and the clip has {frames} frames; ask for more with --seconds",
                input.file,
                frame + count
            )));
        }
        let places = &mut self.conditioning.given;
        places.resize(places.len().max(frame + count), None);
        for (place, pixels) in places[frame..].iter_mut().zip(clip.into_frames()) {
            if place.replace(Picture::held(pixels)).is_some() {
                bail!(BadInput(format!(
                    "{} lies over what is given before it; move one of them",
                    input.file
                )));
            }
        }
        self.inputs.push(input);
        Ok(())
    }

    /// What is known of the clip now, and what the recipe says of it.
    ///
    /// Painting begins beside what is there at the noise level that `ease` says.
    pub fn finish(mut self, ease: &EaseArgs) -> (Conditioning, Option<Source>) {
        self.conditioning.strength = ease.strength;
        let plain = self.inputs.is_empty() && self.conditioning.prompts.is_empty();
        let mut options = Map::new();
        if !self.conditioning.prompts.is_empty() {
            options.insert("cards".to_owned(), self.texts.into());
        }
        options.insert("strength".to_owned(), ease.strength.into());
        let source = Source {
            command: "generate".to_owned(),
            inputs: self.inputs,
            options,
        };
        (self.conditioning, (!plain).then_some(source))
    }
}
