//! What the networks of a checkpoint take besides their weights: activations at their peak, and operations.
//!
//! Tensors are counted as the passes hold them; what is small beside them is left out.

use super::config::{TextConfig, TransformerConfig, VaeConfig};
use super::tiles::{Tiles, Tiling};

/// Bytes of a number.
const F32: u64 = 4;

/// Numbers that a convolution makes of each 3 x 3 places of its kernel.
const FILTER: u64 = 36;

/// What a pass takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Footprint {
    /// Bytes of what is there at the peak besides weights.
    pub bytes: u64,
    /// Floating-point operations, two for a multiplication with its sum.
    pub operations: f64,
}

impl TransformerConfig {
    /// A pass over latents of `batch` items, `[t, h, w]` each, beside `text` rows.
    pub fn footprint(&self, batch: usize, [t, h, w]: [usize; 3], text: usize) -> Footprint {
        let [pt, ph, pw] = self.patch_size;
        let each = (t / pt * (h / ph) * (w / pw)) as u64;
        let tokens = batch as u64 * each;
        let (width, ffn, layers) = (
            self.width() as u64,
            self.ffn_dim as u64,
            self.num_layers as u64,
        );
        // Of a block: input, queries, keys, values and what is made of them; or input and a perceptron's two rows.
        let row = (5 * width).max(width + 2 * ffn);
        let text_row = 3 * width + self.text_dim as u64; // features, keys and values
        let numbers = tokens * row + (batch * text) as u64 * text_row;
        let products = tokens * width * (6 * width + 2 * ffn) // q, k, v, out, and q, out of the text
            + (batch * text) as u64 * 2 * width * width
            + 2 * tokens * width * (each + text as u64); // scores, and sums of values
        Footprint {
            bytes: numbers * F32,
            operations: 2.0 * layers as f64 * products as f64,
        }
    }

    /// Numbers of the largest matrix, and its columns.
    pub fn largest(&self) -> (u64, u64) {
        let (width, ffn) = (self.width() as u64, self.ffn_dim as u64);
        (width * ffn.max(width), ffn.max(width))
    }
}

impl TextConfig {
    /// Reading a prompt of `tokens` tokens.
    pub fn footprint(&self, tokens: usize) -> Footprint {
        let (width, inner) = (self.d_model as u64, (self.d_kv * self.num_heads) as u64);
        let (ffn, tokens) = (self.d_ff as u64, tokens as u64);
        let row = (width + 4 * inner).max(2 * width + 3 * ffn);
        let scores = 2 * self.num_heads as u64 * tokens * tokens; // distances are told to every head
        let products = tokens * (4 * width * inner + 3 * width * ffn + 2 * tokens * inner);
        Footprint {
            bytes: (tokens * row + scores) * F32,
            operations: 2.0 * self.num_layers as f64 * products as f64,
        }
    }

    /// Numbers of the largest matrix, and its columns.
    pub fn largest(&self) -> (u64, u64) {
        let (width, ffn) = (self.d_model as u64, self.d_ff as u64);
        (width * ffn.max(width), ffn.max(width))
    }
}

/// A level of the decoder, or of the encoder.
struct Level {
    /// Channels that come in, are worked on and go out.
    channels: [u64; 3],
    blocks: u64,
    positions: u64,
    /// Frames for a latent frame, before it doubles them if it does.
    frames: u64,
    time: bool,
    resampled: bool,
    /// Whether it has a way around it.
    around: bool,
}

impl Level {
    /// What its causal convolutions remember: two frames each.
    fn remembered(&self) -> u64 {
        let [inputs, width, _] = self.channels;
        let time = if self.time { width } else { 0 };
        2 * self.positions * (inputs + (2 * self.blocks - 1) * width + time)
    }

    /// The same of a level of an encoder, which remembers one frame where it halves time.
    fn remembered_down(&self) -> u64 {
        let [inputs, width, _] = self.channels;
        let time = if self.time { width / 4 } else { 0 };
        self.positions * (2 * (inputs + (2 * self.blocks - 1) * width) + time)
    }

    /// The most that a level of an encoder takes besides, `frames` frames at once: a residual block, and what goes around.
    fn peak_down(&self, frames: u64) -> u64 {
        let [_, width, _] = self.channels;
        let around = if self.around { frames * width / 4 } else { 0 };
        self.positions * (self.residual(frames) + around) + 3 * FILTER * width * width
    }

    /// What a residual block holds of a position, `frames` frames at once.
    fn residual(&self, frames: u64) -> u64 {
        let [inputs, width, _] = self.channels;
        // What goes around, what goes into a convolution and what comes out of it. The frames before are remembered.
        frames * (2 * inputs.max(width) + width)
    }

    /// Multiplications of a level of an encoder for a latent frame.
    fn products_down(&self) -> f64 {
        let [inputs, width, outputs] = self.channels;
        let first = 27 * inputs * width + if inputs == width { 0 } else { inputs * width };
        let blocks = first + (2 * self.blocks - 1) * 27 * width * width;
        let sides = if self.resampled {
            9 * width * outputs / 4
        } else {
            0
        };
        let time = if self.time {
            3 * outputs * outputs / 8
        } else {
            0
        };
        (self.positions * self.frames) as f64 * (blocks + sides + time) as f64
    }

    /// The most that is there besides in a level of a decoder, `frames` frames at once.
    fn peak(&self, frames: u64) -> u64 {
        let [inputs, width, outputs] = self.channels;
        let residual = self.residual(frames);
        let after = if self.time { 2 * frames } else { frames };
        // Frame by frame, copies double the sides before a convolution; the results are put together.
        let resample = match self.resampled {
            true => {
                let copies = 6 * width + 4 * (after - 1) * outputs;
                let results = 4 * after * outputs * if after > 1 { 2 } else { 1 };
                after * width + copies.max(4 * width + 4 * after * outputs).max(results)
            }
            false => after * width,
        };
        let sides = if self.resampled { 4 } else { 1 };
        let around = match self.around {
            true => frames * inputs + 2 * after * sides * width,
            false => 0,
        };
        let filter = 3 * FILTER * width * width;
        self.positions * (residual.max(resample) + around) + filter
    }

    /// Multiplications for a latent frame.
    fn products(&self) -> f64 {
        let [inputs, width, outputs] = self.channels;
        let first = 27 * inputs * width + if inputs == width { 0 } else { inputs * width };
        let blocks = first + (2 * self.blocks - 1) * 27 * width * width;
        let time = if self.time { 6 * width * width } else { 0 };
        let after = if self.time { 2 } else { 1 };
        let sides = if self.resampled {
            4 * 9 * width * outputs
        } else {
            0
        };
        (self.positions * self.frames) as f64 * (blocks + time + after * sides) as f64
    }
}

impl VaeConfig {
    /// Decoding `t` latent frames of `[h, w]` positions: all of a frame at once, or all frames of one tile after the other.
    pub fn decoding(&self, t: usize, [h, w]: [usize; 2], tiles: Tiles) -> Footprint {
        let Tiling { scale, halo } = self.tiling();
        let spans = tiles.spans([scale * h, scale * w], halo);
        let (t, whole) = (t as u64, (h * w) as u64);
        let mut levels = self.levels(whole);
        let (front, back) = levels.split_at_mut(1);
        let front = &front[0];
        let [_, first, features] = front.channels;
        let front_memory = 2 * whole * (self.z_dim as u64 + 4 * first) + front.remembered();
        let front_bytes = front_memory + front.peak(1);
        let middle = whole * (4 * 27 * first * first + 4 * first * first + 2 * whole * first);
        // The largest tile of each level, and the work at all of them.
        let mut products = middle as f64 + front.products();
        let mut factor = 1;
        for (level, reach) in back.iter_mut().zip(self.reach()) {
            let around = reach + self.reach_of_blocks() / 2; // in the middle of its blocks
            let sides = spans.each_ref().map(|spans| {
                let sides = spans.iter().map(|span| span.len(factor, around) as u64);
                (sides.clone().max().unwrap_or(0), sides.sum::<u64>())
            });
            let [(high, all_high), (wide, all_wide)] = sides;
            level.positions = all_high * all_wide;
            products += level.products();
            level.positions = high * wide;
            factor *= if level.resampled { 2 } else { 1 };
        }
        let [high, wide] = spans.each_ref().map(|spans| {
            let sides = spans.iter().map(|span| span.len(factor, 0) as u64);
            (sides.clone().max().unwrap_or(0), sides.sum::<u64>())
        });
        let end_width = back.last().map_or(first, |level| level.channels[1]);
        let outputs = self.out_channels as u64;
        products += 27.0 * 4.0 * (high.1 * wide.1 * end_width * outputs) as f64;
        let end = high.0 * wide.0 * end_width;
        let back_memory = back.iter().map(Level::remembered).sum::<u64>() + 2 * end;
        let time = back
            .iter()
            .rposition(|level| level.time)
            .map_or(0, |last| last + 1);
        // What comes from the levels that double time waits for those that work at single frames.
        let waiting = back[..time].last().map_or(0, |level| {
            let [_, _, outputs] = level.channels;
            4 * level.positions * outputs * 2 * level.frames
        });
        let peak = |(index, level): (usize, &Level)| match index < time {
            true => level.peak(level.frames),
            false => level.peak(1) + waiting,
        };
        let back_bytes = back_memory + back.iter().enumerate().map(peak).max().unwrap_or(0);
        let numbers = match tiles {
            Tiles::WHOLE => front_memory + front.peak(1).max(back_bytes),
            _ => {
                let positions = whole * (scale * scale) as u64;
                let frames = 1 + (t - 1) * if front.time { 2 } else { 1 };
                frames * positions * features + front_bytes.max(back_bytes)
            }
        };
        Footprint {
            bytes: numbers * F32,
            operations: 2.0 * t as f64 * products,
        }
    }

    /// Encoding `t` latent frames of `[h, w]` positions, one after the other.
    pub fn encoding(&self, t: usize, [h, w]: [usize; 2]) -> Footprint {
        let (t, whole) = (t as u64, (h * w) as u64);
        let levels = self.down_levels(whole);
        let time = levels.iter().position(|level| level.time);
        let time = time.unwrap_or(levels.len());
        let start = levels.first().map_or(0, |level| level.positions);
        let first = start * self.in_channels as u64;
        let memory = 2 * first + levels.iter().map(Level::remembered_down).sum::<u64>();
        // What comes of single frames waits for the others of its latent frame.
        let waiting = levels[..time].last().map_or(0, |level| {
            let sides = if level.resampled { 4 } else { 1 };
            level.frames * level.positions / sides * level.channels[2]
        });
        let peak = |(index, level): (usize, &Level)| match index < time {
            true => level.peak_down(1) + waiting,
            false => level.peak_down(level.frames),
        };
        let down = memory + levels.iter().enumerate().map(peak).max().unwrap_or(0);
        let width = levels.last().map_or(0, |level| level.channels[2]);
        // Two residual blocks and the end remember two frames for each convolution; attention has rows for queries, keys,
        // values and what is made of them.
        let middle = whole * width * (2 * 5 + 10);
        let attention = whole * (4 * 27 * width * width + 4 * width * width + 2 * whole * width);
        let products = levels.iter().map(Level::products_down).sum::<f64>()
            + (4 * 27 * first * levels.first().map_or(0, |level| level.channels[0])) as f64;
        Footprint {
            bytes: down.max(middle) * F32,
            operations: 2.0 * t as f64 * (products + attention as f64),
        }
    }

    /// The levels of the encoder, `frames` being those that come in for a latent frame.
    fn down_levels(&self, whole: u64) -> Vec<Level> {
        let last = self.dim_mult.len() - 1;
        let (mut inputs, mut positions) = (self.base_dim as u64, whole << (2 * last));
        let mut frames = 4;
        let level = |(index, &mult): (usize, &usize)| {
            let (width, resampled) = ((mult * self.base_dim) as u64, index < last);
            let time = resampled && self.temperal_downsample[index];
            let level = Level {
                channels: [inputs, width, width],
                blocks: self.num_res_blocks as u64,
                positions,
                frames,
                time,
                resampled,
                around: self.is_residual,
            };
            inputs = width;
            positions /= if resampled { 4 } else { 1 };
            frames /= if time { 2 } else { 1 };
            level
        };
        self.dim_mult.iter().enumerate().map(level).collect()
    }

    fn levels(&self, whole: u64) -> Vec<Level> {
        let base = self.decoder_base_dim.unwrap_or(self.base_dim) as u64;
        let widths = self.dim_mult.iter().rev().map(|&mult| mult as u64 * base);
        let last = self.dim_mult.len() - 1;
        let (mut inputs, mut positions, mut frames) = (None, whole, 1);
        let level = |(index, width): (usize, u64)| {
            let resampled = index < last;
            let time = resampled && self.temperal_downsample[last - 1 - index];
            let outputs = if resampled && !self.is_residual {
                width / 2
            } else {
                width
            };
            let level = Level {
                channels: [inputs.unwrap_or(width), width, outputs],
                blocks: self.num_res_blocks as u64 + 1,
                positions,
                frames,
                time,
                resampled,
                around: self.is_residual,
            };
            inputs = Some(outputs);
            positions *= if resampled { 4 } else { 1 };
            frames *= if time { 2 } else { 1 };
            level
        };
        widths.enumerate().map(level).collect()
    }
}
