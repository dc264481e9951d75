//! The layers of the Wan autoencoders: causal convolutions with a typed memory of the past, residual blocks, attention
//! within a frame, and levels that halve or double.

use burn::module::{Module, Param};
use burn::tensor::module::{conv2d, conv3d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use kinora_nn::{Init, Linear, attention, silu};

/// Towards the latent or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Halves.
    Down,
    /// Doubles.
    Up,
}

/// Walks what the causal convolutions saw last, in their order.
pub(super) struct Past<'a> {
    slots: &'a mut Vec<Tensor<5>>,
    started: &'a mut bool,
    next: usize,
}

impl<'a> Past<'a> {
    /// From the start of the network.
    pub fn new(slots: &'a mut Vec<Tensor<5>>, started: &'a mut bool) -> Self {
        Self {
            slots,
            started,
            next: 0,
        }
    }

    /// The chunk has gone through the network.
    pub fn end(&mut self) {
        *self.started = true;
    }

    /// Puts the last `frames` that were seen here before `x` `[B, C, T, H, W]`, zeros at the clip's start, and remembers
    /// its end.
    fn prepend(&mut self, x: Tensor<5>, frames: usize) -> Tensor<5> {
        let [b, c, _, h, w] = x.dims();
        let before = match *self.started {
            true => self.slots[self.next].clone(),
            false => Tensor::zeros([b, c, frames, h, w], &x.device()),
        };
        let x = Tensor::cat(vec![before, x], 2);
        self.remember(&x, frames);
        x
    }

    /// Remembers the last `frames` of `x`.
    fn remember(&mut self, x: &Tensor<5>, frames: usize) {
        let kept = x.clone().narrow(2, x.dims()[2] - frames, frames);
        match *self.started {
            true => self.slots[self.next] = kept,
            false => self.slots.push(kept),
        }
        self.next += 1;
    }
}

/// A convolution over time, height and width that sees no later frame.
#[derive(Module, Debug)]
pub(super) struct Conv {
    /// `[out, in, kt, kh, kw]`.
    weight: Param<Tensor<5>>,
    /// `[out]`.
    bias: Param<Tensor<1>>,
}

impl Conv {
    /// A convolution of `[outputs, inputs]` channels.
    pub fn new([outputs, inputs]: [usize; 2], [t, h, w]: [usize; 3], init: &mut Init) -> Self {
        let std = 1.0 / ((inputs * t * h * w) as f32).sqrt();
        Self {
            weight: init.normal([outputs, inputs, t, h, w], std),
            bias: init.normal([outputs], 0.02),
        }
    }

    /// The next frames, `[B, in, T, H, W]` to `[B, out, T, H, W]`.
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

    fn strided(&self, x: Tensor<5>, stride: usize) -> Tensor<5> {
        let [_, _, _, h, w] = self.weight.dims();
        let options = ConvOptions::new([stride, 1, 1], [0, h / 2, w / 2], [1; 3], 1);
        conv3d(x, self.weight.val(), Some(self.bias.val()), options)
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

    /// `x` `[B, C, T, H, W]` to the same shape.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let width = x.dims()[1];
        let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        let gain = self.gain.val().reshape([1, width, 1, 1, 1]);
        x / length * gain * (width as f32).sqrt()
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

    /// `x` `[B, C, T, H, W]` to the same shape.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [b, c, t, h, w] = x.dims();
        let y = self.norm.forward(x.clone()).permute([0, 2, 3, 4, 1]);
        let qkv = self.to_qkv.forward(y.reshape([b * t, h * w, c])); // (B T, H W, 3C)
        let [q, k, v] = std::array::from_fn(|i| qkv.clone().narrow(2, i * c, c));
        let y = self.proj.forward(attention(q, k, v, 1, None));
        x + y.reshape([b, t, h, w, c]).permute([0, 4, 1, 2, 3])
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

    /// The next frames.
    pub fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let first = !*past.started;
        let around = self
            .shape
            .shortcut
            .map(|shortcut| self.around(x.clone(), shortcut, first));
        let mut x = self
            .resnets
            .iter()
            .fold(x, |x, block| block.forward(x, past));
        if let Some(resample) = &self.resample {
            x = resample.forward(x, past);
        }
        match around {
            Some(around) => x + around,
            None => x,
        }
    }

    fn around(&self, x: Tensor<5>, shortcut: Shortcut, first: bool) -> Tensor<5> {
        let side = if self.resample.is_some() { 2 } else { 1 };
        let (outputs, time) = (self.shape.widths[1], if self.shape.time { 2 } else { 1 });
        match shortcut {
            Shortcut::Mean => means(x, outputs, time, side),
            Shortcut::Copies => copies(x, outputs, time, side, first),
        }
    }
}

/// Folds `time` x `side` x `side` positions into channels and takes means of groups of them, `[B, outputs, ...]`. Frames
/// are filled up with zeros at the front.
fn means(x: Tensor<5>, outputs: usize, time: usize, side: usize) -> Tensor<5> {
    let [b, c, t, h, w] = x.dims();
    let missing = t.next_multiple_of(time) - t;
    let zeros = Tensor::zeros([b, c, missing, h, w], &x.device());
    let x = if missing > 0 {
        Tensor::cat(vec![zeros, x], 2)
    } else {
        x
    };
    let (t, h, w) = ((t + missing) / time, h / side, w / side);
    let group = c * time * side * side / outputs;
    x.reshape([b, c, t, time, h, side, w, side])
        .permute([0, 1, 3, 5, 7, 2, 4, 6])
        .reshape([b, outputs, group, t, h, w])
        .mean_dim(2)
        .reshape([b, outputs, t, h, w])
}

/// Copies channels and unfolds them to `time` x `side` x `side` positions, `[B, outputs, ...]`. The clip's first frame
/// stays one frame.
fn copies(x: Tensor<5>, outputs: usize, time: usize, side: usize, first: bool) -> Tensor<5> {
    let [b, c, t, h, w] = x.dims();
    let times = outputs * time * side * side / c;
    let x = x
        .reshape([b, c, 1, t, h, w])
        .repeat_dim(2, times)
        .reshape([b, outputs, time, side, side, t, h, w])
        .permute([0, 1, 5, 2, 6, 3, 7, 4])
        .reshape([b, outputs, t * time, h * side, w * side]);
    if first {
        x.narrow(2, time - 1, t * time + 1 - time)
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
}

impl Resample {
    fn new([inputs, outputs]: [usize; 2], time: bool, way: Way, init: &mut Init) -> Self {
        let factor = if way == Way::Up { 2 } else { 1 };
        Self {
            conv: Plane {
                weight: init.normal([outputs, inputs, 3, 3], 1.0 / (9.0 * inputs as f32).sqrt()),
                bias: init.normal([outputs], 0.02),
            },
            time_conv: time.then(|| Conv::new([factor * inputs, inputs], [3, 1, 1], init)),
            way,
        }
    }

    fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        match self.way {
            Way::Up => self.plane(self.longer(x, past)),
            Way::Down => self.shorter(self.plane(x), past),
        }
    }

    /// Twice the frames; the clip's first stays one, and those after it do not see it here.
    fn longer(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let Some(conv) = &self.time_conv else {
            return x;
        };
        let [b, c, t, h, w] = x.dims();
        if !*past.started {
            past.remember(&Tensor::zeros([b, c, 2, h, w], &x.device()), 2);
            return x;
        }
        conv.forward(x, past) // (B, 2C, T, H, W)
            .reshape([b, 2, c, t, h, w])
            .permute([0, 2, 3, 1, 4, 5])
            .reshape([b, c, 2 * t, h, w])
    }

    /// Half the frames; the clip's first stays one.
    fn shorter(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let Some(conv) = &self.time_conv else {
            return x;
        };
        if !*past.started {
            past.remember(&x, 1);
            return x;
        }
        conv.strided(past.prepend(x, 1), 2)
    }

    /// Half or twice the height and width of each frame.
    fn plane(&self, x: Tensor<5>) -> Tensor<5> {
        let [b, c, t, h, w] = x.dims();
        let device: Device = x.device();
        let x = x.swap_dims(1, 2).reshape([b * t, c, h, w]);
        let (x, stride, padding) = match self.way {
            Way::Up => {
                let x = x
                    .reshape([b * t, c, h, 1, w, 1])
                    .repeat_dim(3, 2)
                    .repeat_dim(5, 2)
                    .reshape([b * t, c, 2 * h, 2 * w]);
                (x, 1, 1)
            }
            Way::Down => {
                // A row and a column of zeros beyond the lower right only.
                let x = Tensor::cat(vec![x, Tensor::zeros([b * t, c, 1, w], &device)], 2);
                (
                    Tensor::cat(vec![x, Tensor::zeros([b * t, c, h + 1, 1], &device)], 3),
                    2,
                    0,
                )
            }
        };
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        let y = conv2d(
            x,
            self.conv.weight.val(),
            Some(self.conv.bias.val()),
            options,
        );
        let [_, c, h, w] = y.dims();
        y.reshape([b, t, c, h, w]).swap_dims(1, 2)
    }
}
