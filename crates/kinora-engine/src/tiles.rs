//! Frames divided into tiles, which are decoded one after the other.

use kinora_models::wan::Tile;
use std::ops::Range;

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
pub(crate) struct Span {
    pub read: Range<usize>,
    pub keep: Range<usize>,
}

impl Tiles {
    /// The frame as it is.
    pub const WHOLE: Self = Self::new(1, 1);
    /// All that are tried, those with the least work first.
    pub(crate) const TRIED: [Self; 8] = [
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
    /// sees.
    pub(crate) fn spans(self, [rows, columns]: [usize; 2], halo: usize) -> [Vec<Span>; 2] {
        [
            spans(rows, self.rows, halo),
            spans(columns, self.columns, halo),
        ]
    }

    /// What they take.
    pub(crate) fn tile(self, sides: [usize; 2], halo: usize) -> Option<Tile> {
        let spans = self.spans(sides, halo);
        let read = |spans: &[Span]| -> Vec<usize> { spans.iter().map(|s| s.read.len()).collect() };
        let [rows, columns] = spans.each_ref().map(|spans| read(spans));
        let most = |sides: &[usize]| sides.iter().copied().max().unwrap_or(0);
        (self != Self::WHOLE).then(|| Tile {
            sides: [most(&rows), most(&columns)],
            all: rows.iter().sum::<usize>() * columns.iter().sum::<usize>(),
        })
    }
}

fn spans(size: usize, count: usize, halo: usize) -> Vec<Span> {
    let cut = |index: usize| index * size / count;
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
        for (size, halo) in [(1, 12), (7, 2), (120, 12), (208, 12)] {
            for tiles in Tiles::TRIED {
                let [rows, _] = tiles.spans([size, size], halo);
                let kept: Vec<usize> = rows.iter().flat_map(|s| s.keep.clone()).collect();
                assert_eq!(kept, (0..size).collect::<Vec<_>>());
                for Span { read, keep } in rows {
                    assert!(read.start == 0 || read.start + halo == keep.start);
                    assert!(read.end == size || keep.end + halo == read.end);
                }
            }
        }
    }
}
