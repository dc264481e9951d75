//! The recogniser: a small convolutional network that names a clip's attributes from five frames, trained on stage
//! renders only and used to measure what a model painted.
//!
//! It first says for each cell of 8 x 8 pixels who shows there and in which colour, an easier question with many more
//! answers to learn from, and names the clip's attributes from what it finds where.

use crate::{
    attributes::Attribute,
    heads::Heads,
    pixels,
    places::{COLOURS, SCORES, SUBJECTS, Targets},
};
use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::softmax},
};
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, gelu};

/// Frames it looks at, spread over the clip.
pub(crate) const FRAMES: usize = 5;
/// Pixels of its pictures across and down.
pub(crate) const WIDTH: usize = 192;
/// See [`WIDTH`].
pub(crate) const HEIGHT: usize = 128;
/// Side of the patches that the first layer reads, in pixels; each scale after it is half the size.
const PATCH: usize = 4;
/// Cells down and across.
const GRID: [usize; 2] = [HEIGHT / (2 * PATCH), WIDTH / (2 * PATCH)];
/// Channels at each scale: of patches, of cells, of 2 x 2 cells.
const WIDTHS: [usize; 3] = [48, 128, 224];
/// Blocks at each scale.
const DEPTHS: [usize; 3] = [2, 3, 3];
/// Blocks at the cells' scale after what the coarser scale saw came back.
const LAST_DEPTH: usize = 2;
/// A block sees one moment.
const KERNEL: [usize; 3] = [1, 5, 5];
/// Numbers that say where the actors are in a frame.
const MOMENTS: usize = 5;
/// Features of a frame.
const FRAME: usize = 2 * WIDTHS[2] + WIDTHS[1] + SCORES + MOMENTS;
/// Channels of a frame, and of all frames in turn, in the look over time.
const TIME: [usize; 2] = [64, 192];

/// A U-Net (arXiv:1505.04597) of ConvNeXt blocks (arXiv:2201.03545) that scores cells, and linear heads over what it
/// saw of the actors and of the whole.
#[derive(Module, Debug)]
pub struct Recogniser {
    stem: Linear,
    patches: Vec<Block>,
    merge_patches: Linear,
    place: Param<Tensor<3>>,
    cells: Vec<Block>,
    merge_cells: Linear,
    coarse: Vec<Block>,
    split: Linear,
    last: Vec<Block>,
    norm: LayerNorm,
    coarse_norm: LayerNorm,
    scores: Linear,
    moment: Linear,
    time: Linear,
    heads: Heads,
}

/// `x + down(gelu(up(norm(conv(x)))))`.
#[derive(Module, Debug)]
struct Block {
    conv: DepthwiseConv3d,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

/// What the recogniser sees in clips.
pub(crate) struct Seen {
    /// Of each cell of each frame, `[B * 5 * 16 * 24, 39]`; see [`SCORES`].
    pub scores: Tensor<2>,
    /// Of each attribute, `[B, classes]`.
    pub attributes: Vec<Tensor<2>>,
    features: Tensor<2>,
}

impl Recogniser {
    /// Fresh weights.
    pub fn new(init: &mut Init) -> Self {
        let [patches, cells, coarse] = WIDTHS;
        let mut blocks =
            |width: usize, depth: usize| (0..depth).map(|_| Block::new(width, init)).collect();
        let (of_patches, of_cells) = (blocks(patches, DEPTHS[0]), blocks(cells, DEPTHS[1]));
        let (of_coarse, last) = (blocks(coarse, DEPTHS[2]), blocks(cells, LAST_DEPTH));
        Self {
            stem: Linear::new(PATCH * PATCH * 3, patches, init),
            patches: of_patches,
            merge_patches: Linear::new(4 * patches, cells, init),
            place: init.normal([GRID[0], GRID[1], cells], 0.1),
            cells: of_cells,
            merge_cells: Linear::new(4 * cells, coarse, init),
            coarse: of_coarse,
            split: Linear::new(coarse, 4 * cells, init),
            last,
            norm: LayerNorm::new(cells, init),
            coarse_norm: LayerNorm::new(coarse, init),
            scores: Linear::zeros(cells, SCORES, init),
            moment: Linear::new(FRAME, TIME[0], init),
            time: Linear::new(FRAMES * TIME[0], TIME[1], init),
            heads: Heads::new(FRAME + TIME[1], init),
        }
    }

    /// Looks at clips `[B, 5, 128, 192, 3]`, or single frames `[B, 1, 128, 192, 3]`, with pixels in -1 to 1.
    pub(crate) fn forward(&self, clips: Tensor<5>) -> Seen {
        let [b, f, ..] = clips.dims();
        let x = self.stem.forward(fold(clips.flatten::<4>(0, 1), PATCH)); // (5B, 32, 48, 48)
        let x = self.patches.iter().fold(x, |x, block| block.forward(x));
        let x = self.merge_patches.forward(fold(x, 2)) + self.place.val().unsqueeze::<4>(); // (5B, 16, 24, 128)
        let x = self.cells.iter().fold(x, |x, block| block.forward(x));
        let y = self.merge_cells.forward(fold(x.clone(), 2)); // (5B, 8, 12, 224)
        let y = self.coarse.iter().fold(y, |y, block| block.forward(y));
        let x = x + unfold(self.split.forward(y.clone()), 2); // (5B, 16, 24, 128)
        let x = self.last.iter().fold(x, |x, block| block.forward(x));

        let cells = self.norm.forward(x).flatten::<3>(1, 2); // (5B, 384, 128)
        let scores = self.scores.forward(cells.clone()); // (5B, 384, 39)
        let whole = self.coarse_norm.forward(y).flatten::<3>(1, 2); // (5B, 96, 224)
        let frames = self.frame_features(cells, scores.clone(), whole).reshape([b, f, FRAME]);
        let frames = frames.repeat_dim(1, FRAMES / f); // (B, 5, FRAME): a single frame stands still
        let in_turn = gelu(self.moment.forward(frames.clone())).reshape([b, FRAMES * TIME[0]]);
        let features = Tensor::cat(
            vec![
                frames.mean_dim(1).squeeze_dim::<2>(1),
                gelu(self.time.forward(in_turn)),
            ],
            1,
        ); // (B, FRAME + 192)
        Seen {
            scores: scores.flatten(0, 1),
            attributes: self.heads.forward(features.clone()),
            features,
        }
    }

    /// What each frame shows, `[5B, FRAME]`: mean and maximum of the whole, the mean over the cells of actors, the
    /// logarithm of the shares of subjects and colours, and where the actors are.
    fn frame_features(&self, cells: Tensor<3>, scores: Tensor<3>, whole: Tensor<3>) -> Tensor<2> {
        let subjects = softmax(scores.clone().narrow(2, 0, SUBJECTS), 2); // (5B, 384, 27)
        let colours = softmax(scores.narrow(2, SUBJECTS, COLOURS), 2); // (5B, 384, 12)
        let actor: Tensor<3> = 1.0 - subjects.clone().narrow(2, 0, 1); // (5B, 384, 1)
        let total = actor.clone().sum_dim(1) + 0.5; // (5B, 1, 1)
        let share = actor.clone() / total.clone(); // (5B, 384, 1)
        let mean = |x: Tensor<3>| (x * share.clone()).sum_dim(1).squeeze_dim::<2>(1);
        let subjects = (subjects.sum_dim(1) / total).squeeze_dim::<2>(1);
        let places = places(&cells.device());
        let count = actor.dims()[0];
        Tensor::cat(
            vec![
                whole.clone().mean_dim(1).squeeze_dim::<2>(1),
                whole.max_dim(1).squeeze_dim::<2>(1),
                mean(cells),
                (subjects + 1e-3).log(),
                (mean(colours) + 1e-3).log(),
                (places.repeat_dim(0, count) * share).sum_dim(1).squeeze_dim::<2>(1),
            ],
            1,
        )
    }

    /// The loss of saying who is where, and of naming the attributes in `which`; see [`Heads::loss`].
    pub(crate) fn loss(
        &self,
        clips: Tensor<5>,
        places: Targets,
        classes: &[Vec<usize>],
        which: &[Attribute],
    ) -> Tensor<1> {
        let seen = self.forward(clips);
        let shares = vec![1.0; classes.len()];
        let named = self.heads.loss(seen.features, classes, &shares, which);
        named + places.cross_entropy(seen.scores)
    }

    /// What one clip of [`pictures`] shows.
    pub(crate) fn look(&self, clip: Vec<f32>) -> Sight {
        let seen = self.forward(batch(vec![clip], &Device::flex()));
        let best = |scores: Tensor<2>| {
            let scores = pixels::floats(scores);
            (0..scores.len())
                .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
                .unwrap_or(0)
        };
        let nobody = softmax(seen.scores.narrow(1, 0, SUBJECTS), 1).narrow(1, 0, 1);
        let actors: Vec<f32> = pixels::floats(1.0 - nobody);
        Sight {
            classes: seen.attributes.into_iter().map(best).collect(),
            extent: extent(&actors),
        }
    }
}

/// What the recogniser makes of a clip.
pub(crate) struct Sight {
    /// The likeliest class of each of [`Attribute::ALL`].
    pub classes: Vec<usize>,
    /// How much of the frame the actors take.
    pub extent: Extent,
}

/// Of the actors in a clip, means over its frames in shares of the frame: area, height, width, the actors' share of the
/// top row and of the bottom row; and the height in the first and the last frame.
pub(crate) type Extent = [f32; 7];

/// Measures actors that show in each cell of each frame with the probabilities `actors`, `[frames, 16, 24]`.
fn extent(actors: &[f32]) -> Extent {
    let [rows, columns] = GRID;
    let frames: Vec<[f32; 5]> = actors
        .chunks_exact(rows * columns)
        .map(|frame| {
            let at = |row: usize, column: usize| frame[row * columns + column];
            let row_shows = |row: usize| (0..columns).any(|column| at(row, column) > 0.5);
            let column_shows = |column: usize| (0..rows).any(|row| at(row, column) > 0.5);
            let along = |row: usize| (0..columns).map(|c| at(row, c)).sum::<f32>() / columns as f32;
            [
                frame.iter().sum::<f32>() / frame.len() as f32,
                (0..rows).filter(|&row| row_shows(row)).count() as f32 / rows as f32,
                (0..columns).filter(|&column| column_shows(column)).count() as f32 / columns as f32,
                along(0),
                along(rows - 1),
            ]
        })
        .collect();
    let mean = |part: usize| frames.iter().map(|f| f[part]).sum::<f32>() / frames.len() as f32;
    let height = |frame: Option<&[f32; 5]>| frame.map_or(0.0, |f| f[1]);
    [mean(0), mean(1), mean(2), mean(3), mean(4), height(frames.first()), height(frames.last())]
}

/// Of each cell `[1, 384, 5]`: its place across and down, -1 to 1, their squares, and one.
fn places(device: &Device) -> Tensor<3> {
    let [rows, columns] = GRID;
    let centred = |i: usize, n: usize| (2 * i + 1) as f32 / n as f32 - 1.0;
    let values: Vec<f32> = (0..rows * columns)
        .flat_map(|i| {
            let (x, y) = (centred(i % columns, columns), centred(i / columns, rows));
            [x, y, x * x, y * y, 1.0]
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [1, rows * columns, MOMENTS]), device)
}

impl Block {
    fn new(width: usize, init: &mut Init) -> Self {
        Self {
            conv: DepthwiseConv3d::new(width, KERNEL, init),
            norm: LayerNorm::new(width, init),
            up: Linear::new(width, 3 * width, init),
            down: Linear::new(3 * width, width, init),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self
            .conv
            .forward(x.clone().unsqueeze_dim::<5>(1))
            .squeeze_dim::<4>(1); // (B, H, W, C)
        x + self
            .down
            .forward(gelu(self.up.forward(self.norm.forward(y))))
    }
}

/// Folds squares into channels: `[B, H s, W s, C]` to `[B, H, W, s s C]`.
fn fold(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let (h, w) = (h / side, w / side);
    x.reshape([b, h, side, w, side, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, h, w, side * side * c])
}

/// The inverse of [`fold`].
fn unfold(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let c = c / (side * side);
    x.reshape([b, h, w, side, side, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, h * side, w * side, c])
}

/// Clips of equally many frames as one tensor `[B, frames, 128, 192, 3]`.
pub(crate) fn batch(clips: Vec<Vec<f32>>, device: &Device) -> Tensor<5> {
    let count = clips.len();
    let values = clips.concat();
    let shape = [count, values.len() / (count * HEIGHT * WIDTH * 3), HEIGHT, WIDTH, 3];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Which frames of a clip of `count` the recogniser looks at: the only one, or five spread over it.
pub(crate) fn frames(count: usize) -> impl Iterator<Item = usize> {
    let slots = if count == 1 { 1 } else { FRAMES };
    (0..slots).map(move |slot| slot * (count - 1) / (FRAMES - 1))
}

/// The recogniser's pictures of a clip: the frames it looks at, brought to 192 x 128 by area, one after the other.
pub(crate) fn pictures(frames: &[u8], width: usize, height: usize) -> Vec<f32> {
    let size = width * height * 3;
    let count = frames.len() / size;
    let mut out = Vec::with_capacity(FRAMES * HEIGHT * WIDTH * 3);
    let span = |i: usize, n: usize, of: usize| i * n / of..((i + 1) * n / of).max(i * n / of + 1);
    for index in self::frames(count) {
        let frame = &frames[index * size..][..size];
        for y in 0..HEIGHT {
            let rows = span(y, height, HEIGHT);
            for x in 0..WIDTH {
                let columns = span(x, width, WIDTH);
                let area = (rows.len() * columns.len()) as f32;
                let mut sum = [0.0; 3];
                for row in rows.clone() {
                    let start = (row * width + columns.start) * 3;
                    for pixel in frame[start..(row * width + columns.end) * 3].chunks_exact(3) {
                        sum.iter_mut()
                            .zip(pixel)
                            .for_each(|(sum, &value)| *sum += f32::from(value));
                    }
                }
                out.extend(sum.map(|sum| sum / area / 127.5 - 1.0));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_stage::Scene;

    #[test]
    fn pictures_are_the_means_of_five_frames() {
        // 9 frames of 384 x 256, each of one grey but for a bright left half.
        let frame = |index: usize| {
            (0..384 * 256).flat_map(move |i| [if i % 384 < 192 { 255 } else { index as u8 * 10 }; 3])
        };
        let frames: Vec<u8> = (0..9).flat_map(frame).collect();
        let pictures = pictures(&frames, 384, 256);
        assert_eq!(pictures.len(), FRAMES * HEIGHT * WIDTH * 3);
        let at = |x: usize, y: usize, slot: usize| pictures[((slot * HEIGHT + y) * WIDTH + x) * 3];
        assert_eq!(at(95, 127, 4), 1.0);
        for (slot, index) in [0.0, 2.0, 4.0, 6.0, 8.0].into_iter().enumerate() {
            assert!((at(96, 10, slot) - (index * 10.0 / 127.5 - 1.0)).abs() < 1e-5);
        }
    }

    #[test]
    fn unfolding_undoes_folding() {
        let x = Tensor::<1>::from_floats(kinora_nn::noise::normal(1, 0, 96).as_slice(), &Device::flex());
        let x = x.reshape([1, 4, 8, 3]);
        let back = unfold(fold(x.clone(), 2), 2);
        assert_eq!(pixels::floats(back), pixels::floats(x));
    }

    #[test]
    fn an_extent_tells_height_width_and_cut_edges() {
        let [rows, columns] = GRID;
        // The right half of the lower three quarters, in every frame.
        let actors: Vec<f32> = (0..FRAMES * rows * columns)
            .map(|i| (i / columns % rows, i % columns))
            .map(|(row, column)| f32::from(u8::from(row >= rows / 4 && column >= columns / 2)))
            .collect();
        let [area, height, width, top, bottom, first, last] = extent(&actors);
        assert_eq!([area, height, width], [0.375, 0.75, 0.5]);
        assert_eq!([top, bottom, first, last], [0.0, 0.5, 0.75, 0.75]);
    }

    #[test]
    fn learns_to_tell_two_clips_apart() {
        let device = Device::flex().autodiff();
        let mut model = Recogniser::new(&mut Init::new(1, &device));
        let clips: Vec<Vec<f32>> = [-0.5, 0.5]
            .map(|value| vec![value; FRAMES * HEIGHT * WIDTH * 3])
            .to_vec();
        let classes: Vec<Vec<usize>> =
            vec![vec![0; Attribute::ALL.len()], vec![1; Attribute::ALL.len()]];
        let config = kinora_nn::optim::AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        let mut adam = kinora_nn::optim::AdamW::new(config);
        let scene = Scene::sample(1);
        for _ in 0..12 {
            let mut places = Targets::default();
            (0..2 * FRAMES * GRID[0] * GRID[1]).for_each(|_| places.position(&scene, &[0]));
            let clips = batch(clips.clone(), &device);
            let loss = model.loss(clips, places, &classes, &Attribute::ALL);
            let grads = kinora_nn::optim::Grads::take(&model, &mut loss.backward());
            model = adam.step(model, &grads, 3e-3, 1.0);
        }
        let model = model.valid();
        let named: Vec<Vec<usize>> = clips.into_iter().map(|clip| model.look(clip).classes).collect();
        assert_eq!(named, classes);
    }
}
