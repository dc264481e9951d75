//! Style presets: a named set of controls and words, as a file.

use crate::controls::{Controls, Term, UnknownTerm};
use serde::Deserialize;

/// A style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// What it is asked for by: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is, in a sentence for people.
    pub about: String,
    /// What it sets, unless the prompt or a control says otherwise.
    pub controls: Controls,
    /// What else is told to models that read any words.
    pub words: Option<String>,
    /// What it keeps away from.
    pub negative: Option<String>,
}

/// The text of a style can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StyleError {
    /// It is not a style.
    #[error("it is not a style: {0}")]
    Malformed(String),
    /// It sets a control to what it can't be.
    #[error(transparent)]
    Unknown(#[from] UnknownTerm),
    /// It can't be asked for.
    #[error("a style's name is of lower-case letters, digits and hyphens, and it is {0:?}")]
    Name(String),
}

/// The file of a style: every control by its own name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    size: Option<String>,
    framing: Option<String>,
    angle: Option<String>,
    #[serde(rename = "move")]
    camera_move: Option<String>,
    lens: Option<String>,
    light: Option<String>,
    look: Option<String>,
    emotion: Option<String>,
    words: Option<String>,
    negative: Option<String>,
}

/// The value of a control, if the file sets it.
fn read<T>(text: Option<String>) -> Result<Option<T>, UnknownTerm>
where
    T: std::str::FromStr<Err = UnknownTerm> + Into<Term>,
{
    text.map(|text| text.parse()).transpose()
}

impl Style {
    /// The style of the TOML `text`, called `name`.
    ///
    /// # Errors
    /// When the name can't be asked for, or the text is no style.
    pub fn parse(name: &str, text: &str) -> Result<Self, StyleError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(StyleError::Name(name.to_owned()));
        }
        let file: File = toml::from_str(text)
            .map_err(|error| StyleError::Malformed(error.message().to_owned()))?;
        let controls = Controls {
            size: read(file.size)?,
            framing: read(file.framing)?,
            angle: read(file.angle)?,
            camera_move: read(file.camera_move)?,
            lens: read(file.lens)?,
            light: read(file.light)?,
            look: read(file.look)?,
            emotion: read(file.emotion)?,
        };
        Ok(Self {
            name: name.to_owned(),
            about: file.about,
            controls,
            words: file.words,
            negative: file.negative,
        })
    }
}

/// Pairs each name with the text of its file.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../styles/", $name, ".toml")))),+]
    };
}

/// Names and texts of the styles that come with Kinora.
const FILES: &[(&str, &str)] = files![
    "anime",
    "blue-hour",
    "candlelit",
    "claymation",
    "documentary",
    "epic",
    "fairy-tale",
    "golden-35",
    "home-movie",
    "horror",
    "music-video",
    "neon-noir",
    "noir",
    "previz",
    "silent-film",
    "watercolor",
];

/// The styles that come with Kinora, in order of name.
pub fn built_in() -> Vec<Style> {
    let parse = |(name, text): &(&str, &str)| {
        Style::parse(name, text).expect("the styles that come with Kinora are styles")
    };
    FILES.iter().map(parse).collect()
}
