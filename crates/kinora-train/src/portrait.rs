//! Portraits: an actor cut out of a clip's frames and brought to one size, and the network that names who it is, in
//! which colour, what it does and feels. Cut to one size, a near and a far actor are the same task, and nothing is spent
//! on the rest of the picture.

use crate::{
    attributes::Attribute,
    config::CELL,
    convnet::{Block, blocks, fold},
    heads::Heads,
    recogniser::{GRID, HEIGHT, WIDTH},
};
use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use kinora_nn::{Init, LayerNorm, Linear};

/// What a portrait tells.
pub(crate) const NAMED: [Attribute; 4] = [
    Attribute::Subject,
    Attribute::Colour,
    Attribute::Action,
    Attribute::Emotion,
];
/// Pixels of a side.
const SIDE: usize = 64;
/// Side of the patches that the first layer reads.
const PATCH: usize = 4;
/// Channels and blocks at each scale.
const SCALES: [(usize, usize); 2] = [(96, 2), (192, 3)];
/// Numbers that say where the cut-out lay: its centre across and down, and its side, in frame heights.
const PLACE: usize = 3;
/// Features of one frame.
const FEATURES: usize = 2 * SCALES[1].0 + PLACE;
/// A cut-out is wider than the cells that show the actor by this many pixels, and never narrower than twice that.
const MARGIN: f32 = 12.0;

/// ConvNeXt blocks at two scales, mean and maximum over the picture, then mean and spread over the frames.
#[derive(Module, Debug)]
pub(crate) struct Portrait {
    stem: Linear,
    fine: Vec<Block>,
    merge: Linear,
    coarse: Vec<Block>,
    norm: LayerNorm,
    heads: Heads,
}

impl Portrait {
    /// Fresh weights.
    pub fn new(init: &mut Init) -> Self {
        let [(fine, fine_depth), (coarse, coarse_depth)] = SCALES;
        Self {
            stem: Linear::new(PATCH * PATCH * 3, fine, init),
            fine: blocks(fine, fine_depth, init),
            merge: Linear::new(4 * fine, coarse, init),
            coarse: blocks(coarse, coarse_depth, init),
            norm: LayerNorm::new(coarse, init),
            heads: Heads::new(2 * FEATURES, init),
        }
    }

    /// Features `[B, 774]` of sitters of equally many frames.
    fn features(&self, sitters: &[Sitter], device: &Device) -> Tensor<2> {
        let (b, f) = (sitters.len(), sitters[0].places.len());
        let gather =
            |part: fn(&Sitter) -> Vec<f32>| sitters.iter().flat_map(part).collect::<Vec<_>>();
        let pictures = gather(|sitter| sitter.pictures.clone());
        let pictures = TensorData::new(pictures, [b * f, SIDE, SIDE, 3]);
        let places = TensorData::new(gather(|sitter| sitter.places.concat()), [b * f, PLACE]);

        let x = fold(Tensor::<4>::from_data(pictures, device), PATCH); // (BF, 16, 16, 48)
        let x = self.stem.forward(x); // (BF, 16, 16, 96)
        let x = self.fine.iter().fold(x, |x, block| block.forward(x));
        let x = self.merge.forward(fold(x, 2)); // (BF, 8, 8, 192)
        let x = self.coarse.iter().fold(x, |x, block| block.forward(x));
        let x = self.norm.forward(x).flatten::<3>(1, 2); // (BF, 64, 192)
        let (mean, most) = (x.clone().mean_dim(1), x.max_dim(1));
        let frames = Tensor::cat(
            vec![
                mean.squeeze_dim::<2>(1),
                most.squeeze_dim::<2>(1),
                Tensor::from_data(places, device),
            ],
            1,
        );
        let frames = frames.reshape([b, f, FEATURES]);
        let mean = frames.clone().mean_dim(1); // (B, 1, FEATURES)
        let spread = (frames - mean.clone()).square().mean_dim(1);
        let spread = (spread + 1e-4).sqrt();
        Tensor::cat(
            vec![mean.squeeze_dim::<2>(1), spread.squeeze_dim::<2>(1)],
            1,
        )
    }

    /// The loss of naming who sits.
    pub fn loss(&self, sitters: &[Sitter], classes: &[Vec<usize>], device: &Device) -> Tensor<1> {
        let features = self.features(sitters, device);
        let shares = vec![1.0; classes.len()];
        self.heads.loss(features, classes, &shares, &NAMED)
    }

    /// Scores `[1, classes]` of each of [`Attribute::ALL`]; only those of [`NAMED`] mean something.
    pub fn scores(&self, sitter: &Sitter) -> Vec<Tensor<2>> {
        let features = self.features(std::slice::from_ref(sitter), &Device::flex());
        self.heads.forward(features)
    }
}

/// An actor cut out of a clip's frames.
#[derive(Clone, Debug)]
pub(crate) struct Sitter {
    /// `[frames, 64, 64, 3]`.
    pictures: Vec<f32>,
    /// Where each lay.
    places: Vec<[f32; PLACE]>,
}

impl Sitter {
    /// Cuts the actor that is in the cells `shows` (of `[frames, 16, 24]`) out of `clip` `[frames, 128, 192, 3]`: the
    /// largest patch of cells in each frame; a frame without such cells takes the cut of the frame before or after.
    /// The cut is `zoom` times as wide and shifted by `shift` of its side. None if no cell shows the actor.
    pub fn new(
        clip: &[f32],
        shows: impl Fn(usize) -> bool,
        zoom: f32,
        shift: [f32; 2],
    ) -> Option<Self> {
        let cells = GRID[0] * GRID[1];
        let frames: Vec<&[f32]> = clip.chunks_exact(HEIGHT * WIDTH * 3).collect();
        let cuts: Vec<Option<Cut>> = (0..frames.len())
            .map(|frame| Cut::around(|cell| shows(frame * cells + cell)))
            .collect();
        let mut last = cuts.iter().flatten().next().copied()?;
        let cuts = cuts.into_iter().map(|cut| {
            last = cut.unwrap_or(last);
            let side = last.side * zoom;
            Cut {
                centre: [
                    last.centre[0] + shift[0] * side,
                    last.centre[1] + shift[1] * side,
                ],
                side,
            }
        });
        let (mut pictures, mut places) = (Vec::new(), Vec::new());
        for (cut, frame) in cuts.zip(frames) {
            pictures.extend(cut.picture(frame));
            places
                .push([cut.centre[0], cut.centre[1], cut.side].map(|value| value / HEIGHT as f32));
        }
        Some(Self { pictures, places })
    }
}

/// A square part of a frame, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cut {
    centre: [f32; 2],
    side: f32,
}

impl Cut {
    /// About the largest patch of touching cells that are `shown`.
    fn around(shown: impl Fn(usize) -> bool) -> Option<Self> {
        let [rows, columns] = GRID;
        let mut open: Vec<bool> = (0..rows * columns).map(shown).collect();
        let mut largest: Vec<usize> = Vec::new();
        for start in 0..open.len() {
            if !open[start] {
                continue;
            }
            open[start] = false;
            let mut patch = vec![start];
            let mut next = 0;
            while next < patch.len() {
                let (row, column) = (patch[next] / columns, patch[next] % columns);
                next += 1;
                for r in row.saturating_sub(1)..(row + 2).min(rows) {
                    for c in column.saturating_sub(1)..(column + 2).min(columns) {
                        if std::mem::take(&mut open[r * columns + c]) {
                            patch.push(r * columns + c);
                        }
                    }
                }
            }
            if patch.len() > largest.len() {
                largest = patch;
            }
        }
        let extent = |along: fn(usize, usize) -> usize| {
            let places = largest.iter().map(|&cell| along(cell, columns));
            let (low, high) = (places.clone().min()?, places.max()?);
            Some(((low * CELL) as f32, ((high + 1) * CELL) as f32))
        };
        let (left, right) = extent(|cell, columns| cell % columns)?;
        let (top, bottom) = extent(|cell, columns| cell / columns)?;
        Some(Self {
            centre: [(left + right) / 2.0, (top + bottom) / 2.0],
            side: (right - left).max(bottom - top) + MARGIN,
        })
    }

    /// This part of a frame `[128, 192, 3]` at 64 x 64, `[64, 64, 3]`; beyond the frame its border goes on.
    fn picture(&self, frame: &[f32]) -> Vec<f32> {
        let step = self.side / SIDE as f32;
        let samples = (step.ceil() as usize).clamp(1, 4);
        let place = |i: usize, sample: usize, centre: f32, most: usize| {
            let within = (sample as f32 + 0.5) / samples as f32;
            let at = centre + (i as f32 + within) * step - self.side / 2.0;
            (at.max(0.0) as usize).min(most - 1)
        };
        let mut out = Vec::with_capacity(SIDE * SIDE * 3);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let mut sum = [0.0; 3];
                for v in 0..samples {
                    let row = place(y, v, self.centre[1], HEIGHT) * WIDTH;
                    for u in 0..samples {
                        let pixel = (row + place(x, u, self.centre[0], WIDTH)) * 3;
                        sum.iter_mut()
                            .zip(&frame[pixel..pixel + 3])
                            .for_each(|(sum, value)| *sum += value);
                    }
                }
                out.extend(sum.map(|sum| sum / (samples * samples) as f32));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_surrounds_the_largest_patch_of_cells() {
        let columns = GRID[1];
        // A single cell at the top left; three by two cells from row 4, column 10.
        let shown = |cell: usize| {
            let (row, column) = (cell / columns, cell % columns);
            cell == 0 || ((4..7).contains(&row) && (10..12).contains(&column))
        };
        let cut = Cut::around(shown).unwrap();
        assert_eq!(cut.centre, [88.0, 44.0]);
        assert_eq!(cut.side, 24.0 + MARGIN);
        assert_eq!(Cut::around(|_| false), None);
    }

    #[test]
    fn a_portrait_shows_the_cut_and_stands_in_for_a_missing_frame() {
        // Two frames whose pixels tell their column; the actor shows in the first only.
        let frame = (0..HEIGHT * WIDTH).flat_map(|i| [(i % WIDTH) as f32; 3]);
        let clip: Vec<f32> = frame.clone().chain(frame).collect();
        let cell = 8 * GRID[1] + 12;
        let sitter = Sitter::new(&clip, |c| c == cell, 1.0, [0.0; 2]).unwrap();
        assert_eq!(sitter.places[0], sitter.places[1]);
        let (left, right) = (sitter.pictures[0], sitter.pictures[(SIDE - 1) * 3]);
        assert_eq!((left, right), (100.0 - 10.0, 100.0 + 9.0));
        assert!(Sitter::new(&clip, |_| false, 1.0, [0.0; 2]).is_none());
    }
}
