//! Given pictures as latents that are known, and painted frames joined to them.

use crate::conditioning::{Conditioning, Picture};
use crate::generate::decode_frames;
use crate::windows::Window;
use crate::{Device, Job, Model, Plan};
use burn::tensor::{Tensor, TensorData};
use kinora_models::kinora1::{TEMPORAL_COMPRESSION, given_run};
use kinora_models::{Cache, Levels};
use std::borrow::Cow;
use std::ops::Range;

/// Frames over which what a given frame has and its painted neighbours lack fades out of them.
const FADE: usize = 5;
/// Side of the blocks, in pixels, over which frames are compared.
const BLOCK: usize = 8;
/// Reach, in pixels, over which a painted region blends into what is held around it.
const FEATHER: usize = 6;

/// What is known of a window's latent.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The latent of what is given or begun from, `[1, T, h, w, C]`, normalised.
    pub latent: Tensor<5>,
    /// How much of each position is given, `[1, T, h, w, 1]`.
    pub share: Tensor<5>,
    /// Whether every frame has something to begin from.
    pub begun: bool,
    /// What a model is told beside the latent, `[1, T, h, w, 4 + C]`, if it is one that is ([`Levels::Beside`]).
    pub beside: Option<Tensor<5>>,
}

/// One frame of a window while it is prepared.
struct Slot<'a> {
    pixels: Option<Cow<'a, [u8]>>,
    hold: Hold<'a>,
}

#[derive(Clone, Copy)]
enum Hold<'a> {
    Nothing,
    All,
    Some(&'a [u8]),
}

impl Known {
    /// The frames `given` of `latent` `[1, T, h, w, C]`.
    pub fn frames(latent: Tensor<5>, given: Range<usize>) -> Self {
        let [_, t, h, w, _] = latent.dims();
        let shares = (0..t).flat_map(|frame| vec![f32::from(given.contains(&frame)); h * w]);
        let shares = TensorData::new(shares.collect(), [1, t, h, w, 1]);
        Self {
            share: Tensor::from_data(shares, &latent.device()),
            latent,
            beside: None,
            begun: true,
        }
    }

    /// The same, begun from what the camera makes of the frames that are given, where they are given side by side and the model
    /// knows it.
    pub fn foreseen(self, job: &Job<'_>, plan: &Plan) -> Self {
        let run = given_run(&self.share).remove(0);
        let text = (job.model.read(&[&plan.prompt], job.device)).over(job.plan.frames);
        let foreseen = (!run.is_empty())
            .then(|| job.model.foresee(&self.latent, run, &text))
            .flatten();
        Self {
            latent: foreseen.unwrap_or(self.latent),
            ..self
        }
    }

    /// The same, begun where nothing is given from `sketch` `[1, T, h, w, C]`.
    pub fn over(self, sketch: &Tensor<5>) -> Self {
        let free: Tensor<5> = 1.0 - self.share.clone();
        Self {
            latent: self.latent * self.share.clone() + sketch.clone() * free,
            ..self
        }
    }

    /// Encodes what `window` has: frames in `done` as they are, others as far as they are given.
    pub fn encode(
        conditioning: &Conditioning,
        done: &[Option<Vec<u8>>],
        window: &Window,
        (plan, model, device): (&Plan, &Model, &Device),
    ) -> Self {
        let last = done.len() as isize - 1;
        let mut slots: Vec<Slot<'_>> = (0..window.len as isize)
            .map(|offset| (window.start + offset).clamp(0, last) as usize)
            .map(|index| slot(conditioning, done, index))
            .collect();
        let groups = groups(window.len);
        let cell = model.geometry().spatial;
        let side = |pixels: u32| pixels as usize / cell;
        let (h, w) = (side(plan.height), side(plan.width));
        let beside = (model.levels() == Levels::Beside)
            .then(|| beside(&slots, [h, w], (plan, model, device)));
        if conditioning.strength.is_none_or(|strength| strength < 1.0) {
            fade(&mut slots);
        }
        let shares: Vec<f32> = (0..groups.len())
            .flat_map(|index| share(&slots, &groups, index, [h, w], cell))
            .collect();
        let shape = [1, groups.len(), h, w, 1];
        let share = Tensor::from_data(TensorData::new(shares, shape), device);
        Self {
            latent: encode(&filled(&slots, &groups), plan, model, device),
            // What is told beside the latent is painted along with the rest.
            share: if beside.is_some() { share * 0.0 } else { share },
            beside,
            begun: slots.iter().all(|slot| slot.pixels.is_some()),
        }
    }
}

fn slot<'a>(conditioning: &'a Conditioning, done: &'a [Option<Vec<u8>>], index: usize) -> Slot<'a> {
    if let Some(pixels) = &done[index] {
        return Slot {
            pixels: Some(Cow::Borrowed(pixels)),
            hold: Hold::All,
        };
    }
    if let Some(Picture { pixels, hold }) = conditioning.picture(index) {
        return Slot {
            pixels: Some(Cow::Borrowed(pixels)),
            hold: hold.as_deref().map_or(Hold::All, Hold::Some),
        };
    }
    let base = conditioning.base.as_deref().unwrap_or_default();
    let pixels = base.get(index).or(base.last());
    Slot {
        pixels: pixels.map(|pixels| Cow::Borrowed(pixels.as_slice())),
        hold: Hold::Nothing,
    }
}

/// What is given, as a model is told it beside the latent: which of a latent frame's frames are given at a position, its
/// least held pixel counting (the first frame stands for four), and the latent of the given frames among grey ones.
fn beside(
    slots: &[Slot<'_>],
    [h, w]: [usize; 2],
    (plan, model, device): (&Plan, &Model, &Device),
) -> Tensor<5> {
    let cell = model.geometry().spatial;
    let first = std::iter::repeat_n(&slots[0], TEMPORAL_COMPRESSION);
    let masks = first.chain(&slots[1..]).flat_map(|slot| match slot.hold {
        Hold::Nothing => vec![0.0; h * w],
        Hold::All => vec![1.0; h * w],
        Hold::Some(hold) => {
            let least = least(std::iter::once(hold), [h, w], cell);
            least
                .iter()
                .map(|&l| f32::from(u8::from(l == u8::MAX)))
                .collect()
        }
    });
    let groups = 1 + (slots.len() - 1) / TEMPORAL_COMPRESSION;
    let shape = [1, groups, TEMPORAL_COMPRESSION, h, w];
    let masks = Tensor::<5>::from_data(TensorData::new(masks.collect(), shape), device);
    let given = slots.iter().map(|slot| match slot.hold {
        Hold::Nothing => None,
        _ => slot.pixels.as_deref(),
    });
    let given: Vec<Option<&[u8]>> = given.collect();
    let latent = encode(&given, plan, model, device);
    Tensor::cat(vec![masks.permute([0, 1, 3, 4, 2]), latent], 4)
}

/// The least held pixel of each position, of some frames.
fn least<'a>(holds: impl Iterator<Item = &'a [u8]>, [h, w]: [usize; 2], cell: usize) -> Vec<u8> {
    let mut least = vec![u8::MAX; h * w];
    for hold in holds {
        for (row, line) in hold.chunks_exact(w * cell).enumerate() {
            let cells = &mut least[row / cell * w..][..w];
            for (least, part) in cells.iter_mut().zip(line.chunks_exact(cell)) {
                *least = part.iter().copied().fold(*least, u8::min);
            }
        }
    }
    least
}

/// The frames of each latent frame.
fn groups(frames: usize) -> Vec<Range<usize>> {
    let later = (1..frames).step_by(TEMPORAL_COMPRESSION);
    let later = later.map(|start| start..start + TEMPORAL_COMPRESSION);
    std::iter::once(0..1).chain(later).collect()
}

/// How much of each position of latent frame `index` is given: as much as of its least held pixel. A latent frame that
/// is given in part counts as painted, unless it stands alone: then what is given lasts for all of it.
fn share(
    slots: &[Slot<'_>],
    groups: &[Range<usize>],
    index: usize,
    [h, w]: [usize; 2],
    cell: usize,
) -> Vec<f32> {
    let given = |slot: &&Slot<'_>| !matches!(slot.hold, Hold::Nothing);
    let count = |group: &Range<usize>| slots[group.clone()].iter().filter(given).count();
    let near = index.saturating_sub(1)..(index + 2).min(groups.len());
    let alone = near.filter(|&i| i != index).all(|i| count(&groups[i]) == 0);
    let group = &groups[index];
    if count(group) == 0 || (count(group) < group.len() && !alone) {
        return vec![0.0; h * w];
    }
    let holds = slots[group.clone()]
        .iter()
        .filter_map(|slot| match slot.hold {
            Hold::Some(hold) => Some(hold),
            _ => None,
        });
    let least = least(holds, [h, w], cell);
    least.iter().map(|&l| f32::from(l) / 255.0).collect()
}

/// Gives frames without pixels those of their neighbours that have some: between two, one fades into the other.
fn fade(slots: &mut [Slot<'_>]) {
    let there: Vec<usize> = (0..slots.len())
        .filter(|&i| slots[i].pixels.is_some())
        .collect();
    for index in 0..slots.len() {
        let next = there.partition_point(|&i| i < index);
        let (before, after) = match (next.checked_sub(1).map(|i| there[i]), there.get(next)) {
            (_, Some(&after)) if after == index => continue,
            (None, None) => return,
            (Some(only), None) | (None, Some(&only)) => (only, only),
            (Some(before), Some(&after)) => (before, after),
        };
        let share = index.abs_diff(before) as f32 / (after - before).max(1) as f32;
        let (Some(a), Some(b)) = (&slots[before].pixels, &slots[after].pixels) else {
            continue;
        };
        let mix = |(&a, &b): (&u8, &u8)| {
            let (a, b) = (f32::from(a), f32::from(b));
            (a + (b - a) * share.min(1.0)).round() as u8
        };
        let mixed = a.iter().zip(b.iter()).map(mix).collect();
        slots[index].pixels = Some(Cow::Owned(mixed));
    }
}

/// The pixels of each frame; where some of a latent frame are given, those of the nearest of them.
fn filled<'a>(slots: &'a [Slot<'_>], groups: &[Range<usize>]) -> Vec<Option<&'a [u8]>> {
    let mut filled = Vec::with_capacity(slots.len());
    for group in groups {
        let given = |i: &usize| !matches!(slots[*i].hold, Hold::Nothing);
        let any = group.clone().any(|i| given(&i));
        for index in group.clone() {
            let near = group.clone().filter(|i| !any || given(i));
            let near = near.filter(|&i| slots[i].pixels.is_some());
            let nearest = near.min_by_key(|i| i.abs_diff(index));
            filled.push(nearest.and_then(|i| slots[i].pixels.as_deref()));
        }
    }
    filled
}

/// Frames to normalised latents, a few latent frames at a time; a missing frame is grey.
fn encode(frames: &[Option<&[u8]>], plan: &Plan, model: &Model, device: &Device) -> Tensor<5> {
    let (height, width) = (plan.height as usize, plan.width as usize);
    let (mut cache, mut rest, mut parts) = (Cache::default(), frames, Vec::new());
    let at_once = decode_frames(plan, model.geometry()) * TEMPORAL_COMPRESSION;
    while !rest.is_empty() {
        let lead = usize::from(parts.is_empty());
        let (now, later) = rest.split_at((at_once + lead).min(rest.len()));
        let values: Vec<f32> = now
            .iter()
            .flat_map(|frame| match frame {
                Some(pixels) => pixels.iter().map(|&p| f32::from(p) / 127.5 - 1.0).collect(),
                None => vec![0.0; height * width * 3],
            })
            .collect();
        let shape = [1, now.len(), height, width, 3];
        let video = Tensor::<5>::from_data(TensorData::new(values, shape), device);
        parts.push(model.encode_chunk(video, &mut cache)); // (1, t, h, w, C)
        rest = later;
    }
    Tensor::cat(parts, 1)
}

/// The frames that `window` was for, out of its `decoded` ones: what is held of each is put back, a painted region
/// blends into it, and into the neighbours of a given frame goes what would make a jump; see [`fading`].
pub(crate) fn join(
    conditioning: &Conditioning,
    done: &mut [Option<Vec<u8>>],
    window: &Window,
    decoded: &[Vec<u8>],
    width: usize,
) {
    let at = |frame: usize| &decoded[(frame as isize - window.start) as usize];
    let inside = |frame: &usize| {
        let offset = *frame as isize - window.start;
        (0..window.len as isize).contains(&offset)
    };
    let Range { start, end } = window.painted.clone();
    // A given frame, the one beyond it, and the painted one beside it.
    let ends = [
        (start.checked_sub(1), start.checked_sub(2), start),
        (Some(end), Some(end + 1), end - 1),
    ];
    let neighbours: Vec<(usize, Vec<i16>)> = (ends.into_iter())
        .filter_map(|(frame, beyond, painted)| {
            let frame = frame.filter(inside)?;
            let there = |frame: usize| done.get(frame)?.as_ref();
            let given = there(frame)?;
            let pace = match beyond.and_then(there) {
                Some(beyond) => difference(beyond, given, width),
                None => difference(at(frame), at(painted), width),
            };
            Some((frame, fading(given, at(frame), at(painted), pace, width)))
        })
        .collect();
    for (frame, place) in (start..).zip(&mut done[start..end]) {
        let mut pixels = at(frame).clone();
        for (neighbour, lost) in &neighbours {
            let keep = FADE.saturating_sub(frame.abs_diff(*neighbour)) as i16;
            for (pixel, lost) in pixels.iter_mut().zip(lost) {
                let value = i16::from(*pixel) + lost * keep / FADE as i16;
                *pixel = value.clamp(0, 255) as u8;
            }
        }
        if let Some(Picture {
            pixels: given,
            hold,
        }) = conditioning.picture(frame)
        {
            put_back(&mut pixels, given, hold.as_deref(), width);
        }
        *place = Some(pixels);
    }
}

/// What fades out of the painted frames beside a `given` one: the detail that the autoencoder lost of it, and as much of the
/// jump to the first `painted` one as is more than the clip's own `pace` there.
fn fading(given: &[u8], decoded: &[u8], painted: &[u8], pace: f32, width: usize) -> Vec<i16> {
    const FIRST: f32 = (FADE - 1) as f32 / FADE as f32; // what the first painted frame gets
    let lost = given.iter().zip(decoded);
    let lost: Vec<f32> = lost.map(|(g, d)| f32::from(*g) - f32::from(*d)).collect();
    let jump = given.iter().zip(painted).zip(&lost);
    let jump: Vec<f32> = jump
        .map(|((g, p), lost)| f32::from(*g) - f32::from(*p) - lost * FIRST)
        .collect();
    let excess = (1.0 - pace / root_mean_square(&coarse(&jump, width)).max(f32::EPSILON)).max(0.0);
    let all = lost.iter().zip(jump);
    all.map(|(lost, jump)| (lost + jump * excess / FIRST).round() as i16)
        .collect()
}

/// How much two frames differ, for an eye that falling snow does not hide a cut from: flakes and grain change every pixel
/// from frame to frame, but hardly the means of blocks.
fn difference(a: &[u8], b: &[u8], width: usize) -> f32 {
    let apart = a.iter().zip(b).map(|(a, b)| f32::from(*a) - f32::from(*b));
    root_mean_square(&coarse(&apart.collect::<Vec<_>>(), width))
}

/// Means over blocks of [`BLOCK`] pixels of RGB values.
fn coarse(values: &[f32], width: usize) -> Vec<f32> {
    let columns = width.div_ceil(BLOCK);
    let rows = (values.len() / (3 * width)).div_ceil(BLOCK);
    let (mut sums, mut counts) = (vec![0.0; rows * columns * 3], vec![0.0; rows * columns * 3]);
    for (y, line) in values.chunks_exact(3 * width).enumerate() {
        for (x, value) in line.iter().enumerate() {
            let block = (y / BLOCK * columns + x / 3 / BLOCK) * 3 + x % 3;
            sums[block] += value;
            counts[block] += 1.0;
        }
    }
    sums.iter()
        .zip(counts)
        .map(|(sum, count)| sum / count)
        .collect()
}

fn root_mean_square(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f32;
    (values.iter().map(|value| value * value).sum::<f32>() / count).sqrt()
}

/// Puts the held pixels of `given` into `painted`, which blends into them within [`FEATHER`] pixels.
fn put_back(painted: &mut [u8], given: &[u8], hold: Option<&[u8]>, width: usize) {
    let Some(hold) = hold else {
        painted.copy_from_slice(given);
        return;
    };
    let held: Vec<f32> = hold
        .iter()
        .map(|&h| f32::from(u8::from(h == u8::MAX)))
        .collect();
    let near = blurred(&held, width);
    let pixels = painted
        .as_chunks_mut::<3>()
        .0
        .iter_mut()
        .zip(given.as_chunks::<3>().0);
    for ((painted, given), (held, near)) in pixels.zip(held.iter().zip(near)) {
        let keep = if *held == 1.0 {
            1.0
        } else {
            (2.0 * near).min(1.0)
        };
        for (p, g) in painted.iter_mut().zip(given) {
            *p = (f32::from(*g) * keep + f32::from(*p) * (1.0 - keep)).round() as u8;
        }
    }
}

/// The mean around each value of a picture, across and down.
fn blurred(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mean = |count: usize, along: &dyn Fn(usize) -> f32, at: usize| {
        let range = at.saturating_sub(FEATHER)..(at + FEATHER + 1).min(count);
        let len = range.len() as f32;
        range.map(along).sum::<f32>() / len
    };
    let across: Vec<f32> = (0..values.len())
        .map(|i| mean(width, &|x| values[i / width * width + x], i % width))
        .collect();
    (0..values.len())
        .map(|i| mean(height, &|y| across[y * width + i % width], i / width))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first painted frame beside a given one, as [`join`] makes it.
    fn first(given: &[u8], decoded: &[u8], painted: &[u8], pace: f32) -> Vec<f32> {
        let fading = fading(given, decoded, painted, pace, BLOCK);
        let all = painted.iter().zip(fading);
        all.map(|(p, f)| f32::from(*p) + f32::from(f) * (FADE - 1) as f32 / FADE as f32)
            .collect()
    }

    /// A frame of four blocks, one below the other, of these grey values.
    fn frame(blocks: [u8; 4]) -> Vec<u8> {
        blocks
            .iter()
            .flat_map(|&v| [v; 3 * BLOCK * BLOCK])
            .collect()
    }

    #[test]
    fn a_jump_is_spread_so_that_the_clips_own_pace_is_left_of_it() {
        let (given, decoded) = (frame([100, 120, 90, 60]), frame([104, 118, 91, 58]));
        let step = |first: Vec<f32>| {
            let steps = first.iter().zip(&given).map(|(f, g)| f - f32::from(*g));
            root_mean_square(&steps.collect::<Vec<_>>())
        };
        let far = frame([190, 40, 170, 150]);
        for pace in [0.0, 3.0, 20.0] {
            let left = step(first(&given, &decoded, &far, pace));
            assert!((left - pace).abs() < 1.0, "{left} of a pace of {pace}");
        }
        let near = frame([105, 117, 92, 57]);
        let lost = fading(&given, &decoded, &near, 10.0, BLOCK);
        let expected = [-4, 2, -1, 2].map(|v| [v; 3 * BLOCK * BLOCK]).concat();
        assert_eq!(lost, expected);
    }

    #[test]
    fn snow_is_no_pace() {
        let flakes = |at: usize| {
            let mut frame = frame([100; 4]);
            frame.iter_mut().skip(at).step_by(96).for_each(|v| *v = 200);
            frame
        };
        assert!(difference(&flakes(0), &flakes(9), BLOCK) < 1.0);
        assert_eq!(difference(&frame([100; 4]), &frame([130; 4]), BLOCK), 30.0);
    }
}
