//! The cast: who is in a clip, where they stand and move, and how they look from there.
//!
//! What decides a picture is decided where noise hides all of it, and there a small painter misses most: whether it is a
//! horse, how large, which way it faces. So the prompt is first staged. [`Reader`] casts the scene from its words;
//! [`Blocking`] draws where everybody stands, faces and goes, as one vector that a flow of its own paints; and
//! [`Portraits`] imagines each actor from where the camera sees it (Dosovitskiy et al. 2015, "Learning to Generate Chairs
//! with Convolutional Neural Networks", arXiv:1411.5928). The transformer then paints over what that foresees
//! (`animatic.rs`), as layout-to-image models are told boxes (compare LayoutGAN, arXiv:1901.06767, and
//! GLIGEN, arXiv:2301.07093).

mod blocking;
mod portraits;
mod reader;

pub use blocking::{Blocking, LAYOUT, Layout, Mark};
pub use portraits::{PORTRAIT, Portraits, Sight};
pub use reader::{Reader, Scores};

use burn::module::Module;
use kinora_nn::Init;
use serde::{Deserialize, Serialize};

/// Most actors of a clip.
pub const MOST: usize = 4;

/// Into how many classes the networks of the cast tell each fact, in the order of the film stage's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CastConfig {
    /// Subject, colour, action and emotion of an actor.
    pub role: [usize; 4],
    /// Setting, light, weather and look.
    pub scenery: [usize; 4],
    /// How the actors stand to each other, shot size, angle and camera move.
    pub shot: [usize; 4],
}

impl CastConfig {
    /// All numbers of classes.
    pub(super) fn classes(&self) -> impl Iterator<Item = usize> {
        [self.role, self.scenery, self.shot].into_iter().flatten()
    }

    fn of_role(&self) -> usize {
        self.role.iter().sum()
    }

    fn of_scene(&self) -> usize {
        self.scenery.iter().chain(&self.shot).sum()
    }
}

/// What is told of one actor: the classes of its subject, colour, action and emotion.
pub type Role = [usize; 4];

/// What is told of a whole clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its actors, one to [`MOST`].
    pub roles: Vec<Role>,
    /// Classes of setting, light, weather and look.
    pub scenery: [usize; 4],
    /// Classes of relation, shot size, angle and camera move.
    pub shot: [usize; 4],
}

/// The networks of the cast.
#[derive(Module, Debug)]
pub struct Cast {
    /// Casts a scene from its words.
    pub reader: Reader,
    /// Says where everybody stands.
    pub blocking: Blocking,
    /// Imagines each actor.
    pub portraits: Portraits,
}

impl Cast {
    /// Fresh weights from the initialiser's seed, for captions in a `vocabulary` of so many words.
    pub fn new(config: &CastConfig, vocabulary: usize, init: &mut Init) -> Self {
        Self {
            reader: Reader::new(config, vocabulary, init),
            blocking: Blocking::new(config, init),
            portraits: Portraits::new(config, init),
        }
    }
}

/// Appends the classes as one-hot vectors of these lengths.
fn one_hot(values: &mut Vec<f32>, classes: &[usize], sizes: &[usize]) {
    for (&class, &size) in classes.iter().zip(sizes) {
        values.extend((0..size).map(|index| f32::from(u8::from(index == class))));
    }
}
