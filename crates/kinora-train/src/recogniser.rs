//! The recogniser: a small convolutional network that names a clip's attributes from five frames, trained on stage
//! renders only and used to measure what a model painted.
//!
//! It first says for each cell of 8 x 8 pixels who shows there, in which colour, and whether it is the scene's first
//! actor: an easier question with many more answers to learn from. It names what the whole clip shows from what it finds
//! where, and who the first actor is from a portrait: a second look at that part of the picture, always as large.

use crate::{
    attributes::Attribute,
    convnet::{Block, blocks, fold, unfold},
    heads::Heads,
    pixels,
    places::{ACTOR_WEIGHT, COLOURS, SUBJECTS, Targets},
    portrait::{self, Portrait, Sitter},
};
use burn::{
    module::{Module, Param},
    tensor::{
        Device, Tensor, TensorData,
        activation::{sigmoid, softmax, softplus},
    },
};
use kinora_nn::{Init, LayerNorm, Linear, gelu};

/// Frames it looks at, spread over the clip.
pub(crate) const FRAMES: usize = 5;
/// Pixels of its pictures across and down.
pub(crate) const WIDTH: usize = 192;
/// See [`WIDTH`].
pub(crate) const HEIGHT: usize = 128;
/// Side of the patches that the first layer reads, in pixels; each scale after it is half the size.
const PATCH: usize = 4;
/// Cells down and across.
pub(crate) const GRID: [usize; 2] = [HEIGHT / (2 * PATCH), WIDTH / (2 * PATCH)];
/// Channels at each scale: of patches, of cells, of 2 x 2 cells.
const WIDTHS: [usize; 3] = [48, 128, 224];
/// Blocks at each scale.
const DEPTHS: [usize; 3] = [1, 2, 2];
/// Blocks at the cells' scale after what the coarser scale saw came back.
const LAST_DEPTH: usize = 1;
/// How much the differences within a patch are enlarged, so that film grain is seen beside edges.
const DETAIL: f32 = 8.0;
/// Channels that describe how the picture is finished.
const TEXTURE: usize = 96;
/// Scores of a cell: nobody or a subject, the colour, and whether it is the first actor.
const SCORES: usize = SUBJECTS + COLOURS + 1;
/// Numbers that say where actors are in a frame, and how much of it they take.
const MOMENTS: usize = 5;
/// What is gathered over the cells of some actors.
const ACTORS: usize = WIDTHS[1] + SUBJECTS + COLOURS + MOMENTS;
/// Features of a frame.
const FRAME: usize = 2 * WIDTHS[2] + TEXTURE + 2 * ACTORS;
/// Channels of a frame, and of all frames in turn, in the look over time.
const TIME: [usize; 2] = [96, 256];

/// A U-Net (arXiv:1505.04597) of ConvNeXt blocks (arXiv:2201.03545) that scores cells, and linear heads over what it
/// saw of the actors and of the whole.
#[derive(Module, Debug)]
pub struct Recogniser {
    stem: Linear,
    patches: Vec<Block>,
    texture: Linear,
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
    portrait: Portrait,
}

/// What the recogniser sees in clips.
pub(crate) struct Seen {
    /// Of each cell of each frame, `[B * 5 * 16 * 24, 40]`; see [`SCORES`].
    pub scores: Tensor<2>,
    /// Of each attribute, `[B, classes]`.
    pub attributes: Vec<Tensor<2>>,
    features: Tensor<2>,
}

impl Recogniser {
    /// Fresh weights.
    pub fn new(init: &mut Init) -> Self {
        let [patches, cells, coarse] = WIDTHS;
        Self {
            stem: Linear::new(2 * PATCH * PATCH * 3, patches, init),
            patches: blocks(patches, DEPTHS[0], init),
            texture: Linear::new(patches, TEXTURE, init),
            merge_patches: Linear::new(4 * patches, cells, init),
            place: init.normal([GRID[0], GRID[1], cells], 0.1),
            cells: blocks(cells, DEPTHS[1], init),
            merge_cells: Linear::new(4 * cells, coarse, init),
            coarse: blocks(coarse, DEPTHS[2], init),
            split: Linear::new(coarse, 4 * cells, init),
            last: blocks(cells, LAST_DEPTH, init),
            norm: LayerNorm::new(cells, init),
            coarse_norm: LayerNorm::new(coarse, init),
            scores: Linear::zeros(cells, SCORES, init),
            moment: Linear::new(FRAME, TIME[0], init),
            time: Linear::new(FRAMES * TIME[0], TIME[1], init),
            heads: Heads::new(FRAME + TIME[1], init),
            portrait: Portrait::new(init),
        }
    }

    /// Looks at clips `[B, 5, 128, 192, 3]`, or single frames `[B, 1, 128, 192, 3]`, with pixels in -1 to 1.
    pub(crate) fn forward(&self, clips: Tensor<5>) -> Seen {
        let [b, f, ..] = clips.dims();
        let x = with_detail(fold(clips.flatten::<4>(0, 1), PATCH)); // (5B, 32, 48, 96)
        let x = self.stem.forward(x); // (5B, 32, 48, 48)
        let x = self.patches.iter().fold(x, |x, block| block.forward(x));
        let texture = gelu(self.texture.forward(x.clone())).flatten::<3>(1, 2); // (5B, 1536, 96)
        let x = self.merge_patches.forward(fold(x, 2)) + self.place.val().unsqueeze::<4>(); // (5B, 16, 24, 128)
        let x = self.cells.iter().fold(x, |x, block| block.forward(x));
        let y = self.merge_cells.forward(fold(x.clone(), 2)); // (5B, 8, 12, 224)
        let y = self.coarse.iter().fold(y, |y, block| block.forward(y));
        let x = x + unfold(self.split.forward(y.clone()), 2); // (5B, 16, 24, 128)
        let x = self.last.iter().fold(x, |x, block| block.forward(x));

        let cells = self.norm.forward(x).flatten::<3>(1, 2); // (5B, 384, 128)
        let scores = self.scores.forward(cells.clone()); // (5B, 384, 40)
        let whole = self.coarse_norm.forward(y).flatten::<3>(1, 2); // (5B, 96, 224)
        let [first, others] = gather(&cells, scores.clone());
        let frames = Tensor::cat(
            vec![
                over_cells(whole.clone().mean_dim(1)),
                over_cells(whole.max_dim(1)),
                over_cells(texture.mean_dim(1)),
                first,
                others,
            ],
            1,
        ); // (5B, FRAME)
        let frames = frames.reshape([b, f, FRAME]);
        let frames = frames.repeat_dim(1, FRAMES / f); // (B, 5, FRAME): a single frame stands still
        let in_turn = gelu(self.moment.forward(frames.clone())).reshape([b, FRAMES * TIME[0]]);
        let features = Tensor::cat(
            vec![
                frames.mean_dim(1).squeeze_dim::<2>(1),
                gelu(self.time.forward(in_turn)),
            ],
            1,
        ); // (B, FRAME + 256)
        Seen {
            scores: scores.flatten(0, 1),
            attributes: self.heads.forward(features.clone()),
            features,
        }
    }

    /// The loss of saying who is where, and of naming the attributes in `which`; see [`Heads::loss`]. `owners` are those
    /// of [`crate::clips::Clips::owners`], frame by frame, and `places` the same in subjects and colours.
    pub(crate) fn loss(
        &self,
        clips: Tensor<5>,
        places: Targets,
        owners: &[u8],
        classes: &[Vec<usize>],
        which: &[Attribute],
    ) -> Tensor<1> {
        let seen = self.forward(clips);
        let shares = vec![1.0; classes.len()];
        let named = self.heads.loss(seen.features, classes, &shares, which);
        let places_of = seen.scores.clone().narrow(1, 0, SCORES - 1);
        let first = first_loss(seen.scores.narrow(1, SCORES - 1, 1), owners);
        named + places.cross_entropy(places_of) + first
    }

    /// The loss of naming who sits for these portraits.
    pub(crate) fn portrait_loss(
        &self,
        sitters: &[Sitter],
        classes: &[Vec<usize>],
        device: &Device,
    ) -> Tensor<1> {
        self.portrait.loss(sitters, classes, device)
    }

    /// What one clip of [`pictures`] shows.
    pub(crate) fn look(&self, clip: Vec<f32>) -> Sight {
        let seen = self.forward(batch(vec![clip.clone()], &Device::flex()));
        let [first, others] = actors(seen.scores.unsqueeze::<3>()).map(pixels::floats);
        let sitter = Sitter::new(&clip, |cell| first[cell] > 0.5, 1.0, [0.0; 2]).or_else(|| {
            Sitter::new(
                &clip,
                |cell| first[cell] + others[cell] > 0.3,
                1.0,
                [0.0; 2],
            )
        });
        let of_sitter = sitter.map(|sitter| self.portrait.scores(&sitter));
        let scores: Vec<Tensor<2>> = (seen.attributes.into_iter().zip(Attribute::ALL))
            .enumerate()
            .map(|(place, (whole, attribute))| match &of_sitter {
                Some(scores) if portrait::NAMED.contains(&attribute) => scores[place].clone(),
                _ => whole,
            })
            .collect();
        Sight {
            classes: scores.iter().cloned().map(best).collect(),
            shares: (scores.into_iter().map(|scores| softmax(scores, 1)))
                .map(pixels::floats)
                .collect(),
            extent: extent(&first),
        }
    }
}

/// The likeliest class of scores `[1, classes]`.
pub(crate) fn best(scores: Tensor<2>) -> usize {
    let scores = pixels::floats(scores);
    (0..scores.len())
        .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
        .unwrap_or(0)
}

/// What the recogniser makes of a clip.
pub(crate) struct Sight {
    /// The likeliest class of each of [`Attribute::ALL`].
    pub classes: Vec<usize>,
    /// How likely each class of each of [`Attribute::ALL`] is.
    pub shares: Vec<Vec<f32>>,
    /// How much of the frame the first actor takes.
    pub extent: Extent,
}

/// Of an actor in a clip, means over its frames in shares of the frame: area, height, width, the actor's share of the
/// top row and of the bottom row; and the height in the first and the last frame.
pub(crate) type Extent = [f32; 7];

/// Measures an actor that shows in each cell of each frame with the probabilities `actor`, `[frames, 16, 24]`.
fn extent(actor: &[f32]) -> Extent {
    let [rows, columns] = GRID;
    let frames: Vec<[f32; 5]> = actor
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
    [
        mean(0),
        mean(1),
        mean(2),
        mean(3),
        mean(4),
        height(frames.first()),
        height(frames.last()),
    ]
}

/// The probabilities that a cell shows the first actor, and another one, `[N, cells, 1]` each, from `[N, cells, 40]`.
fn actors(scores: Tensor<3>) -> [Tensor<3>; 2] {
    let nobody = softmax(scores.clone().narrow(2, 0, SUBJECTS), 2).narrow(2, 0, 1);
    let somebody: Tensor<3> = 1.0 - nobody;
    let is_first = sigmoid(scores.narrow(2, SCORES - 1, 1));
    let first = is_first * somebody.clone();
    let others = somebody - first.clone();
    [first, others]
}

/// What the first actor and the others show in each frame, `[5B, ACTORS]` each: the mean over their cells, the logarithm
/// of the shares of subjects and colours, and where they are.
fn gather(cells: &Tensor<3>, scores: Tensor<3>) -> [Tensor<2>; 2] {
    let subjects = softmax(scores.clone().narrow(2, 0, SUBJECTS), 2); // (5B, 384, 27)
    let colours = softmax(scores.clone().narrow(2, SUBJECTS, COLOURS), 2); // (5B, 384, 12)
    let places = places(&cells.device()).repeat_dim(0, cells.dims()[0]); // (5B, 384, 4)
    actors(scores).map(|actor| {
        let total = actor.clone().sum_dim(1) + 0.5; // (5B, 1, 1)
        let share = actor / total.clone(); // (5B, 384, 1)
        let mean = |x: &Tensor<3>| over_cells((x.clone() * share.clone()).sum_dim(1));
        Tensor::cat(
            vec![
                mean(cells),
                (mean(&subjects) + 1e-3).log(),
                (mean(&colours) + 1e-3).log(),
                mean(&places),
                over_cells(total.log()),
            ],
            1,
        )
    })
}

/// Drops the dimension that a reduction over cells left.
fn over_cells(x: Tensor<3>) -> Tensor<2> {
    x.squeeze_dim(1)
}

/// Cross-entropy a cell of `scores` `[cells, 1]` that an actor who shows is the first one.
fn first_loss(scores: Tensor<2>, owners: &[u8]) -> Tensor<1> {
    let device = scores.device();
    let column = |value: fn(u8) -> f32| {
        let values: Vec<f32> = owners.iter().map(|&owner| value(owner)).collect();
        Tensor::<2>::from_data(TensorData::new(values, [owners.len(), 1]), &device)
    };
    let weight = column(|owner| if owner == 0 { 0.0 } else { ACTOR_WEIGHT });
    let sign = column(|owner| if owner == 1 { -1.0 } else { 1.0 });
    (softplus(scores * sign, 1.0) * weight).sum() / owners.len() as f32
}

/// Patches `[B, H, W, 16 * 3]` beside what differs within each, enlarged and bounded: local contrast as the eye has it.
fn with_detail(patches: Tensor<4>) -> Tensor<4> {
    let [b, h, w, c] = patches.dims();
    let pixels = patches.clone().reshape([b, h, w, c / 3, 3]);
    let detail = ((pixels.clone() - pixels.mean_dim(3)) * DETAIL).tanh();
    Tensor::cat(vec![patches, detail.reshape([b, h, w, c])], 3)
}

/// Of each cell `[1, 384, 4]`: its place across and down, -1 to 1, and their squares.
fn places(device: &Device) -> Tensor<3> {
    let [rows, columns] = GRID;
    let centred = |i: usize, n: usize| (2 * i + 1) as f32 / n as f32 - 1.0;
    let values: Vec<f32> = (0..rows * columns)
        .flat_map(|i| {
            let (x, y) = (centred(i % columns, columns), centred(i / columns, rows));
            [x, y, x * x, y * y]
        })
        .collect();
    Tensor::from_data(
        TensorData::new(values, [1, rows * columns, MOMENTS - 1]),
        device,
    )
}

/// Clips of equally many frames as one tensor `[B, frames, 128, 192, 3]`.
pub(crate) fn batch(clips: Vec<Vec<f32>>, device: &Device) -> Tensor<5> {
    let count = clips.len();
    let values = clips.concat();
    let shape = [
        count,
        values.len() / (count * HEIGHT * WIDTH * 3),
        HEIGHT,
        WIDTH,
        3,
    ];
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
            (0..384 * 256)
                .flat_map(move |i| [if i % 384 < 192 { 255 } else { index as u8 * 10 }; 3])
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
    fn the_first_actor_and_the_others_are_told_apart() {
        let device = Device::flex();
        // A cell of nobody, one of the first actor, one of another; all sure.
        let mut scores = vec![0.0; 3 * SCORES];
        scores[0] = 30.0;
        scores[SCORES + 1] = 30.0;
        scores[2 * SCORES - 1] = 30.0;
        scores[2 * SCORES + 5] = 30.0;
        scores[3 * SCORES - 1] = -30.0;
        let scores = Tensor::<3>::from_data(TensorData::new(scores, [1, 3, SCORES]), &device);
        let [first, others] = actors(scores.clone()).map(pixels::floats);
        let near = |found: &[f32], wanted: [f32; 3]| {
            assert!(
                found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5),
                "{found:?}"
            );
        };
        near(&first, [0.0, 1.0, 0.0]);
        near(&others, [0.0, 0.0, 1.0]);
        let asked = scores.flatten::<2>(0, 1).narrow(1, SCORES - 1, 1);
        let loss = |owners: &[u8]| pixels::floats(first_loss(asked.clone(), owners))[0];
        assert!(loss(&[0, 1, 2]) < 1e-6);
        assert!((loss(&[0, 1, 1]) - 30.0 * ACTOR_WEIGHT / 3.0).abs() < 1e-3);
    }

    #[test]
    fn detail_shows_grain_whatever_the_tone() {
        let patch =
            |tone: f32| (0..48).map(move |i| tone + if i / 3 % 2 == 0 { 0.02 } else { -0.02 });
        let values: Vec<f32> = patch(-0.7).chain(patch(0.6)).collect();
        let patches = Tensor::<1>::from_floats(values.as_slice(), &Device::flex());
        let seen = pixels::floats(with_detail(patches.reshape([1, 1, 2, 48])));
        assert_eq!(seen[..48], values[..48]);
        let (dark, light) = (&seen[48..96], &seen[144..]);
        assert!((dark[0] - (0.02 * DETAIL).tanh()).abs() < 1e-4);
        assert!(dark.iter().zip(light).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn learns_to_tell_two_frames_apart() {
        let device = Device::flex().autodiff();
        let mut model = Recogniser::new(&mut Init::new(1, &device));
        let clips: Vec<Vec<f32>> = [-0.5, 0.5]
            .map(|value| vec![value; HEIGHT * WIDTH * 3])
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
            let owners = vec![0; 2 * GRID[0] * GRID[1]];
            owners
                .iter()
                .for_each(|&owner| places.position(&scene, &[owner]));
            let clips = batch(clips.clone(), &device);
            let loss = model.loss(clips, places, &owners, &classes, &Attribute::ALL);
            let grads = kinora_nn::optim::Grads::take(&model, &mut loss.backward());
            model = adam.step(model, &grads, 3e-3, 1.0);
        }
        let model = model.valid();
        let named: Vec<Vec<usize>> = clips
            .into_iter()
            .map(|clip| model.look(clip).classes)
            .collect();
        assert_eq!(named, classes);
    }
}
