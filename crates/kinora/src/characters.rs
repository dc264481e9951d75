//! A user's characters: a folder of pictures each, and the words that the model is told in the place of the name.

use crate::failure::BadInput;
use crate::input::Given;
use crate::machine;
use anyhow::{Context, Result, bail};
use kinora_media::{Clip, Fit, Fps, Output, Reader, fit, read_clip, read_recipe, write};
use kinora_stage::describe;
use kinora_train::Profile;
use kinora_train::recognition::Judge;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// Most pictures that are kept of a character.
const MAX_PICTURES: usize = 24;
/// Pictures that are taken of a clip.
const OF_A_CLIP: usize = 8;
/// Size at which they are kept, in pixels: what the recogniser looks at.
const SIZE: (u32, u32) = (192, 128);

/// A character.
#[derive(Clone, Debug)]
pub struct Character {
    /// What prompts call it.
    pub name: String,
    /// What the model is told instead.
    pub description: String,
    /// Its pictures.
    pub pictures: Clip,
}

/// What is kept beside the pictures.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    character: String,
    description: String,
}

impl Character {
    /// Keeps a character from pictures and clips, described in `words`, or else by who the judge takes it for. One of the
    /// same name is replaced.
    pub fn add(name: &str, clips: Vec<Given>, words: Option<&str>, judge: &Judge) -> Result<Self> {
        check_name(name)?;
        let clips = clips.into_iter().map(|given| given.clip).collect();
        let character = Self::of(name, clips, words, judge)?;
        let folder = folder()?;
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        let note = json!(Note {
            character: character.name.clone(),
            description: character.description.clone(),
        });
        let mut path = folder.join(name).into_os_string();
        path.push("/");
        write(&character.pictures, &note, &Output::parse(path)?)?;
        Ok(character)
    }

    /// A character from pictures and clips, described in `words`, or else by who the judge takes it for.
    pub fn of(name: &str, clips: Vec<Clip>, words: Option<&str>, judge: &Judge) -> Result<Self> {
        let mut frames = Vec::new();
        for clip in clips {
            let count = clip.frames().len().min(OF_A_CLIP);
            for picture in clip.spread(count) {
                let (width, height) = picture.dimensions();
                let one = Clip::new(width, height, clip.fps(), vec![picture.into_raw()])?;
                let (fitted, _) = fit(&one, SIZE.0, SIZE.1, Fit::Pad)?;
                frames.extend(fitted.into_frames());
            }
        }
        frames.truncate(MAX_PICTURES);
        if frames.is_empty() {
            bail!(BadInput(format!(
                "{name} has no picture; name at least one with --from"
            )));
        }
        let pictures = Clip::new(SIZE.0, SIZE.1, Fps::new(12, 1)?, frames)?;
        let mut character = Self {
            name: name.to_owned(),
            description: words.unwrap_or_default().trim().to_owned(),
            pictures,
        };
        if character.description.is_empty() {
            let (subject, colour) = character.profile(judge).character();
            character.description = describe(subject, colour);
        }
        Ok(character)
    }

    /// The character of a name.
    pub fn named(name: &str) -> Result<Self> {
        check_name(name)?;
        let path = folder()?.join(name);
        if !path.is_dir() {
            let known: Vec<String> = Self::names()?;
            let known = match known.as_slice() {
                [] => "there is none yet; add one with `kinora character add`".to_owned(),
                names => format!("known are {}", names.join(", ")),
            };
            bail!(BadInput(format!(
                "there is no character called {name:?}; {known}"
            )));
        }
        let reader = Reader {
            fps: Fps::new(12, 1)?,
            max_frames: MAX_PICTURES,
            ffmpeg: None,
        };
        let note: Note = serde_json::from_value(read_recipe(&path)?)
            .with_context(|| format!("{} holds no character; add {name} again", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            description: note.description,
            pictures: read_clip(&path, &reader)?,
        })
    }

    /// The names of all characters, in order.
    pub fn names() -> Result<Vec<String>> {
        let folder = folder()?;
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let unread = || format!("can't read {}", folder.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).with_context(unread)? {
            let entry = entry.with_context(unread)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && check_name(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Forgets the character of a name.
    pub fn remove(name: &str) -> Result<()> {
        Self::named(name)?;
        let path = folder()?.join(name);
        fs::remove_dir_all(&path).with_context(|| format!("can't remove {}", path.display()))
    }

    /// What the judge makes of its pictures together.
    pub fn profile(&self, judge: &Judge) -> Profile {
        let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
        let looks = self.pictures.frames().iter();
        let looks: Vec<Profile> = looks
            .map(|frame| judge.profile(frame, width, height))
            .collect();
        Profile::mean(&looks).expect("a character has pictures")
    }

    /// Puts the description in the place of the name in each prompt: "a red fox" where it first stands, then "the red
    /// fox".
    ///
    /// # Errors
    /// When none of them names the character.
    pub fn tell_in<'a>(&self, prompts: impl Iterator<Item = &'a mut String>) -> Result<()> {
        let mut named = false;
        for prompt in prompts {
            if let Some(told) = told_in(prompt, &self.name, &self.description) {
                *prompt = told;
                named = true;
            }
        }
        if !named {
            bail!(BadInput(format!(
                "the prompt does not say what {name} does; write the name in it, as \"{name} runs through a forest\"",
                name = self.name
            )));
        }
        Ok(())
    }
}

/// The prompt with a character's description in the place of its name; `None` if the prompt does not name it.
pub fn told_in(prompt: &str, name: &str, description: &str) -> Option<String> {
    let mut told = String::new();
    let mut rest = prompt;
    let mut times = 0;
    while let Some(at) = next_mention(rest, name) {
        told.push_str(&rest[..at]);
        match description.split_once(' ') {
            Some(("a" | "an", noun)) if times > 0 => {
                told.push_str("the ");
                told.push_str(noun);
            }
            _ => told.push_str(description),
        }
        rest = &rest[at + name.len()..];
        times += 1;
    }
    told.push_str(rest);
    (times > 0).then_some(told)
}

/// Where `name` next stands in `text` as a word of its own, in any case of ASCII letters.
fn next_mention(text: &str, name: &str) -> Option<usize> {
    let bounded = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        [before, after]
            .iter()
            .all(|c| c.is_none_or(|c| !c.is_alphanumeric()))
    };
    let same = |at: &usize| {
        let part = text.get(*at..at + name.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(name))
    };
    (0..text.len()).filter(same).find(|&at| bounded(at))
}

/// A name becomes a folder's: letters, digits, hyphens and underscores.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.chars().count() > 60 || !name.chars().all(plain) {
        bail!(BadInput(format!(
            "a character's name is one word of letters, digits, - and _, of at most 60; {name:?} is not"
        )));
    }
    Ok(())
}

fn folder() -> Result<PathBuf> {
    match machine::data_folder() {
        Some(folder) => Ok(folder.join("characters")),
        None => bail!(BadInput(
            "there is no home folder to keep characters in; set XDG_DATA_HOME to one".to_owned()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_its_description_wherever_it_stands() {
        let told = |prompt| told_in(prompt, "Rusty", "a red fox");
        assert_eq!(
            told("Rusty runs; rusty's tail").as_deref(),
            Some("a red fox runs; the red fox's tail")
        );
        assert_eq!(told("a Rustyfox in the crusty snow, ü"), None);
    }
}
