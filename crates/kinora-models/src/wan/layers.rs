//! The layers of the Wan autoencoders: causal convolutions with a typed memory of the past, residual blocks, attention
//! within a frame, and levels that halve or double.

use super::tiles::Around;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kinora_nn::{
    CONV_TILE, Init, Linear, Precision, Walk, attention, conv3d, conv3d_behind, rms_norm,
    rms_norm_silu,
};

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
    /// Single frames, one or two for each.
    slots: Vec<Vec<Tensor<5>>>,
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
    /// The last two frames that were seen here before `x` `[B, T, H, W, C]`, zeros at the clip's start; remembers the last
    /// two of both together.
    fn two_before(&mut self, x: &Tensor<5>) -> [Tensor<5>; 2] {
        let before = match self.started {
            true => self.memory.slots[self.next].clone(),
            false => vec![zeros(x); 2],
        };
        let last = match x.dims()[1] {
            1 => vec![before[1].clone(), x.clone()],
            _ => last(x, 2),
        };
        self.remember(last);
        before.try_into().expect("two frames are remembered")
    }

    /// Puts the last frame that was seen here before `x`, and remembers its last one.
    fn prepend(&mut self, x: Tensor<5>) -> Tensor<5> {
        let mut frames = self.memory.slots[self.next].clone();
        self.remember(last(&x, 1));
        frames.push(x);
        Tensor::cat(frames, 1)
    }

    /// Remembers frames.
    fn remember(&mut self, frames: Vec<Tensor<5>>) {
        match self.started {
            true => self.memory.slots[self.next] = frames,
            false => self.memory.slots.push(frames),
        }
        self.memory.started = true;
        self.next += 1;
    }
}

/// The last `count` frames of `x`, one by one.
fn last(x: &Tensor<5>, count: usize) -> Vec<Tensor<5>> {
    let frames = x.dims()[1];
    let frame = |t| match frames == count {
        true => x.clone().narrow(1, t, 1),
        // A copy: a view would keep all of `x`.
        false => x.clone().narrow(1, t, 1) * 1.0,
    };
    (frames - count..frames).map(frame).collect()
}

/// A frame of zeros as those of `x`.
fn zeros(x: &Tensor<5>) -> Tensor<5> {
    let [b, _, h, w, c] = x.dims();
    Tensor::zeros([b, 1, h, w, c], &x.device())
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

    /// The next frames, `[B, T, H, W, in]` to `[B, T, H, W, out]`, of a kernel of three places in time.
    pub fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let before = past.two_before(&x);
        let (weight, bias) = (self.weight.val(), self.bias.val());
        conv3d_behind(self.precision, before, x, weight, bias, self.walk(1))
    }

    /// Of frames that have all of their past before them.
    pub fn at_once(&self, x: Tensor<5>) -> Tensor<5> {
        self.strided(x, 1)
    }

    /// Every `stride_time`-th frame.
    fn strided(&self, x: Tensor<5>, stride_time: usize) -> Tensor<5> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        conv3d(self.precision, x, weight, bias, self.walk(stride_time))
    }

    fn walk(&self, stride_time: usize) -> Walk {
        let [_, _, _, h, _] = self.weight.dims();
        Walk {
            stride_time,
            stride: 1,
            padding: [h / 2; 2],
        }
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

    /// Of the square: the reference takes 1e-12 for the least length.
    const EPS: f32 = 1e-24;

    /// `x` `[B, T, H, W, C]` to the same shape.
    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        rms_norm(x, self.gain.val(), Self::EPS)
    }

    /// The same with SiLU behind it.
    pub fn forward_silu(&self, x: Tensor<5>) -> Tensor<5> {
        rms_norm_silu(x, self.gain.val(), Self::EPS)
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
        let y = self.conv1.forward(self.norm1.forward_silu(x), past);
        beside + self.conv2.forward(self.norm2.forward_silu(y), past)
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
            past.remember(vec![zeros(&x); 2]);
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
            past.remember(last(&x, 1));
            return x;
        }
        conv.strided(past.prepend(x), 2)
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
