//! A model of whichever family, as the engine sees it.

use crate::{kinora1, wan};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

/// How clips become latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pixels of a side that one latent position stands for.
    pub spatial: usize,
    /// Sizes in pixels are multiples of this.
    pub multiple: usize,
    /// Channels of a latent position.
    pub channels: usize,
    /// Most frames that are painted at once.
    pub whole: usize,
    /// Whether the model can paint a clip around a picture of its own.
    pub around: bool,
}

/// A family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Trained in this repository, on the film stage.
    Kinora1,
    /// Wan 2.1 and 2.2.
    Wan,
}

/// How noise levels may differ within a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Each position has its own: the model was trained to complete what is given.
    Positions,
    /// Each frame has its own: one that is given whole stays clean, what is given of others is noised along with the rest.
    Frames,
    /// All have the same: what is given is noised along with the rest.
    One,
    /// All have the same, and what is given is told beside the latent: for each position which of its frames are given, `[4]`,
    /// then the latent of them among grey ones, `[C]`.
    Beside,
}

/// What a model makes of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Tokens that it has.
    pub tokens: usize,
    /// Tokens that the model reads at the most.
    pub most: usize,
    /// Words that it leaves out.
    pub unknown: Vec<String>,
}

/// What becomes of a transformer's blocks after the first. It is given the tokens `[B, N, D]` before the first block, those
/// behind it, and the other blocks as a function of the latter; it answers the tokens behind the last block.
pub type Blocks<'a> =
    &'a mut dyn FnMut(Tensor<3>, Tensor<3>, &dyn Fn(Tensor<3>) -> Tensor<3>) -> Tensor<3>;

/// [`Blocks`] that are run.
pub fn run_all(
    x: Tensor<3>,
    behind: Tensor<3>,
    rest: &dyn Fn(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    drop(x); // it is as large as any
    rest(behind)
}

/// Prompts as the transformer reads them.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // of the family that each is named after
pub enum Text {
    Kinora1(Box<kinora1::Text>),
    Wan(Box<Tensor<3>>),
}

impl Text {
    /// The prompts of a clip of so many frames.
    pub fn over(self, frames: u32) -> Self {
        match self {
            Self::Kinora1(text) => Self::Kinora1(Box::new(text.over(frames as usize))),
            text @ Self::Wan(_) => text,
        }
    }

    /// The prompts of clips that should show these latents before they are painted; see [`Model::sketch`].
    pub fn staged(self, sketch: Option<Tensor<5>>) -> Self {
        match self {
            Self::Kinora1(text) => Self::Kinora1(Box::new(text.staged(sketch))),
            text @ Self::Wan(_) => text,
        }
    }
}

/// What the chunked passes of an autoencoder remember of the past.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    kinora1: kinora1::VaeCache,
    wan: wan::VaeCache,
}

/// A model ready to run.
#[derive(Debug)]
#[allow(missing_docs)] // of the family that each is named after
pub enum Model {
    Kinora1(Box<kinora1::Networks>),
    Wan(Box<wan::Networks>),
}

impl Model {
    /// Its family.
    pub fn family(&self) -> Family {
        match self {
            Self::Kinora1(_) => Family::Kinora1,
            Self::Wan(_) => Family::Wan,
        }
    }

    /// How clips become latents.
    pub fn geometry(&self) -> Geometry {
        match self {
            Self::Kinora1(networks) => networks.config.geometry(),
            Self::Wan(networks) => networks.config.geometry(),
        }
    }

    /// How noise levels may differ within a clip.
    pub fn levels(&self) -> Levels {
        match self {
            Self::Kinora1(_) => Levels::Positions,
            Self::Wan(networks) => networks.levels(),
        }
    }

    /// The noise level below which a second transformer takes over, if there are two.
    pub fn boundary(&self) -> Option<f64> {
        match self {
            Self::Kinora1(_) => None,
            Self::Wan(networks) => networks.config.boundary,
        }
    }

    /// Lets at most so many bytes of a network's weights stay in memory between their uses, where they are read from files;
    /// the numbers are the same.
    pub fn limit(&self, most: u64) {
        match self {
            Self::Kinora1(_) => {}
            Self::Wan(networks) => networks.limit(most),
        }
    }

    /// How much of a prompt is read.
    pub fn reading(&self, prompt: &str) -> Reading {
        match self {
            Self::Kinora1(networks) => networks.reading(prompt),
            Self::Wan(networks) => networks.reading(prompt),
        }
    }

    /// Reads prompts, as many as are painted at once.
    pub fn read(&self, prompts: &[&str], device: &Device) -> Text {
        match self {
            Self::Kinora1(networks) => Text::Kinora1(Box::new(networks.read(prompts, device))),
            Self::Wan(networks) => Text::Wan(Box::new(networks.read(prompts, device))),
        }
    }

    /// Velocity at normalised latents `[B, T, h, w, C]` of noise level `sigma`, of which the share `known`, `[B, T, h, w, 1]`
    /// or of whole frames `[B, T, 1, 1, 1]`, is given; or beside which stands what is given, `[B, T, h, w, 4 + C]`. See
    /// [`Levels`]. `text` holds B prompts, and `blocks` is what becomes of a Wan transformer's blocks; the others run all of theirs.
    ///
    /// # Panics
    /// If the text was read by a model of another family.
    pub fn velocity(
        &self,
        x: Tensor<5>,
        sigma: f64,
        known: Option<Tensor<5>>,
        text: &Text,
        blocks: Blocks<'_>,
    ) -> Tensor<5> {
        match (self, text) {
            (Self::Kinora1(networks), Text::Kinora1(text)) => {
                networks.velocity(x, sigma, known, text)
            }
            (Self::Wan(networks), Text::Wan(text)) => {
                networks.velocity(x, sigma, known, text, blocks)
            }
            _ => panic!("the text was read by a model of another family"),
        }
    }

    /// The next frames of a video of -1 to 1, `[B, T, H, W, 3]`, to normalised latents: `1+4k` frames in the first call
    /// with this cache, `4k` in each later one.
    pub fn encode_chunk(&self, video: Tensor<5>, cache: &mut Cache) -> Tensor<5> {
        match self {
            Self::Kinora1(networks) => networks.encode_chunk(video, &mut cache.kinora1),
            Self::Wan(networks) => networks.encode_chunk(video, &mut cache.wan),
        }
    }

    /// The next normalised latent frames `[B, t, h, w, C]` to video.
    pub fn decode_chunk(&self, latent: Tensor<5>, cache: &mut Cache) -> Tensor<5> {
        match self {
            Self::Kinora1(networks) => networks.decode_chunk(latent, &mut cache.kinora1),
            Self::Wan(networks) => networks.decode_chunk(latent, &mut cache.wan),
        }
    }

    /// How the frames of [`Model::decode_whole`] may be divided, if they may.
    pub fn tiling(&self) -> Option<wan::Tiling> {
        match self {
            Self::Kinora1(_) => None,
            Self::Wan(networks) => Some(networks.tiling()),
        }
    }

    /// The noise level from which it best paints frames beside given ones.
    pub fn ease(&self) -> f64 {
        match self {
            Self::Kinora1(_) => kinora1::EASE,
            Self::Wan(_) => wan::EASE,
        }
    }

    /// The part of [`Model::decode_chunk`] that sees whole frames.
    pub fn decode_whole(&self, latent: Tensor<5>, cache: &mut Cache) -> Tensor<5> {
        match self {
            Self::Kinora1(_) => latent,
            Self::Wan(networks) => networks.decode_whole(latent, &mut cache.wan),
        }
    }

    /// The rest of [`Model::decode_chunk`], of whole frames or of a tile that has positions `around` it.
    pub fn decode_tile(
        &self,
        features: Tensor<5>,
        around: wan::Around,
        cache: &mut Cache,
    ) -> Tensor<5> {
        match self {
            Self::Kinora1(_) => self.decode_chunk(features, cache),
            Self::Wan(networks) => networks.decode_tile(features, around, &mut cache.wan),
        }
    }

    /// The clip `latent` `[1, T, h, w, C]` of which the frames `given` are there, at least one, with the others as the camera makes
    /// them of those, as the prompt has it; nothing from a model that does not know.
    pub fn foresee(
        &self,
        latent: &Tensor<5>,
        given: Range<usize>,
        text: &Text,
    ) -> Option<Tensor<5>> {
        match (self, text) {
            (Self::Kinora1(networks), Text::Kinora1(text)) => {
                Some(networks.foresee(latent, given, text))
            }
            _ => None,
        }
    }

    /// The latent frame `[1, 1, h, w, C]` that ends in a picture of that shape, with the camera moving as the prompt has it.
    pub fn in_motion(&self, picture: Tensor<5>, text: &Text) -> Tensor<5> {
        match (self, text) {
            (Self::Kinora1(networks), Text::Kinora1(text)) => networks.in_motion(picture, text),
            _ => picture,
        }
    }

    /// Stages some frames of the clip that a prompt asks for: who is in it, where they stand and go, and what they look like. `None` if
    /// the model can't, or knows nobody in the prompt.
    pub fn stage(
        &self,
        prompt: &str,
        part: (kinora1::Clip, Range<usize>),
        seed: u64,
        device: &Device,
    ) -> Option<kinora1::Animatic> {
        match self {
            Self::Kinora1(networks) => networks.stage(prompt, part, seed, device),
            Self::Wan(_) => None,
        }
    }

    /// The latents `[1, T, h, w, C]` of some frames of a staged clip, `1 + 4 k` of them, as they are imagined; before the set of a
    /// `picture` `[1, 1, h, w, C]` of its middle frame, if there is one.
    ///
    /// # Panics
    /// If the model stages no clips.
    pub fn sketch(
        &self,
        animatic: &kinora1::Animatic,
        picture: Option<Tensor<5>>,
        frames: Range<usize>,
        device: &Device,
    ) -> Tensor<5> {
        match self {
            Self::Kinora1(networks) => networks.sketch(animatic, picture, frames, device),
            Self::Wan(_) => panic!("only kinora-1 stages clips"),
        }
    }

    /// How plainly each of the noised latents `x` `[B, T, h, w, C]` shows what it is becoming: the mean log-likelihood of who
    /// is where, as the network has it with the prompt in mind, when it looks again without one. `text` holds B prompts and
    /// then B empty ones.
    ///
    /// # Panics
    /// If it is not `kinora-1`, or the text was read by a model of another family.
    pub fn plainness(
        &self,
        x: Tensor<5>,
        sigma: f64,
        known: Option<Tensor<5>>,
        text: &Text,
    ) -> Vec<f32> {
        match (self, text) {
            (Self::Kinora1(networks), Text::Kinora1(text)) => {
                networks.plainness(x, sigma, known, text)
            }
            _ => panic!("this model does not tell how plainly a latent shows what it should"),
        }
    }

    /// The noise that it was trained with, out of white noise `[B, T, h, w, C]`.
    pub fn noise(&self, white: Tensor<5>) -> Tensor<5> {
        match self {
            Self::Kinora1(networks) => networks.noise(white),
            Self::Wan(_) => white,
        }
    }

    /// The likeliest normalised latents behind painted ones.
    pub fn smooth(&self, latent: Tensor<5>) -> Tensor<5> {
        match self {
            Self::Kinora1(networks) => networks.smooth(latent),
            Self::Wan(_) => latent,
        }
    }
}
