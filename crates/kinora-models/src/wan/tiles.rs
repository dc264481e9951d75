//! Frames divided into tiles, which are decoded one after the other.

use burn::tensor::Tensor;
use kinora_nn::CONV_TILE;
use std::ops::Range;

/// How a decoder's frames can be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Positions of [`super::Vae::decode_whole`] for each side of a latent position.
    pub scale: usize,
    /// So many of them around a tile decide its frames.
    pub halo: usize,
}

/// How many tiles a frame is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// Down.
    pub rows: usize,
    /// Across.
    pub columns: usize,
}

/// A part of a side: what is decoded, and what of it is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What is decoded.
    pub read: Range<usize>,
    /// What of it is kept.
    pub keep: Range<usize>,
}

/// Positions before and behind a tile that only help to decode it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Above and below.
    pub rows: [usize; 2],
    /// To the left and to the right.
    pub columns: [usize; 2],
}

impl Span {
    /// Positions before and behind what is kept.
    pub fn around(&self) -> [usize; 2] {
        [
            self.keep.start - self.read.start,
            self.read.end - self.keep.end,
        ]
    }

    /// Positions of the side where it is `factor` times as long and no more than `most` positions are left around.
    pub(super) fn len(&self, factor: usize, most: usize) -> usize {
        let around = self.around().map(|count| (factor * count).min(most));
        around[0] + factor * self.keep.len() + around[1]
    }
}

impl Around {
    /// `x` `[B, T, H, W, C]` with no more than `most` positions around the tile.
    pub(super) fn crop(&mut self, x: Tensor<5>, most: usize) -> Tensor<5> {
        let cut = |x: Tensor<5>, dim: usize, around: &mut [usize; 2]| {
            let size = x.dims()[dim];
            let cut = around.map(|count| count.saturating_sub(most));
            *around = around.map(|count| count.min(most));
            match cut {
                [0, 0] => x,
                [before, behind] => x.narrow(dim, before, size - before - behind),
            }
        };
        let x = cut(x, 2, &mut self.rows);
        cut(x, 3, &mut self.columns)
    }

    /// Where sides are twice as long.
    pub(super) fn doubled(self) -> Self {
        Self {
            rows: self.rows.map(|count| 2 * count),
            columns: self.columns.map(|count| 2 * count),
        }
    }
}

impl Tiles {
    /// The frame as it is.
    pub const WHOLE: Self = Self::new(1, 1);
    /// All that are tried, those with the least work first.
    pub const TRIED: [Self; 8] = [
        Self::WHOLE,
        Self::new(1, 2),
        Self::new(2, 2),
        Self::new(2, 3),
        Self::new(3, 3),
        Self::new(3, 4),
        Self::new(4, 5),
        Self::new(6, 8),
    ];

    const fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns }
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.rows * self.columns
    }

    /// The parts down and across of a frame of `[rows, columns]` positions, each with `halo` positions around it that it
    /// sees. They begin where a convolution's tiles do, so that parts have the numbers of the whole.
    pub fn spans(self, [rows, columns]: [usize; 2], halo: usize) -> [Vec<Span>; 2] {
        [
            spans(rows, self.rows, halo),
            spans(columns, self.columns, halo),
        ]
    }
}

fn spans(size: usize, count: usize, halo: usize) -> Vec<Span> {
    let cut = |index: usize| match index == count {
        true => size,
        false => index * size / count / CONV_TILE * CONV_TILE,
    };
    let span = |index| Span {
        read: cut(index).saturating_sub(halo)..(cut(index + 1) + halo).min(size),
        keep: cut(index)..cut(index + 1),
    };
    (0..count)
        .map(span)
        .filter(|s| !s.keep.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_every_position_once_with_the_halo_around_it() {
        for (size, halo) in [(1, 12), (7, 4), (120, 12), (208, 12)] {
            for tiles in Tiles::TRIED {
                let [rows, _] = tiles.spans([size, size], halo);
                let kept: Vec<usize> = rows.iter().flat_map(|s| s.keep.clone()).collect();
                assert_eq!(kept, (0..size).collect::<Vec<_>>());
                for Span { read, keep } in rows {
                    assert_eq!(read.start % CONV_TILE, 0);
                    assert!(read.start == 0 || read.start + halo == keep.start);
                    assert!(read.end == size || keep.end + halo == read.end);
                }
            }
        }
    }
}
