//! Pictures of what a clip is becoming, while it is painted, for a small part of the time that painting takes.

use crate::generate::pixels;
use burn::tensor::Tensor;
use kinora_diffusion::Step;
use kinora_models::{Cache, Family, Model};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Of so many parts of the time, previews take one at the most, the first one aside.
const SHARE: u32 = 20;
/// The first one is made when this part of the steps is done: before, there is nothing to be seen.
const FIRST: f64 = 0.25;

/// When the next one is due, and what it will show.
#[derive(Debug)]
pub(crate) struct Previews {
    wanted: bool,
    began: Instant,
    taken: Cell<Duration>,
    /// The clean latents that the model expected last.
    expected: RefCell<Option<Tensor<5>>>,
}

impl Previews {
    pub fn new(wanted: bool) -> Self {
        Self {
            wanted,
            began: Instant::now(),
            taken: Cell::default(),
            expected: RefCell::default(),
        }
    }

    /// Notes the clean latents `[1, T, h, w, C]` that the model expects.
    pub fn see(&self, clean: &Tensor<5>) {
        if self.wanted {
            self.expected.replace(Some(clean.clone()));
        }
    }

    /// The frame to be shown after a step, if it is time for one and the model shows any.
    pub fn after(&self, step: Step, model: &Model) -> Option<Vec<u8>> {
        let clean = self.expected.take()?;
        let share = step.done as f64 / step.of as f64;
        let early = share < FIRST || step.done == step.of;
        if early || self.taken.get() * SHARE > self.began.elapsed() {
            return None;
        }
        let begins = Instant::now();
        let frame = shown(clean, model);
        self.taken.set(self.taken.get() + begins.elapsed());
        frame
    }
}

/// A frame in the middle of latents `[1, T, h, w, C]`, if the family's decoder makes one of a latent frame alone at little
/// cost; that of Wan is too large for it.
fn shown(latent: Tensor<5>, model: &Model) -> Option<Vec<u8>> {
    if model.family() == Family::Wan {
        return None;
    }
    let middle = latent.dims()[1] / 2;
    let latent = model.smooth(latent.narrow(1, middle, 1)); // (1, 1, h, w, C)
    let video = model.decode_chunk(latent, &mut Cache::default()); // (1, 1, H, W, 3)
    pixels(video).pop()
}
