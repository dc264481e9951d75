//! The layers of the Wan autoencoders: causal convolutions with a typed memory of the past, residual blocks, attention
//! within a frame, and levels that halve or double.

use super::tiles::Around;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kinora_nn::{CONV_TILE, Init, Linear, Precision, Walk, attention, conv3d, rms_norm, silu};

/// Towards the latent or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Halves.
    Down,
    /// Doubles.
    Up,
}

/// What the causal convolutions of a network saw last, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    slots: Vec<Tensor<5>>,
    started: bool,
}

impl Memory {
    /// Whether a chunk has gone through.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// From the start of the network to its end.
    pub fn walk(&mut self) -> Past<'_> {
        Past {
            started: self.started,
            memory: self,
            next: 0,
        }
    }
}

/// A chunk's way past the convolutions' memories.
pub(super) struct Past<'a> {
    memory: &'a mut Memory,
    /// Whether a chunk has gone through before.
    started: bool,
    next: usize,
}

impl Past<'_> {
    /// Puts the last `frames` that were seen here before `x` `[B, T, H, W, C]`, zeros at the clip's start, and remembers
    /// its end.
    fn prepend(&mut self, x: Tensor<5>, frames: usize) -> Tensor<5> {
        let [b, _, h, w, c] = x.dims();
        let before = match self.started {
            true => self.memory.slots[self.next].clone(),
            false => Tensor::zeros([b, frames, h, w, c], &x.device()),
        };
        let x = Tensor::cat(vec![before, x], 1);
        self.remember(&x, frames);
        x
    }

    /// Remembers the last `frames` of `x`.
    fn remember(&mut self, x: &Tensor<5>, frames: usize) {
        // A copy: a view would keep all of `x`.
        let kept = x.clone().narrow(1, x.dims()[1] - frames, frames) * 1.0;
        match self.started {
            true => self.memory.slots[self.next] = kept,
            false => self.memory.slots.push(kept),
        }
        self.memory.started = true;
        self.next += 1;
    }
}

/// `work` of one frame after the other.
pub(super) fn each_frame(x: Tensor<5>, work: impl FnMut(Tensor<5>) -> Tensor<5>) -> Tensor<5> {
    match x.dims()[1] {
        1 => std::iter::once(x).map(work).next().expect("one frame"),
        _ => Tensor::cat(x.split(1, 1).into_iter().map(work).collect(), 1),
    }
}

/// A convolution over time, height and width that sees no later frame.
#[derive(Module, Debug)]
pub(super) struct Conv {
    /// `[out, in, kt, kh, kw]`.
    weight: Param<Tensor<5>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
}

impl Conv {
    /// A convolution of `[outputs, inputs]` channels.
    pub fn new([outputs, inputs]: [usize; 2], [t, h, w]: [usize; 3], init: &mut Init) -> Self {
        let std = 1.0 / ((inputs * t * h * w) as f32).sqrt();
        Self {
            weight: init.normal([outputs, inputs, t, h, w], std),
            bias: init.normal([outputs], 0.02),
            precision: init.precision(),
        }
    }

    /// The next frames, `[B, T, H, W, in]` to `[B, T, H, W, out]`.
    pub fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let before = self.weight.dims()[2] - 1;
        let x = if before > 0 {
            past.prepend(x, before)
        } else {
            x
        };
        self.at_once(x)
    }

    /// Of frames that have all of their past before them.
    pub fn at_once(&self, x: Tensor<5>) -> Tensor<5> {
        self.strided(x, 1)
    }

    /// Every `stride_time`-th frame.
    fn strided(&self, x: Tensor<5>, stride_time: usize) -> Tensor<5> {
        let [_, _, _, h, _] = self.weight.dims();
        let walk = Walk {
            stride_time,
            stride: 1,
            padding: [h / 2; 2],
        };
        conv3d(self.precision, x, self.weight.val(), self.bias.val(), walk)
    }
}

/// RMS norm over the channels of each position.
#[derive(Module, Debug)]
pub(super) struct Norm {
    /// `[C]`.
    gain: Param<Tensor<1>>,
}

impl Norm {
    /// A norm of `width` channels.
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            gain: init.normal([width], 1.0),
        }
    }

    /// `x` `[B, T, H, W, C]` to the same shape.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        const EPS: f32 = 1e-24; // of the square: the reference takes 1e-12 for the least length
        rms_norm(x, self.gain.val(), EPS)
    }
}

#[derive(Module, Debug)]
pub(super) struct Residual {
    norm1: Norm,
    conv1: Conv,
    norm2: Norm,
    conv2: Conv,
    conv_shortcut: Option<Conv>,
}

impl Residual {
    /// So many positions around decide what it makes of a position, number for number: a convolution works at whole tiles.
    pub const REACH: usize = 2 * CONV_TILE;

    /// A block of `[inputs, outputs]` channels.
    pub fn new([inputs, outputs]: [usize; 2], init: &mut Init) -> Self {
        Self {
            norm1: Norm::new(inputs, init),
            conv1: Conv::new([outputs, inputs], [3; 3], init),
            norm2: Norm::new(outputs, init),
            conv2: Conv::new([outputs, outputs], [3; 3], init),
            conv_shortcut: (inputs != outputs).then(|| Conv::new([outputs, inputs], [1; 3], init)),
        }
    }

    /// `shortcut(x) + conv(silu(norm(conv(silu(norm(x))))))`.
    pub fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let beside = match &self.conv_shortcut {
            Some(conv) => conv.at_once(x.clone()),
            None => x.clone(),
        };
        let y = self.conv1.forward(silu(self.norm1.forward(x)), past);
        beside + self.conv2.forward(silu(self.norm2.forward(y)), past)
    }
}

/// Self-attention of one head within each frame.
#[derive(Module, Debug)]
pub(super) struct Attention {
    norm: Norm,
    to_qkv: Linear,
    proj: Linear,
}

impl Attention {
    /// Attention of `width` channels.
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            norm: Norm::new(width, init),
            to_qkv: Linear::new(width, 3 * width, init),
            proj: Linear::new(width, width, init),
        }
    }

    /// `x` `[B, T, H, W, C]` to the same shape.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let shape @ [b, t, h, w, c] = x.dims();
        let y = self.norm.forward(x.clone()).reshape([b * t, h * w, c]);
        let qkv = self.to_qkv.forward(y); // (B T, H W, 3C)
        let [q, k, v] = std::array::from_fn(|i| qkv.clone().narrow(2, i * c, c));
        let y = self.proj.forward(attention(q, k, v, 1, None));
        x + y.reshape(shape)
    }
}

/// What goes around a level of Wan 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortcut {
    /// Downwards: means over groups of what is folded into channels.
    Mean,
    /// Upwards: copies of channels, unfolded.
    Copies,
}

/// The shape of a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Channels before and behind the residual blocks.
    pub widths: [usize; 2],
    /// Residual blocks.
    pub blocks: usize,
    /// Channels behind the resampling, if there is one.
    pub resampled: Option<usize>,
    /// Whether frames are resampled too.
    pub time: bool,
    /// What goes around it.
    pub shortcut: Option<Shortcut>,
    /// Whether it halves or doubles.
    pub way: Way,
}

/// Residual blocks, then half or twice the size.
#[derive(Module, Debug)]
pub(super) struct Level {
    resnets: Vec<Residual>,
    resample: Option<Resample>,
    #[module(skip)]
    shape: Shape,
}

impl Level {
    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// A level of this shape.
    pub fn new(shape: Shape, init: &mut Init) -> Self {
        let [inputs, outputs] = shape.widths;
        let width = |block: usize| if block == 0 { inputs } else { outputs };
        let resnets = (0..shape.blocks).map(|block| Residual::new([width(block), outputs], init));
        Self {
            resnets: resnets.collect(),
            resample: shape
                .resampled
                .map(|width| Resample::new([outputs, width], shape.time, shape.way, init)),
            shape,
        }
    }

    /// The next frames, of a tile and what is `around` it. Of that, so many positions are left as are seen by what is to
    /// come: `reach` of them behind the residual blocks.
    pub fn forward(
        &self,
        x: Tensor<5>,
        around: &mut Around,
        reach: usize,
        past: &mut Past<'_>,
    ) -> Tensor<5> {
        let first = !past.started;
        let beside = self.shape.shortcut.map(|shortcut| {
            let x = { *around }.crop(x.clone(), reach);
            self.beside(x, shortcut, first)
        });
        let blocks = self.resnets.iter().rev().enumerate().rev();
        let x = blocks.fold(x, |x, (behind, block)| {
            let reach = reach + (behind + 1) * Residual::REACH;
            block.forward(around.crop(x, reach), past)
        });
        let mut x = around.crop(x, reach);
        if let Some(resample) = &self.resample {
            x = resample.forward(x, past);
            *around = around.doubled();
        }
        match beside {
            Some(beside) => x + beside,
            None => x,
        }
    }

    fn beside(&self, x: Tensor<5>, shortcut: Shortcut, first: bool) -> Tensor<5> {
        let side = if self.resample.is_some() { 2 } else { 1 };
        let (outputs, time) = (self.shape.widths[1], if self.shape.time { 2 } else { 1 });
        match shortcut {
            Shortcut::Mean => means(x, outputs, time, side),
            Shortcut::Copies => copies(x, outputs, time, side, first),
        }
    }
}

/// Folds `time` x `side` x `side` positions into channels and takes means of groups of them, `[B, ..., outputs]`. Frames
/// are filled up with zeros at the front.
fn means(x: Tensor<5>, outputs: usize, time: usize, side: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let missing = t.next_multiple_of(time) - t;
    let zeros = Tensor::zeros([b, missing, h, w, c], &x.device());
    let x = if missing > 0 {
        Tensor::cat(vec![zeros, x], 1)
    } else {
        x
    };
    let (t, h, w) = ((t + missing) / time, h / side, w / side);
    let group = c * time * side * side / outputs;
    x.reshape([b, t, time, h, side, w, side, c])
        .permute([0, 1, 3, 5, 7, 2, 4, 6])
        .reshape([b * t, h, w, outputs, group])
        .mean_dim(4)
        .reshape([b, t, h, w, outputs])
}

/// Copies channels and unfolds them to `time` x `side` x `side` positions, `[B, ..., outputs]`. The clip's first frame
/// stays one frame.
fn copies(x: Tensor<5>, outputs: usize, time: usize, side: usize, first: bool) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let times = outputs * time * side * side / c;
    let x = x
        .reshape([b, t, h, w, c, 1])
        .repeat_dim(5, times)
        .reshape([b, t, h, w, outputs, time, side, side])
        .permute([0, 1, 5, 2, 6, 3, 7, 4])
        .reshape([b, t * time, h * side, w * side, outputs]);
    if first {
        x.narrow(1, time - 1, t * time + 1 - time)
    } else {
        x
    }
}

/// Half or twice the height and width, and frames.
#[derive(Module, Debug)]
struct Resample {
    conv: Plane,
    time_conv: Option<Conv>,
    #[module(skip)]
    way: Way,
}

/// A convolution over height and width.
#[derive(Module, Debug)]
struct Plane {
    /// `[out, in, 3, 3]`.
    weight: Param<Tensor<4>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
}

impl Resample {
    fn new([inputs, outputs]: [usize; 2], time: bool, way: Way, init: &mut Init) -> Self {
        let factor = if way == Way::Up { 2 } else { 1 };
        Self {
            conv: Plane {
                weight: init.normal([outputs, inputs, 3, 3], 1.0 / (9.0 * inputs as f32).sqrt()),
                bias: init.normal([outputs], 0.02),
                precision: init.precision(),
            },
            time_conv: time.then(|| Conv::new([factor * inputs, inputs], [3, 1, 1], init)),
            way,
        }
    }

    fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        match self.way {
            Way::Up => each_frame(self.longer(x, past), |x| self.plane(x)),
            Way::Down => self.shorter(self.plane(x), past),
        }
    }

    /// Twice the frames; the clip's first stays one, and those after it do not see it here.
    fn longer(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let Some(conv) = &self.time_conv else {
            return x;
        };
        let [b, t, h, w, c] = x.dims();
        if !past.started {
            past.remember(&Tensor::zeros([b, 2, h, w, c], &x.device()), 2);
            return x;
        }
        conv.forward(x, past) // (B, T, H, W, 2C)
            .reshape([b, t, h, w, 2, c])
            .permute([0, 1, 4, 2, 3, 5])
            .reshape([b, 2 * t, h, w, c])
    }

    /// Half the frames; the clip's first stays one.
    fn shorter(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let Some(conv) = &self.time_conv else {
            return x;
        };
        if !past.started {
            past.remember(&x, 1);
            return x;
        }
        conv.strided(past.prepend(x, 1), 2)
    }

    /// Half or twice the height and width of each frame.
    fn plane(&self, x: Tensor<5>) -> Tensor<5> {
        let [b, t, h, w, c] = x.dims();
        let (x, stride, padding) = match self.way {
            Way::Up => {
                let x = x
                    .reshape([b * t, h, 1, w, 1, c])
                    .repeat_dim(2, 2)
                    .repeat_dim(4, 2)
                    .reshape([b, t, 2 * h, 2 * w, c]);
                (x, 1, [1, 1])
            }
            // A row and a column of zeros beyond the lower right only.
            Way::Down => (x, 2, [0, 1]),
        };
        let walk = Walk {
            stride_time: 1,
            stride,
            padding,
        };
        let weight = self.conv.weight.val().unsqueeze_dim::<5>(2);
        conv3d(self.conv.precision, x, weight, self.conv.bias.val(), walk)
    }
}
