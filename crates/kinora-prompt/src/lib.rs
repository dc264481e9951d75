//! What a model is told: the film's own words as typed controls, found in a prompt and put behind it in the words that a
//! family of models knows; styles; and short prompts written out.
//!
//! Nothing is added in secret. Without controls, style and expansion a prompt reaches the model as it was typed; with
//! them, [`Told`] lists what was added, what had to be told by the nearest term, and what was left out.

mod controls;
mod dialect;
mod expand;
mod find;
mod style;

pub use controls::{
    Angle, Controls, Emotion, Framing, Lens, Light, Look, Move, Size, Term, UnknownTerm,
};
pub use dialect::{Dialect, PromptError, Told};
pub use expand::expand;
pub use find::{Finder, Found};
pub use style::{Style, StyleError, built_in};
