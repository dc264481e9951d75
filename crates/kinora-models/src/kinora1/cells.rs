//! The transformer's view of the picture behind the latents.
//!
//! A latent position stands for 16 x 16 pixels, so the same shape has another code wherever it lies in them, and a network
//! on latents has to learn it anew for each. On the picture itself a shape is the same to a convolution everywhere. The
//! code is linear, so the picture is a product away: cells of 4 x 4 pixels and 4 frames are read from it, a small U-Net
//! (arXiv:1505.04597) works on them and on halves of a position, 8 x 8 pixels, and what it paints is brought back to
//! latents by the same code.

use super::config::DitConfig;
use super::dit::{FineBlock, parts};
use super::vae::{channels_to_space, space_to_channels};
use super::{SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kinora_nn::{Init, Linear, Precision, linear_in};

/// Pixels of a side of a cell.
const SIDE: usize = 4;
/// Cells along a side of a latent position.
const CELLS: usize = SPATIAL_COMPRESSION / SIDE;
/// Cells along a side of a half.
const HALF: usize = 2;
/// Values of a cell: its pixels in the frames of a latent position.
const PIXELS: usize = TEMPORAL_COMPRESSION * SIDE * SIDE * 3;

/// How normalised latents show in the cells of their picture, and how cells count to latents; both `[C * 16, 192]`, the
/// cells of one channel in rows.
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
            decode: by_cells(decode.transpose() * std.clone()),
            encode: by_cells(encode / std),
        }
    }
}

/// Patches `[C, P]`, row by row, as cells `[C * 16, 192]`.
fn by_cells(patches: Tensor<2>) -> Tensor<2> {
    let [c, _] = patches.dims();
    patches
        .reshape([c, TEMPORAL_COMPRESSION, CELLS, SIDE, CELLS, SIDE, 3])
        .permute([0, 2, 4, 1, 3, 5, 6])
        .reshape([c * CELLS * CELLS, PIXELS])
}

/// The U-Net on cells and halves.
#[derive(Module, Debug)]
pub(super) struct CellNet {
    /// A cell's pixels to its channels, and back.
    pixels_in: Linear,
    pixels_out: Linear,
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
    #[module(skip)]
    precision: Precision,
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
            pixels_in: Linear::new(PIXELS, cell, init).without_bias(),
            pixels_out: Linear::zeros(PIXELS, cell, init).without_bias(),
            known: init.normal([cell], 0.02),
            cells: Level::new(cell, config, init),
            halves: Level::new(half, config, init),
            cells_to_halves: Linear::new(area * cell, half, init),
            halves_to_positions: Linear::zeros(area * half, fine, init),
            positions_to_halves: Linear::new(fine, area * half, init),
            halves_to_cells: Linear::new(half, area * cell, init),
            names: Linear::zeros(half, config.names.iter().sum(), init),
            precision: init.precision(),
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
        let channels = latent.dims()[4];
        let weight = self.pixels_in.forward(code.decode.clone()); // (16 C, c)
        let weight = weight.reshape([channels as i32, -1]).transpose(); // (16 c, C)
        let cells = linear_in(self.precision, latent, weight, None); // (B, T, h, w, 16 c)
        let mut cells = channels_to_space(cells, CELLS, 1); // (B, T, 4h, 4w, c)
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
            cells,
            halves,
            of_cells,
            of_halves,
            merged,
        }
    }

    /// The way up, from latent positions `x` `[B, T, h, w, F]` to what is painted, in latents `[B, T, h, w, C]`, and the
    /// names of who it shows, `[B, T, 2h, 2w, names]`.
    pub fn paint(&self, seen: Seen, x: Tensor<5>, code: &Cells) -> (Tensor<5>, Tensor<5>) {
        let up = channels_to_space(self.positions_to_halves.forward(x), HALF, 1);
        let halves = through(&self.halves.after, seen.halves + up, &seen.of_halves); // (B, T, 2h, 2w, d)
        let names = self.names.forward(halves.clone());
        let up = channels_to_space(self.halves_to_cells.forward(halves), HALF, 1);
        let cells = through(&self.cells.after, seen.cells + up, &seen.of_cells); // (B, T, 4h, 4w, c)
        let weight = self.pixels_out.forward(code.encode.clone()); // (16 C, c)
        let [rows, c] = weight.dims();
        let inputs = CELLS * CELLS * c;
        let weight = weight.reshape([rows * c / inputs, inputs]); // (C, 16 c)
        let cells = space_to_channels(cells, CELLS, 1); // (B, T, h, w, 16 c)
        (linear_in(self.precision, cells, weight, None), names)
    }
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
