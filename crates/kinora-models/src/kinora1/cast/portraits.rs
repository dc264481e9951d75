//! Imagines an actor from where the camera sees it, and the set behind it.

use super::super::dit::split;
use super::super::vae::channels_to_space;
use super::{CastConfig, Mark, Role, one_hot};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{DepthwiseConv3d, Init, Linear, gated_residual, gelu, modulate, silu};
use std::f32::consts::TAU;

/// Pixels of a portrait's side.
pub const PORTRAIT: usize = 64;
/// Width of what is told of a portrait.
const TOLD: usize = 192;
/// The first grid: its side and channels.
const SEED: [usize; 2] = [4, 52];
/// Channels of the grids of 8, 16 and 32 positions a side.
const WIDTHS: [usize; 3] = [96, 64, 48];
/// Blocks on each.
const DEPTH: usize = 2;
/// Values of a pixel: how surely it shows the actor, and its colour.
const PIXEL: usize = 4;
/// Periods in seconds of what may go on: gaits, wings, flames, turns.
const PERIODS: [f32; 14] = [
    0.3, 0.5, 0.6, 0.7, 0.8, 0.95, 1.0, 1.1, 1.2, 1.5, 1.6, 2.0, 2.4, 2.5,
];
/// Numbers that tell a view: of where it is from 7, of the time 2, of the frame 2.
const VIEW: usize = 11 + 2 * PERIODS.len();
/// Seconds into a clip after which nothing is seen for the first time: as far as training's clips go.
const LONGEST: f32 = 2.0;
const EPS: f32 = 1e-6;

/// One actor at one moment, or the set behind all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// Classes of subject, colour, action and emotion; none of the set, whose window is the whole frame.
    pub role: Option<Role>,
    /// Classes of setting, light, weather and look.
    pub scenery: [usize; 4],
    /// Where it faces, in radians: 0 looks at the camera, a quarter turn to the right of the picture.
    pub yaw: f32,
    /// From how far above it is seen, in radians; of the set, how far down the camera looks.
    pub above: f32,
    /// Side of its window in frame heights: what is far is pale in fog and coarse in grain. Of the set, that of the first actor.
    pub side: f32,
    /// Seconds since the clip began.
    pub time: f32,
    /// Where in its movements it began, 0 to 1.
    pub phase: f32,
    /// Width over height of the frame.
    pub aspect: f32,
}

impl Sight {
    /// The set of a clip halfway, seen as it is when its first actor stands at `first`.
    pub fn of_set(first: &Mark, scenery: [usize; 4], aspect: f32) -> Self {
        Self {
            role: None,
            scenery,
            yaw: 0.0,
            above: first.pitch(aspect),
            side: first.side,
            time: 1.0,
            phase: 0.0,
            aspect,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f32> {
        let (yaw, above) = (self.yaw.sin_cos(), self.above.sin_cos());
        let twice = (2.0 * self.yaw).sin_cos();
        let place = [
            yaw.0,
            yaw.1,
            twice.0,
            twice.1,
            above.0,
            above.1,
            self.side.max(1e-3).ln(),
        ];
        let time = self.time.min(LONGEST);
        let since = [time / 2.0, (-time / 0.7).exp()];
        let clocks = PERIODS.map(|period| {
            let (sin, cos) = ((self.time / period + self.phase) * TAU).sin_cos();
            [sin, cos]
        });
        let frame = [f32::from(u8::from(self.role.is_none())), self.aspect.ln()];
        let view = place.into_iter().chain(since);
        view.chain(clocks.into_iter().flatten()).chain(frame)
    }
}

/// A decoder from facts to pictures.
#[derive(Module, Debug)]
pub struct Portraits {
    told: Linear,
    told_out: Linear,
    seed: Linear,
    levels: Vec<Level>,
    pixels: Linear,
    #[module(skip)]
    sizes: Vec<usize>,
}

#[derive(Module, Debug)]
struct Level {
    /// Each position to the four that it becomes.
    spread: Linear,
    modulation: Linear,
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    /// Added to the shared modulation: shift, scale and gate, `[3, C]`.
    table: Param<Tensor<2>>,
    conv: DepthwiseConv3d,
    up: Linear,
    down: Linear,
}

impl Portraits {
    /// Fresh weights.
    pub fn new(config: &CastConfig, init: &mut Init) -> Self {
        let sizes: Vec<usize> = (config.role.into_iter()).chain(config.scenery).collect();
        let [side, first] = SEED;
        let mut before = first;
        let levels = WIDTHS.map(|width| {
            let level = Level {
                spread: Linear::new(before, 4 * width, init),
                modulation: Linear::new(TOLD, 3 * width, init),
                blocks: (0..DEPTH).map(|_| Block::new(width, init)).collect(),
            };
            before = width;
            level
        });
        Self {
            told: Linear::new(sizes.iter().sum::<usize>() + VIEW, TOLD, init),
            told_out: Linear::new(TOLD, TOLD, init),
            seed: Linear::new(TOLD, side * side * first, init),
            levels: levels.into(),
            pixels: Linear::new(before, 4 * PIXEL, init),
            sizes,
        }
    }

    /// Pictures `[B, 64, 64, 4]` of actors in their windows: how surely each pixel shows the actor, as the logit of a share, and
    /// the colour that it then has, about -1 to 1.
    pub fn forward(&self, sights: &[Sight], device: &Device) -> Tensor<4> {
        let [side, first] = SEED;
        let b = sights.len();
        let mut told = Vec::new();
        for sight in sights {
            let nobody = [usize::MAX; 4];
            let classes = [sight.role.unwrap_or(nobody), sight.scenery].concat();
            one_hot(&mut told, &classes, &self.sizes);
            told.extend(sight.numbers());
        }
        let width = told.len() / b.max(1);
        let told = Tensor::<2>::from_data(TensorData::new(told, [b, width]), device);
        let told = silu(self.told_out.forward(silu(self.told.forward(told)))); // (B, 192)
        let mut x = (self.seed.forward(told.clone())).reshape([b, 1, side, side, first]);
        for level in &self.levels {
            x = channels_to_space(level.spread.forward(x), 2, 1);
            let modulation = level.modulation.forward(told.clone()); // (B, 3 C)
            let modulation = modulation.reshape([b as i32, 3, -1]);
            x = (level.blocks.iter()).fold(x, |x, block| block.forward(x, modulation.clone()));
        } // (B, 1, 32, 32, 48)
        let pixels = channels_to_space(self.pixels.forward(gelu(x)), 2, 1); // (B, 1, 64, 64, 4)
        pixels.squeeze_dim(1)
    }
}

impl Block {
    fn new(width: usize, init: &mut Init) -> Self {
        Self {
            table: init.normal([3, width], 0.02),
            conv: DepthwiseConv3d::new(width, [1, 3, 3], init),
            up: Linear::new(width, 2 * width, init),
            down: Linear::new(2 * width, width, init),
        }
    }

    /// `x` `[B, 1, h, w, C]` under `modulation` `[B, 3, C]`.
    fn forward(&self, x: Tensor<5>, modulation: Tensor<3>) -> Tensor<5> {
        let [b, t, h, w, c] = x.dims();
        let flat = |x: Tensor<5>| x.reshape([b, h * w, c]);
        let [shift, scale, gate] = split(modulation + self.table.val().unsqueeze::<3>());
        let y = modulate(flat(self.conv.forward(x.clone())), shift, scale, EPS); // (B, h w, C)
        let y = self.down.forward(gelu(self.up.forward(y)));
        gated_residual(flat(x), y, gate + 1.0).reshape([b, t, h, w, c])
    }
}
