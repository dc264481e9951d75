//! Where everybody stands, faces and goes, and how the camera moves: drawn from what is told of a clip.

use super::{CastConfig, Facts, MOST, one_hot};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{Init, LayerNorm, Linear, noise, silu};

use super::super::camera::MOTION;

/// Numbers of an actor's mark.
const OF_MARK: usize = 11;
/// Numbers of a layout.
pub const LAYOUT: usize = MOTION + 1 + MOST * OF_MARK;
const WIDTH: usize = 96;
const DEPTH: usize = 2;
/// Numbers of the noise level.
const TIME: usize = 16;
/// Euler steps from noise to a layout: a few numbers, so it needs no sampler to choose from.
const STEPS: usize = 32;
/// Tangent of half the vertical field of view, of a square frame.
const LENS: f32 = 0.43;
/// The stream of random numbers of the layout, beside those of noise.
const STREAM: u64 = 1 << 40;

/// One actor in a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mark {
    /// Middle of its window halfway through the clip, in frame heights right of and below the frame's middle.
    pub place: [f32; 2],
    /// Side of its window then, in frame heights.
    pub side: f32,
    /// Where it faces then, in radians; see [`super::Sight::yaw`].
    pub yaw: f32,
    /// From how far above it is seen, in radians.
    pub above: f32,
    /// Distance in metres.
    pub depth: f32,
    /// How far it goes over the clip beyond where the camera's motion takes its place, in frame heights.
    pub way: [f32; 2],
    /// Natural logarithm of how many times larger it grows over the clip.
    pub growth: f32,
    /// How far it turns over the clip, as seen, in radians.
    pub turn: f32,
}

/// How a clip is staged.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The motion of what stands still over the clip; see [`super::super::CameraReader::forward`].
    pub camera: [f32; MOTION],
    /// How far the picture is turned clockwise, in radians.
    pub roll: f32,
    /// The actors, in cast order.
    pub marks: Vec<Mark>,
}

impl Layout {
    /// As a vector for the flow, and which of its numbers mean something.
    pub fn to_vector(&self) -> ([f32; LAYOUT], [f32; LAYOUT]) {
        let (mut values, mut there) = ([0.0; LAYOUT], [0.0; LAYOUT]);
        values[..MOTION].copy_from_slice(&self.camera);
        values[MOTION] = self.roll;
        let mut used = MOTION + 1;
        for mark in self.marks.iter().take(MOST) {
            values[used..used + OF_MARK].copy_from_slice(&mark.to_array());
            used += OF_MARK;
        }
        there[..used].fill(1.0);
        (values, there)
    }

    /// The layout of so many actors that a vector of [`LAYOUT`] numbers says.
    pub fn of_vector(values: &[f32], actors: usize) -> Self {
        let (camera, rest) = values.split_at(MOTION);
        let marks = rest[1..].chunks_exact(OF_MARK).take(actors);
        Self {
            camera: std::array::from_fn(|index| camera[index]),
            roll: rest[0],
            marks: marks.map(Mark::of_slice).collect(),
        }
    }
}

impl Mark {
    /// How far down the camera looks that has the actor here, in radians, if its lens is the usual one of so wide a frame.
    pub fn pitch(&self, aspect: f32) -> f32 {
        let lens = LENS / aspect.powf(0.35); // narrow pictures take a longer view
        self.above - (2.0 * self.place[1] * lens).atan()
    }

    fn to_array(self) -> [f32; OF_MARK] {
        let (sin, cos) = self.yaw.sin_cos();
        [
            self.place[0],
            self.place[1],
            self.side.max(1e-3).ln(),
            sin,
            cos,
            self.above,
            self.depth.max(1e-2).ln(),
            self.way[0],
            self.way[1],
            self.growth,
            self.turn,
        ]
    }

    fn of_slice(values: &[f32]) -> Self {
        Self {
            place: [values[0], values[1]],
            side: values[2].clamp(-4.0, 3.0).exp(),
            yaw: values[3].atan2(values[4]),
            above: values[5],
            depth: values[6].clamp(-4.0, 8.0).exp(),
            way: [values[7], values[8]],
            growth: values[9],
            turn: values[10],
        }
    }
}

/// A flow over layouts.
#[derive(Module, Debug)]
pub struct Blocking {
    /// What layouts are on average, and how they vary, `[2, LAYOUT]`; measured, not trained.
    statistics: Param<Tensor<2>>,
    layout: Linear,
    level: Linear,
    facts: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    velocity: Linear,
    #[module(skip)]
    config: CastConfig,
}

#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Blocking {
    /// Fresh weights.
    pub fn new(config: &CastConfig, init: &mut Init) -> Self {
        let facts = config.of_scene() + MOST * config.of_role() + 1;
        let block = |init: &mut Init| Block {
            norm: LayerNorm::new(WIDTH, init),
            up: Linear::new(WIDTH, 2 * WIDTH, init),
            down: Linear::new(2 * WIDTH, WIDTH, init),
        };
        Self {
            statistics: init.normal([2, LAYOUT], 1.0).no_grad(),
            layout: Linear::new(LAYOUT, WIDTH, init),
            level: Linear::new(TIME, WIDTH, init),
            facts: Linear::new(facts, WIDTH, init),
            blocks: (0..DEPTH).map(|_| block(init)).collect(),
            norm: LayerNorm::new(WIDTH, init),
            velocity: Linear::zeros(WIDTH, LAYOUT, init),
            config: *config,
        }
    }

    /// With the mean and the deviation of layouts, `[2, LAYOUT]`.
    pub fn with_statistics(self, statistics: Tensor<2>) -> Self {
        Self {
            statistics: Param::from_tensor(statistics).no_grad(),
            ..self
        }
    }

    /// Mean and deviation, `[1, LAYOUT]` each.
    fn statistics(&self) -> [Tensor<2>; 2] {
        let all = self.statistics.val().detach();
        [0, 1].map(|row| all.clone().narrow(0, row, 1))
    }

    /// Layouts `[B, LAYOUT]` in units of their deviation.
    pub fn normalised(&self, layouts: Tensor<2>) -> Tensor<2> {
        let [mean, deviation] = self.statistics();
        (layouts - mean) / deviation
    }

    /// Velocity `[B, LAYOUT]` at noised layouts `[B, LAYOUT]` and noise levels `sigma` of clips so told and so wide (width over
    /// height).
    pub fn forward(&self, noisy: Tensor<2>, sigma: &[f32], facts: &[(Facts, f32)]) -> Tensor<2> {
        let device = noisy.device();
        let rows = facts.len();
        let told: Vec<f32> = facts.iter().flat_map(|facts| self.told(facts)).collect();
        let told = TensorData::new(told, [rows, self.facts.weight.dims()[1]]);
        let level = sigma.iter().flat_map(|sigma| {
            let octaves = (0..TIME / 2).map(move |octave| sigma * (1 << octave) as f32);
            octaves.flat_map(|angle| [angle.sin(), angle.cos()])
        });
        let level = TensorData::new(level.collect::<Vec<f32>>(), [rows, TIME]);
        let condition = self.facts.forward(Tensor::<2>::from_data(told, &device))
            + self.level.forward(Tensor::<2>::from_data(level, &device)); // (B, 96)
        let mut x = self.layout.forward(noisy) + condition.clone();
        for Block { norm, up, down } in &self.blocks {
            let y = up.forward(norm.forward(x.clone()) + silu(condition.clone()));
            x = x + down.forward(silu(y));
        }
        self.velocity.forward(self.norm.forward(x))
    }

    /// What is told, as a vector.
    fn told(&self, (facts, aspect): &(Facts, f32)) -> Vec<f32> {
        let CastConfig {
            role,
            scenery,
            shot,
        } = &self.config;
        let mut told = vec![aspect.ln()];
        one_hot(&mut told, &facts.scenery, scenery);
        one_hot(&mut told, &facts.shot, shot);
        for actor in facts.roles.iter().take(MOST) {
            one_hot(&mut told, actor, role);
        }
        told.resize(
            1 + self.config.of_scene() + MOST * self.config.of_role(),
            0.0,
        );
        told
    }

    /// Draws the layout of a clip so told and so wide.
    pub fn draw(&self, facts: &Facts, aspect: f32, seed: u64, device: &Device) -> Layout {
        let start = noise::normal(seed, STREAM, LAYOUT);
        let mut x = Tensor::<2>::from_data(TensorData::new(start, [1, LAYOUT]), device);
        let told = [(facts.clone(), aspect)];
        for step in 0..STEPS {
            let sigma = 1.0 - step as f32 / STEPS as f32;
            x = x.clone() - self.forward(x, &[sigma], &told) / STEPS as f64;
        }
        let [mean, deviation] = self.statistics();
        let values: Vec<f32> =
            ((x * deviation + mean).try_into_vec_as()).expect("flex tensors are in memory");
        Layout::of_vector(&values, facts.roles.len().min(MOST))
    }
}
