//! Linear maps between pixels in patches and channels, with a pair of weights: one for a clip's first frame, which is
//! patched alone, one for each four frames after it.

use super::TEMPORAL_COMPRESSION;
use burn::module::Module;
use burn::tensor::Tensor;
use kinora_nn::{Init, Linear};

/// A map of patches: the first frame's, and those of each four frames after it.
#[derive(Module, Debug)]
pub struct PatchLinear {
    /// Of `side * side * 3` values on the side of the pixels.
    pub image: Linear,
    /// Of `4 * side * side * 3` values on the side of the pixels.
    pub video: Linear,
}

/// Values of a patch of a single frame.
pub const fn image_patch(side: usize) -> usize {
    side * side * 3
}

/// Values of a patch of four frames.
pub const fn video_patch(side: usize) -> usize {
    TEMPORAL_COMPRESSION * image_patch(side)
}

impl PatchLinear {
    /// From pixels in patches of `side` to `width` channels.
    pub fn from_pixels(side: usize, width: usize, init: &mut Init) -> Self {
        Self {
            image: Linear::new(image_patch(side), width, init),
            video: Linear::new(video_patch(side), width, init),
        }
    }

    /// From `width` channels to pixels in patches of `side`.
    pub fn to_pixels(side: usize, width: usize, init: &mut Init) -> Self {
        Self {
            image: Linear::new(width, image_patch(side), init),
            video: Linear::new(width, video_patch(side), init),
        }
    }

    /// From `width` channels to pixels in patches of `side`, all zero at first.
    pub fn to_pixels_zero(side: usize, width: usize, init: &mut Init) -> Self {
        Self {
            image: Linear::zeros(width, image_patch(side), init),
            video: Linear::zeros(width, video_patch(side), init),
        }
    }

    /// Video `[B, T, H, W, 3]` to `[B, T', H/side, W/side, width]`; `starts` says whether it begins with a clip's
    /// first frame.
    pub fn fold(&self, video: Tensor<5>, side: usize, starts: bool) -> Tensor<5> {
        let (first, rest) = part(video, starts);
        let first = first.map(|x| self.image.forward(space_to_channels(x, side, 1)));
        let rest = rest.map(|x| {
            self.video
                .forward(space_to_channels(x, side, TEMPORAL_COMPRESSION))
        });
        join(first, rest)
    }

    /// The way back: `[B, T', h, w, width]` to video `[B, T, h side, w side, 3]`.
    pub fn unfold(&self, x: Tensor<5>, side: usize, starts: bool) -> Tensor<5> {
        let (first, rest) = part(x, starts);
        let first = first.map(|x| channels_to_space(self.image.forward(x), side, 1));
        let rest =
            rest.map(|x| channels_to_space(self.video.forward(x), side, TEMPORAL_COMPRESSION));
        join(first, rest)
    }
}

/// The clip's first frame, if `x` begins with it, and what follows, if anything does.
fn part(x: Tensor<5>, starts: bool) -> (Option<Tensor<5>>, Option<Tensor<5>>) {
    let (first, frames) = (usize::from(starts), x.dims()[1]);
    let rest = (frames > first).then(|| x.clone().narrow(1, first, frames - first));
    (starts.then(|| x.narrow(1, 0, 1)), rest)
}

fn join(first: Option<Tensor<5>>, rest: Option<Tensor<5>>) -> Tensor<5> {
    Tensor::cat(first.into_iter().chain(rest).collect(), 1)
}

/// Folds `time` frames of `side` x `side` positions into channels: `[B, T t, H s, W s, C]` to `[B, T, H, W, t s s C]`.
pub fn space_to_channels(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let (t, h, w) = (t / time, h / side, w / side);
    x.reshape([b, t, time, h, side, w, side, c])
        .permute([0, 1, 3, 5, 2, 4, 6, 7])
        .reshape([b, t, h, w, time * side * side * c])
}

/// The inverse of [`space_to_channels`].
pub fn channels_to_space(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let c = c / (time * side * side);
    x.reshape([b, t, h, w, time, side, side, c])
        .permute([0, 1, 4, 2, 5, 3, 6, 7])
        .reshape([b, t * time, h * side, w * side, c])
}
