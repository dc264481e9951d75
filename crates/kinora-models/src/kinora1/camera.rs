//! How the camera moves, and what a clip then shows next.
//!
//! Most of what changes from frame to frame is the camera's move: what was seen lies elsewhere (motion compensation, as video
//! codecs have it). A field of motion that is a polynomial of the place in the frame is near enough for all moves (compare the
//! parametric models of Bergen et al., 1992). A small convolutional network reads it from the words of the prompt (Kim 2014,
//! arXiv:1408.5882); the frames after given ones are then expected where the camera brings them, before anything is painted.

use super::cells::Cells;
use super::{SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor, TensorData, module::embedding};
use kinora_nn::{Init, Linear};
use std::ops::Range;

/// Terms of the polynomial, of which a field of motion has one set across and one down.
pub const TERMS: usize = 6;
/// Numbers of a field of motion.
pub const MOTION: usize = 2 * TERMS;
/// Features of a word, and of a few words in a row.
const WORD: usize = 16;
const PHRASE: usize = 64;
/// Words in a row: "pans slowly to the left".
const WORDS: usize = 5;

/// The polynomial's terms at a place in the frame, -1 to 1 across and down.
pub fn terms(x: f32, y: f32) -> [f32; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

/// Reads how the camera moves.
#[derive(Module, Debug)]
pub struct CameraReader {
    words: Param<Tensor<2>>,
    phrase: Linear,
    motion: Linear,
}

impl CameraReader {
    /// Fresh weights that read no motion from a `vocabulary` of so many words.
    pub fn new(vocabulary: usize, init: &mut Init) -> Self {
        Self {
            words: init.normal([vocabulary, WORD], 0.5),
            phrase: Linear::new(WORDS * WORD, PHRASE, init),
            motion: Linear::zeros(PHRASE, MOTION, init).without_bias(),
        }
    }

    /// The camera's motion over a whole clip `[B, 12]` from token ids `[B, L]`, of which those are there that `present`
    /// `[B, L, 1]` counts as 1, and not as 0: for [`terms`] across and then down, from where in the first frame the last one
    /// is taken, in widths and heights of the frame. No words are no motion.
    pub fn forward(&self, ids: Tensor<2, Int>, present: Tensor<3>) -> Tensor<2> {
        let [b, l] = ids.dims();
        let words = embedding(self.words.val(), ids) * present.clone(); // (B, L, 16)
        let beyond = Tensor::zeros([b, WORDS / 2, WORD], &words.device());
        let words = Tensor::cat(vec![beyond.clone(), words, beyond], 1); // (B, 2+L+2, 16)
        let next = (0..WORDS).map(|word| words.clone().narrow(1, word, l));
        let phrases = relu(self.phrase.forward(Tensor::cat(next.collect(), 2))) * present; // (B, L, 64)
        self.motion.forward(phrases.max_dim(1).squeeze_dim::<2>(1))
    }
}

/// The latent frames of each clip that are given, if they are given whole and side by side and nothing else is: of the shares
/// `known` `[B, T, h, w, 1]`. Else none.
pub fn given_run(known: &Tensor<5>) -> Vec<Range<usize>> {
    let [_, t, h, w, _] = known.dims();
    let shares: Vec<f32> = (known.clone().try_into_vec_as()).expect("flex tensors are in memory");
    let clips = shares.chunks_exact(t * h * w);
    let run = |clip: &[f32]| {
        let frames = clip.chunks_exact(h * w);
        let all = |share| {
            frames
                .clone()
                .map(move |frame| frame.iter().all(|&it| it == share))
        };
        let given: Vec<usize> = all(1.0)
            .enumerate()
            .filter(|it| it.1)
            .map(|it| it.0)
            .collect();
        let run = given
            .first()
            .map_or(0..0, |&first| first..first + given.len());
        let side_by_side = given.iter().copied().eq(run.clone());
        match side_by_side && all(0.0).filter(|free| *free).count() + run.len() == t {
            true => run,
            false => 0..0,
        }
    };
    clips.map(run).collect()
}

/// The clip `latent` `[1, T, h, w, C]` of which the frames `given` are there, with the others as the camera makes them of those if
/// it moves as `motion` `[1, 12]` says from each frame to the next and nothing else does.
pub(super) fn foresee(
    latent: &Tensor<5>,
    given: Range<usize>,
    motion: &Tensor<2>,
    code: &Cells,
) -> Tensor<5> {
    let frames = latent.dims()[1];
    let part = |frames: Range<usize>| latent.clone().narrow(1, frames.start, frames.len());
    // How much later than the given frames' first one, or last one, each frame is.
    let before = (0..given.start).flat_map(|index| latent_offsets(index, given.start));
    let after = 1..=(TEMPORAL_COMPRESSION * (frames - given.end)) as isize;
    let mut parts = Vec::new();
    if given.start > 0 {
        let first = part(given.start..given.start + 1);
        parts.push(moved(first, 0, motion, before.collect(), code));
    }
    parts.push(part(given.clone()));
    if given.end < frames {
        let last = part(given.end - 1..given.end);
        parts.push(moved(
            last,
            TEMPORAL_COMPRESSION - 1,
            motion,
            after.collect(),
            code,
        ));
    }
    Tensor::cat(parts, 1)
}

/// The latent frame `[1, 1, h, w, C]` that ends in the still picture that `latent` of that shape shows, and has the camera moving
/// towards it in the frames before.
pub(super) fn in_motion(latent: Tensor<5>, motion: &Tensor<2>, code: &Cells) -> Tensor<5> {
    let offsets =
        (0..TEMPORAL_COMPRESSION as isize).map(|frame| frame + 1 - TEMPORAL_COMPRESSION as isize);
    moved(
        latent,
        TEMPORAL_COMPRESSION - 1,
        motion,
        offsets.collect(),
        code,
    )
}

/// How much later than the first frame of latent frame `next` those of an earlier one are. The first latent frame is a single
/// frame that stands for four.
fn latent_offsets(index: usize, next: usize) -> impl Iterator<Item = isize> {
    let start = (TEMPORAL_COMPRESSION * (next - index)) as isize;
    let last = TEMPORAL_COMPRESSION as isize - 1;
    (0..=last).map(move |frame| {
        if index == 0 {
            last - start
        } else {
            frame - start
        }
    })
}

/// The latent frames `[1, F / 4, h, w, C]` that show a frame of `latent` `[1, 1, h, w, C]` moved by as many frames' motion as each of
/// the `F` offsets says.
fn moved(
    latent: Tensor<5>,
    frame: usize,
    motion: &Tensor<2>,
    offsets: Vec<isize>,
    code: &Cells,
) -> Tensor<5> {
    let [_, _, h, w, _] = latent.dims();
    let size = [h, w].map(|side| side * SPATIAL_COMPRESSION);
    let motion: Vec<f32> = (motion.clone().try_into_vec_as()).expect("flex tensors are in memory");
    let field = field(&motion, size, &offsets);
    let shape = [1, 1, size[0], size[1], 2 * offsets.len()];
    let field = Tensor::from_data(TensorData::new(field, shape), &latent.device());
    code.moved(latent, frame, field)
}

/// Where each pixel of the frames that are so much later than one comes from in that one, as pixels further right and down,
/// `[H, W, offsets, 2]`. `motion` is that of one frame, in widths and heights of the frame.
pub(super) fn field(motion: &[f32], [height, width]: [usize; 2], offsets: &[isize]) -> Vec<f32> {
    let (across, down) = motion.split_at(TERMS);
    let size = [width as f32, height as f32];
    let follow = |[x, y]: [f32; 2], direction: f32| {
        let place = [(x, size[0]), (y, size[1])].map(|(at, size)| 2.0 * at / size - 1.0);
        let [x_share, y_share] = place.map(|at| at.clamp(-1.0, 1.0));
        let along = |shares: &[f32]| {
            let terms = terms(x_share, y_share);
            direction * terms.iter().zip(shares).map(|(t, s)| t * s).sum::<f32>()
        };
        [x + along(across) * size[0], y + along(down) * size[1]]
    };
    let most = |sign: isize| {
        offsets
            .iter()
            .map(|offset| sign * offset)
            .max()
            .unwrap_or(0)
            .max(0)
    };
    let mut field = Vec::with_capacity(height * width * offsets.len() * 2);
    for pixel in 0..height * width {
        let centre = [pixel % width, pixel / width].map(|at| at as f32 + 0.5);
        let path = |direction: f32, frames: isize| {
            let path = std::iter::successors(Some(centre), |&at| Some(follow(at, direction)));
            path.take(frames as usize + 1).collect::<Vec<_>>()
        };
        let (later, earlier) = (path(1.0, most(1)), path(-1.0, most(-1)));
        for &offset in offsets {
            let path = if offset < 0 { &earlier } else { &later };
            let at = path[offset.unsigned_abs()];
            field.extend([at[0] - centre[0], at[1] - centre[1]]);
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_run_is_whole_frames_side_by_side() {
        let of = |shares: [f32; 4]| {
            let shares = shares.into_iter().flat_map(|share| [share; 2]).collect();
            let shares = TensorData::new(shares, [1, 4, 1, 2, 1]);
            given_run(&Tensor::from_data(shares, &Device::flex())).remove(0)
        };
        assert_eq!(of([1.0, 1.0, 0.0, 0.0]), 0..2);
        assert_eq!(of([0.0, 0.0, 1.0, 0.0]), 2..3);
        assert_eq!(of([1.0; 4]), 0..4);
        for none in [[0.0; 4], [1.0, 0.0, 1.0, 0.0], [1.0, 0.5, 0.0, 0.0]] {
            assert!(of(none).is_empty(), "{none:?}");
        }
    }

    #[test]
    fn what_is_given_stays_and_the_rest_is_where_the_camera_brings_it() {
        // A code of mean colours, and a clip of two positions of which the right one is bright.
        const PATCH: usize = TEMPORAL_COMPRESSION * SPATIAL_COMPRESSION * SPATIAL_COMPRESSION * 3;
        let device = Device::flex();
        let mean = (0..PATCH * 3)
            .map(|i| f32::from(i / 3 % 3 == i % 3))
            .collect();
        let decode = Tensor::<2>::from_data(TensorData::new(mean, [PATCH, 3]), &device);
        let encode = decode.clone().transpose() / (PATCH / 3) as f64;
        let code = Cells::new(decode, encode, Tensor::ones([3, 1], &device));
        let clip = [
            vec![9.0; 6],
            vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
            vec![9.0; 6],
        ]
        .concat();
        let clip = Tensor::<5>::from_data(TensorData::new(clip, [1, 3, 1, 2, 3]), &device);
        // Four pixels a frame come from the right.
        let mut motion = [0.0; MOTION];
        motion[0] = 4.0 / 32.0;
        let motion = Tensor::<2>::from_data(TensorData::new(motion.to_vec(), [1, MOTION]), &device);
        let all = foresee(&clip, 1..2, &motion, &code);
        let all: Vec<f32> = all.try_into_vec_as().expect("flex tensors are in memory");
        // A quarter more of the left position is bright with each of the four frames after. In the frame before, which is the
        // clip's first, a quarter of the right one was dark yet.
        let red: Vec<f32> = all.iter().copied().step_by(3).collect();
        for (got, wanted) in red.iter().zip([0.0, 0.75, 0.0, 1.0, 0.625, 1.0]) {
            assert!((got - wanted).abs() < 1e-4, "{red:?}");
        }
    }

    #[test]
    fn earlier_frames_are_where_the_camera_came_from() {
        // From frame to frame all moves left by a pixel of 32: what shows at a place was one further right.
        let mut motion = [0.0; MOTION];
        motion[0] = 1.0 / 32.0;
        let field = field(&motion, [1, 32], &[1, 3, -2]);
        for (pixel, moves) in field.chunks_exact(6).enumerate() {
            for (got, wanted) in moves.iter().zip([1.0, 0.0, 3.0, 0.0, -2.0, 0.0]) {
                assert!((got - wanted).abs() < 1e-4, "{moves:?} at {pixel}");
            }
        }
        // The frames of latent frames 0 to 2 are 0, 1 to 4 and 5 to 8; the next one begins with 9.
        let offsets: Vec<isize> = (0..3).flat_map(|index| latent_offsets(index, 3)).collect();
        assert_eq!(offsets, [-9, -9, -9, -9, -8, -7, -6, -5, -4, -3, -2, -1]);
    }
}
