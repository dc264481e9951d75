//! The transformer's view of the picture behind the latents.
//!
//! A latent position stands for 16 x 16 pixels, so the same shape has another code wherever it lies in them, and a network
//! on latents has to learn it anew for each. On the picture itself a shape is the same to a convolution everywhere. The
//! code is linear, so the picture is a product away: cells of 4 x 4 pixels and 4 frames are read from it, a small U-Net
//! (arXiv:1505.04597) works on them and on halves of a position, 8 x 8 pixels, and what it paints is brought back to
//! latents by the same code.
//!
//! What is painted is new, kept or copied, pixel by pixel: gates say how far a pixel keeps what the linear denoiser sees
//! there, so that an edge is drawn and the noise beside it is not, and how far it is what the frame before or the one after
//! shows, moved along a field of motion, as most of a film is (video codecs; Wang et al. 2018, "Video-to-Video
//! Synthesis", arXiv:1808.06601).

use super::config::DitConfig;
use super::dit::{FineBlock, parts};
use super::vae::{channels_to_space, space_to_channels};
use super::{SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kinora_nn::{Init, Linear, Precision, linear_in, warp};

/// Pixels of a side of a cell.
const SIDE: usize = 4;
/// Cells along a side of a latent position.
const CELLS: usize = SPATIAL_COMPRESSION / SIDE;
/// Cells along a side of a half.
const HALF: usize = 2;
/// Values of a cell: its pixels in the frames of a latent position.
const PIXELS: usize = TEMPORAL_COMPRESSION * FRAME;
/// Values of a cell in one frame.
const FRAME: usize = SIDE * SIDE * 3;
/// Numbers of a cell's motion: right and down, in each frame.
const MOVES: usize = 2 * TEMPORAL_COMPRESSION;
/// Pixels that a motion of one means, and the share of a pixel that a gate of one means: so far do they move by as small a
/// step of the optimiser as the other layers need.
const PACE: f32 = 4.0;
/// See [`PACE`].
const GATE: f32 = 4.0;

/// How normalised latents show in the cells of their picture, `[16 * 192, C]`, and how cells count to latents,
/// `[C, 16 * 192]`.
#[derive(Clone, Debug)]
pub struct Cells {
    decode: Tensor<2>,
    encode: Tensor<2>,
}

impl Cells {
    /// Of a code that decodes by `decode` `[P, C]` and encodes by `encode` `[C, P]`, where latents are divided by `std`
    /// `[C, 1]`.
    pub(super) fn new(decode: Tensor<2>, encode: Tensor<2>, std: Tensor<2>) -> Self {
        Self {
            decode: by_cells(decode.transpose() * std.clone()).transpose(),
            encode: by_cells(encode / std),
        }
    }

    /// The picture behind latents `[B, T, h, w, C]`, but for the mean picture, as cells `[B, T, 4h, 4w, 192]`.
    fn decode(&self, precision: Precision, latent: Tensor<5>) -> Tensor<5> {
        let cells = linear_in(precision, latent, self.decode.clone(), None);
        channels_to_space(cells, CELLS, 1)
    }

    /// The latents that show the frame `index` of `latent` `[B, 1, h, w, C]` moved as `motion` `[B, 1, 16h, 16w, 2 F]` says for
    /// each pixel and each of `F` frames, `[B, F / 4, h, w, C]`.
    pub(super) fn moved(&self, latent: Tensor<5>, index: usize, motion: Tensor<5>) -> Tensor<5> {
        let [b, _, h, w, moves] = motion.dims();
        let frames = moves / 2 / TEMPORAL_COMPRESSION;
        let pixels = self.decode(Precision::F32, latent);
        let frame = pixels.narrow(4, index * FRAME, FRAME); // (B, 1, 4h, 4w, 48)
        let moved = warp(channels_to_space(frame, SIDE, 1), motion, 1); // (B, 1, 16h, 16w, F 3)
        let (h, w) = (h / SIDE, w / SIDE);
        let cells = moved
            .reshape([b, h, SIDE, w, SIDE, frames, TEMPORAL_COMPRESSION, 3])
            .permute([0, 5, 1, 3, 6, 2, 4, 7])
            .reshape([b, frames, h, w, PIXELS]);
        self.encode(Precision::F32, cells)
    }

    /// The latents of a picture; the inverse of [`Self::decode`] for pictures that the code can hold.
    fn encode(&self, precision: Precision, picture: Tensor<5>) -> Tensor<5> {
        let cells = space_to_channels(picture, CELLS, 1);
        linear_in(precision, cells, self.encode.clone(), None)
    }
}

/// Patches `[C, P]`, row by row, as cells `[C, 16 * 192]`.
fn by_cells(patches: Tensor<2>) -> Tensor<2> {
    let [c, _] = patches.dims();
    patches
        .reshape([c, TEMPORAL_COMPRESSION, CELLS, SIDE, CELLS, SIDE, 3])
        .permute([0, 2, 4, 1, 3, 5, 6])
        .reshape([c, CELLS * CELLS * PIXELS])
}

/// The U-Net on cells and halves.
#[derive(Module, Debug)]
pub(super) struct CellNet {
    /// A cell's pixels to its channels, and back.
    pixels_in: Linear,
    pixels_out: Linear,
    /// How far each pixel is kept as it is seen, and moved to what was there before and to what is there after.
    gates: Linear,
    /// Where what each cell shows in each frame was in the frame before, and is in the one after.
    motion: Linear,
    /// Marks cells that are known, `[c]`.
    known: Param<Tensor<1>>,
    cells: Level,
    halves: Level,
    cells_to_halves: Linear,
    halves_to_positions: Linear,
    positions_to_halves: Linear,
    halves_to_cells: Linear,
    /// Scores a half by who shows there, and in which colour.
    names: Linear,
}

/// Blocks before and after what is coarser.
#[derive(Module, Debug)]
struct Level {
    modulation: Linear,
    before: Vec<FineBlock>,
    after: Vec<FineBlock>,
}

/// What was seen on the way down.
pub(super) struct Seen {
    pixels: Tensor<5>,
    cells: Tensor<5>,
    halves: Tensor<5>,
    of_cells: Tensor<3>,
    of_halves: Tensor<3>,
    /// For the latent positions, `[B, T, h, w, F]`.
    pub merged: Tensor<5>,
}

impl CellNet {
    /// Fresh weights that add nothing yet.
    pub fn new(config: &DitConfig, init: &mut Init) -> Self {
        let (cell, half, fine) = (config.cell_width, config.half_width, config.fine_width);
        let area = HALF * HALF;
        Self {
            pixels_in: Linear::new(PIXELS + 2 * FRAME, cell, init).without_bias(),
            pixels_out: Linear::zeros(cell, PIXELS, init).without_bias(),
            gates: Linear::zeros(cell, 3 * PIXELS, init),
            motion: Linear::zeros(cell, 2 * MOVES, init),
            known: init.normal([cell], 0.02),
            cells: Level::new(cell, config, init),
            halves: Level::new(half, config, init),
            cells_to_halves: Linear::new(area * cell, half, init),
            halves_to_positions: Linear::zeros(area * half, fine, init),
            positions_to_halves: Linear::new(fine, area * half, init),
            halves_to_cells: Linear::new(half, area * cell, init),
            names: Linear::zeros(half, config.names.iter().sum(), init),
        }
    }

    /// The way down, from likely latents `[B, T, h, w, C]` of which the shares `known` `[B, T, h, w, 1]` are given, under
    /// `condition` `[B, D]`.
    pub fn see(
        &self,
        latent: Tensor<5>,
        known: Option<Tensor<5>>,
        condition: Tensor<2>,
        code: &Cells,
    ) -> Seen {
        let pixels = code.decode(self.pixels_in.precision, latent); // (B, T, 4h, 4w, 192)
        let mut cells = self.pixels_in.forward(in_time(&pixels)); // (B, T, 4h, 4w, c)
        if let Some(known) = known {
            let known = channels_to_space(known.repeat_dim(4, CELLS * CELLS), CELLS, 1); // (B, T, 4h, 4w, 1)
            cells = cells + known * self.known.val().unsqueeze::<5>();
        }
        let [of_cells] = parts(
            self.cells.modulation.forward(condition.clone()),
            [FineBlock::ROWS],
        );
        let [of_halves] = parts(self.halves.modulation.forward(condition), [FineBlock::ROWS]);
        let cells = through(&self.cells.before, cells, &of_cells);
        let halves = (self.cells_to_halves).forward(space_to_channels(cells.clone(), HALF, 1));
        let halves = through(&self.halves.before, halves, &of_halves); // (B, T, 2h, 2w, d)
        let merged = (self.halves_to_positions).forward(space_to_channels(halves.clone(), HALF, 1));
        Seen {
            pixels,
            cells,
            halves,
            of_cells,
            of_halves,
            merged,
        }
    }

    /// The way up, from latent positions `x` `[B, T, h, w, F]` to what is painted, in latents `[B, T, h, w, C]` and in units
    /// of the noise level, and the names of who it shows, `[B, T, 2h, 2w, names]`. `noise` `[B, T, 1, 1, 1]` is the share
    /// of noise in what is seen, in the same units.
    pub fn paint(
        &self,
        seen: Seen,
        x: Tensor<5>,
        noise: Tensor<5>,
        code: &Cells,
    ) -> (Tensor<5>, Tensor<5>) {
        let up = channels_to_space(self.positions_to_halves.forward(x), HALF, 1);
        let halves = through(&self.halves.after, seen.halves + up, &seen.of_halves); // (B, T, 2h, 2w, d)
        let names = self.names.forward(halves.clone());
        let up = channels_to_space(self.halves_to_cells.forward(halves), HALF, 1);
        let cells = through(&self.cells.after, seen.cells + up, &seen.of_cells); // (B, T, 4h, 4w, c)
        let kept = self.keep(seen.pixels, &cells) * (noise * GATE);
        let picture = self.pixels_out.forward(cells) + kept; // (B, T, 4h, 4w, 192)
        (code.encode(self.pixels_out.precision, picture), names)
    }

    /// What is kept of the `pixels` `[B, T, 4h, 4w, 192]` and copied from the frames before and after, by `cells`
    /// `[B, T, 4h, 4w, c]`, as a change of what is seen.
    fn keep(&self, pixels: Tensor<5>, cells: &Tensor<5>) -> Tensor<5> {
        let [b, t, h, w, _] = pixels.dims();
        let gates = self.gates.forward(cells.clone()); // (B, T, 4h, 4w, 3 * 192)
        let gate = |i: usize| gates.clone().narrow(4, i * PIXELS, PIXELS);
        let kept = pixels.clone() * gate(0);
        if t == 1 {
            return kept;
        }
        let motion = self.motion.forward(cells.clone()) * PACE; // (B, T, 4h, 4w, 2 * 8)
        let copied = |i: usize, frame: Tensor<5>, to: usize| {
            let there = |x: Tensor<5>| x.narrow(1, to, t - 1);
            let motion = there(motion.clone().narrow(4, i * MOVES, MOVES));
            let moved = warp(frame, motion, SIDE); // (B, T - 1, 4h, 4w, 192)
            (moved - there(pixels.clone())) * there(gate(1 + i))
        };
        let [before, after] = neighbours(&pixels);
        let beyond = Tensor::zeros([b, 1, h, w, PIXELS], &pixels.device());
        kept + Tensor::cat(vec![beyond.clone(), copied(0, before, 1)], 1)
            + Tensor::cat(vec![copied(1, after, 0), beyond], 1)
    }
}

/// Cells `[B, T, 4h, 4w, 192]` beside what they show in the frames before and after them, of which there is nothing beyond
/// the clip, `[B, T, 4h, 4w, 288]`.
fn in_time(pixels: &Tensor<5>) -> Tensor<5> {
    let [b, t, h, w, _] = pixels.dims();
    let beyond = |frames| Tensor::zeros([b, frames, h, w, FRAME], &pixels.device());
    if t == 1 {
        return Tensor::cat(vec![pixels.clone(), beyond(1), beyond(1)], 4);
    }
    let [before, after] = neighbours(pixels);
    let before = Tensor::cat(vec![beyond(1), before], 1);
    let after = Tensor::cat(vec![after, beyond(1)], 1);
    Tensor::cat(vec![pixels.clone(), before, after], 4)
}

/// Of cells `[B, T, 4h, 4w, 192]` what they show in the last frame of all latent frames but the last one, and in the first
/// frame of all but the first one, `[B, T - 1, 4h, 4w, 48]`.
fn neighbours(pixels: &Tensor<5>) -> [Tensor<5>; 2] {
    let rest = pixels.dims()[1] - 1;
    let frame = |index: usize| pixels.clone().narrow(4, index * FRAME, FRAME);
    [
        frame(TEMPORAL_COMPRESSION - 1).narrow(1, 0, rest),
        frame(0).narrow(1, 1, rest),
    ]
}

impl Level {
    fn new(width: usize, config: &DitConfig, init: &mut Init) -> Self {
        let blocks = |count: usize, init: &mut Init| {
            (0..count).map(|_| FineBlock::new(width, init)).collect()
        };
        Self {
            modulation: Linear::zeros(config.width, FineBlock::ROWS * width, init),
            before: blocks(config.cell_depth, init),
            after: blocks(config.cell_depth, init),
        }
    }
}

/// `x` after all `blocks`.
fn through(blocks: &[FineBlock], x: Tensor<5>, modulation: &Tensor<3>) -> Tensor<5> {
    blocks
        .iter()
        .fold(x, |x, block| block.forward(x, modulation.clone()))
}
