//! Fragments in batches, one array a quantity, so that the compiler turns loops over them into vector code.
//!
//! Such loops run over the whole batch, have no branches and call nothing that is not inlined.

use glam::Vec3;

/// Fragments in a batch.
pub(crate) const BATCH: usize = 128;

/// One number for each fragment.
pub(crate) type Row = [f32; BATCH];

/// One vector for each fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row3(pub [Row; 3]);

impl Row3 {
    pub const ZERO: Row3 = Row3([[0.0; BATCH]; 3]);

    #[inline(always)]
    pub fn get(&self, i: usize) -> Vec3 {
        Vec3::new(self.0[0][i], self.0[1][i], self.0[2][i])
    }

    #[inline(always)]
    pub fn set(&mut self, i: usize, v: Vec3) {
        self.0[0][i] = v.x;
        self.0[1][i] = v.y;
        self.0[2][i] = v.z;
    }
}

/// Which pixel each fragment belongs to and its share of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    len: usize,
    pixels: [u32; BATCH],
    weights: Row,
}

impl Targets {
    pub const EMPTY: Targets = Targets {
        len: 0,
        pixels: [0; BATCH],
        weights: [0.0; BATCH],
    };

    /// Takes in a fragment and returns its place; there must be room.
    pub fn push(&mut self, target: Target) -> usize {
        let i = self.len;
        self.pixels[i] = target.pixel;
        self.weights[i] = target.weight;
        self.len += 1;
        i
    }

    pub fn is_full(&self) -> bool {
        self.len == BATCH
    }

    pub fn get(&self, i: usize) -> Target {
        Target {
            pixel: self.pixels[i],
            weight: self.weights[i],
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds the fragments' colours to their pixels and empties the batch.
    pub fn settle(&mut self, colours: &Row3, picture: &mut [Vec3]) {
        for i in 0..self.len {
            picture[self.pixels[i] as usize] += colours.get(i) * self.weights[i];
        }
        self.len = 0;
    }
}

/// Where a fragment's light goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Index of the pixel.
    pub pixel: u32,
    /// Share of the pixel, 0 to 1.
    pub weight: f32,
}

impl Target {
    /// A part of this target.
    pub fn share(self, share: f32) -> Self {
        Target {
            weight: self.weight * share,
            ..self
        }
    }
}

/// exp(-x) for x >= 0, to about 1e-4, without a call.
#[inline(always)]
pub(crate) fn fade(x: f32) -> f32 {
    let y = (x * -std::f32::consts::LOG2_E).max(-100.0);
    let whole = (y - 1.0) as i32;
    let f = y - whole as f32;
    // 2^f on [0, 1] by its Taylor series.
    let series = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5 + f * (0.055_504_1 + f * (0.009_618_1 + f * 0.001_333_4))));
    series * f32::from_bits(((whole + 127) << 23) as u32)
}

/// cos(x) to about 1e-4, without a call.
#[inline(always)]
pub(crate) fn cosine(x: f32) -> f32 {
    let turns = x * (0.5 / std::f32::consts::PI) + 0.5;
    let f = crate::texture::split(turns).1 - 0.5;
    let g = f * f;
    // The series of cos(2 pi f) on |f| <= 1/2.
    1.0 + g
        * (-19.739_21
            + g * (64.939_39 + g * (-85.456_82 + g * (60.244_64 + g * (-26.426_26 + g * 7.903_5)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_series_follow_the_functions() {
        for k in 0..2000 {
            let x = k as f32 * 0.01;
            assert!((fade(x) - (-x).exp()).abs() < 2e-4, "exp(-{x})");
            assert!(
                (cosine(x - 10.0) - (x - 10.0).cos()).abs() < 2e-4,
                "cos({x} - 10)"
            );
        }
        assert!(fade(1e9) >= 0.0 && fade(1e9) < 1e-20);
    }
}
