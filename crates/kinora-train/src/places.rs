//! Where each subject is, as a task beside the flow: the transformer's tokens halfway name, for each latent position,
//! who shows there and in which colour. It ties words to places long before the pixels' error would (compare
//! representation alignment, arXiv:2410.06940, here with the truth instead of another network's features).

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, activation::log_softmax},
};
use kinora_models::kinora1::{SIZE_MULTIPLE, SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use kinora_nn::{Init, Linear};
use kinora_stage::{Colour, Scene, Subject};
use std::ops::Range;

use crate::config::CELL;

/// Latent positions across and down that one token stands for.
const PATCH: usize = SIZE_MULTIPLE / SPATIAL_COMPRESSION;
/// Cells across and down that one latent position stands for.
const CELLS: usize = SPATIAL_COMPRESSION / CELL;
/// Nobody, or one of the subjects.
pub(crate) const SUBJECTS: usize = 1 + Subject::ALL.len();
pub(crate) const COLOURS: usize = Colour::ALL.len();
/// How much more a position with an actor counts than one without: actors fill about a tenth of the frames.
pub(crate) const ACTOR_WEIGHT: f32 = 4.0;

/// Names who is where.
#[derive(Module, Debug)]
pub struct Places {
    linear: Linear,
}

/// Scores of one position: of nobody and each subject, then of each colour.
const SCORES: usize = SUBJECTS + COLOURS;

/// What is where in some clips: for each position the shares of the subjects and of the actors' colours.
#[derive(Default)]
pub(crate) struct Targets {
    /// `[positions, 27]`.
    subjects: Vec<f32>,
    /// `[positions, 12]`, of the actors only.
    colours: Vec<f32>,
}

impl Targets {
    /// Adds a position whose cells `owners` own: 0 for nobody, else the index of an actor plus one.
    pub fn position(&mut self, scene: &Scene, owners: &[u8]) {
        let vote = (owners.len() as f32).recip();
        let (mut subjects, mut colours) = ([0.0; SUBJECTS], [0.0; COLOURS]);
        for &owner in owners {
            match usize::from(owner)
                .checked_sub(1)
                .and_then(|actor| scene.cast.get(actor))
            {
                None => subjects[0] += vote,
                Some(actor) => {
                    subjects[1 + actor.subject as usize] += vote * ACTOR_WEIGHT;
                    colours[actor.colour as usize] += vote * ACTOR_WEIGHT;
                }
            }
        }
        self.subjects.extend(subjects);
        self.colours.extend(colours);
    }

    /// Adds the latent positions of a clip whose cells are owned by `owners`, `[1 + 4k, height, width]`, token by token.
    pub fn clip(&mut self, scene: &Scene, owners: &[u8], height: usize, width: usize) {
        for group in latent_groups(owners.len() / (height * width)) {
            for place in token_order(height / CELLS, width / CELLS) {
                self.position(scene, &owners_at(owners, [height, width], &group, place));
            }
        }
    }

    /// Adds the cells of a clip for each latent frame, row by row, with `owners` as in [`Self::clip`].
    pub fn cells(&mut self, scene: &Scene, owners: &[u8], height: usize, width: usize) {
        for group in latent_groups(owners.len() / (height * width)) {
            for cell in 0..height * width {
                let in_time = group
                    .clone()
                    .map(|frame| owners[frame * height * width + cell]);
                self.position(scene, &in_time.collect::<Vec<_>>());
            }
        }
    }

    /// Cross-entropy a position of `scores` `[positions, 39]`.
    pub fn cross_entropy(self, scores: Tensor<2>) -> Tensor<1> {
        let device = scores.device();
        let positions = scores.dims()[0] as f32;
        let entropy = |scores: Tensor<2>, target: Vec<f32>| {
            let target = Tensor::from_data(TensorData::new(target, scores.dims()), &device);
            -(log_softmax(scores, 1) * target).sum() / positions
        };
        entropy(scores.clone().narrow(1, 0, SUBJECTS), self.subjects)
            + entropy(scores.narrow(1, SUBJECTS, COLOURS), self.colours)
    }
}

/// The share of each latent position of a clip that any actor fills, `[T, h, w]`, for `owners` as in [`Targets::clip`].
pub(crate) fn presence(owners: &[u8], height: usize, width: usize) -> Vec<f32> {
    let mut shares = Vec::with_capacity(owners.len() / (CELLS * CELLS));
    for group in latent_groups(owners.len() / (height * width)) {
        for place in (0..height / CELLS).flat_map(|y| (0..width / CELLS).map(move |x| (y, x))) {
            let cells = owners_at(owners, [height, width], &group, place);
            let filled = cells.iter().filter(|&&owner| owner > 0).count();
            shares.push(filled as f32 / cells.len() as f32);
        }
    }
    shares
}

/// The frames that each latent frame of a clip stands for.
fn latent_groups(frames: usize) -> impl Iterator<Item = Range<usize>> {
    let later = (1..frames).step_by(TEMPORAL_COMPRESSION);
    std::iter::once(0..1).chain(later.map(|t| t..t + TEMPORAL_COMPRESSION))
}

/// Owners of the cells at a latent position, in the frames of `group`.
fn owners_at(
    owners: &[u8],
    [height, width]: [usize; 2],
    group: &Range<usize>,
    (y, x): (usize, usize),
) -> Vec<u8> {
    let rows = group
        .clone()
        .flat_map(|frame| (y * CELLS..(y + 1) * CELLS).map(move |row| frame * height + row));
    rows.flat_map(|row| owners[row * width + x * CELLS..][..CELLS].iter().copied())
        .collect()
}

/// Latent positions of a frame, token by token.
fn token_order(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    let within = |y: usize, x: usize| {
        (0..PATCH * PATCH).map(move |i| (y * PATCH + i / PATCH, x * PATCH + i % PATCH))
    };
    (0..height / PATCH)
        .flat_map(move |y| (0..width / PATCH).map(move |x| (y, x)))
        .flat_map(move |(y, x)| within(y, x))
}

impl Places {
    /// For tokens of `width`, undecided.
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            linear: Linear::zeros(width, PATCH * PATCH * SCORES, init),
        }
    }

    /// Cross-entropy a latent position, from tokens `[B, N, D]`.
    pub(crate) fn loss(&self, tokens: Tensor<3>, targets: Targets) -> Tensor<1> {
        let [b, n, _] = tokens.dims();
        let scores = self.linear.forward(tokens);
        targets.cross_entropy(scores.reshape([b * n * PATCH * PATCH, SCORES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_holds_the_shares_of_its_cells_in_the_tokens_order() {
        let scene = Scene::sample(1);
        let actor = scene.cast[0];
        // 5 frames of 4 x 8 cells, 2 x 4 latent positions, 2 tokens. The actor fills the cell at the top right, and
        // from the second frame on its neighbour at the left.
        let mut owners = vec![0; 5 * 4 * 8];
        for frame in 0..5 {
            owners[frame * 32 + 7] = 1;
            owners[frame * 32 + 6] = u8::from(frame > 0);
        }
        let mut targets = Targets::default();
        targets.clip(&scene, &owners, 4, 8);
        assert_eq!(targets.subjects.len(), 2 * 8 * SUBJECTS);
        // Second token, its second position.
        let subject = |frame: usize| {
            let row = (frame * 8 + 5) * SUBJECTS;
            targets.subjects[row + 1 + actor.subject as usize] / ACTOR_WEIGHT
        };
        assert_eq!((subject(0), subject(1)), (0.25, 0.5));
        assert_eq!(
            targets.colours.iter().sum::<f32>() / ACTOR_WEIGHT,
            0.25 + 0.5
        );
        // The same in rows: the fourth position of the first row.
        let shares = presence(&owners, 4, 8);
        assert_eq!(shares.len(), 2 * 8);
        assert_eq!((shares[3], shares[8 + 3]), (0.25, 0.5));
        assert_eq!(shares.iter().sum::<f32>(), 0.75);
        let nobody: f32 = targets.subjects.chunks(SUBJECTS).map(|row| row[0]).sum();
        assert_eq!(nobody, 16.0 - 0.75);
    }
}
