//! Samplers: ways to follow the flow from noise to a clip. Each is a short function over a denoiser.

use burn::tensor::Tensor;
use std::{fmt, str::FromStr};

/// How the flow's equation is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// First order, one evaluation a step.
    Euler,
    /// Second order, two evaluations a step (one in the last).
    Heun,
    /// Second order with the help of the step before, one evaluation a step.
    AdamsBashforth,
    /// Second order in log signal-to-noise, and each answer also corrects the step that led to it; one evaluation a step.
    UniPc,
}

/// Progress: `done` of `of` steps, about to go on from `sigma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Steps finished.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
    /// The noise level that has been reached.
    pub sigma: f64,
}

impl Sampler {
    /// Every sampler.
    pub const ALL: [Sampler; 4] = [
        Sampler::Euler,
        Sampler::Heun,
        Sampler::AdamsBashforth,
        Sampler::UniPc,
    ];

    /// The name in commands, recipes and configs.
    pub fn name(self) -> &'static str {
        match self {
            Sampler::Euler => "euler",
            Sampler::Heun => "heun",
            Sampler::AdamsBashforth => "ab2",
            Sampler::UniPc => "unipc",
        }
    }

    /// Follows the flow from `x` at `sigmas[0]` to `sigmas.last()`.
    ///
    /// `denoise(x, sigma)` answers the clean latent expected behind `x`, of the same shape; it is never asked at
    /// sigma 0. `on_step` hears of each finished step. An error of either ends the run at once and is handed on: that
    /// is how a caller cancels.
    pub fn run<const D: usize, E>(
        self,
        denoise: impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E>,
        x: Tensor<D>,
        sigmas: &[f64],
        on_step: impl FnMut(Step) -> Result<(), E>,
    ) -> Result<Tensor<D>, E> {
        match self {
            Sampler::Euler => euler(denoise, x, sigmas, on_step),
            Sampler::Heun => heun(denoise, x, sigmas, on_step),
            Sampler::AdamsBashforth => adams_bashforth(denoise, x, sigmas, on_step),
            Sampler::UniPc => unipc(denoise, x, sigmas, on_step),
        }
    }
}

/// Euler's method: straight on along the velocity at the start of the step.
fn euler<const D: usize, E>(
    mut denoise: impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E>,
    mut x: Tensor<D>,
    sigmas: &[f64],
    mut on_step: impl FnMut(Step) -> Result<(), E>,
) -> Result<Tensor<D>, E> {
    for (step, from, to) in steps(sigmas) {
        let clean = denoise(&x, from)?;
        x = towards(x, clean, to / from);
        on_step(step)?;
    }
    Ok(x)
}

/// Heun's method: the mean of the velocities at both ends of the step (Karras et al. 2022, "Elucidating the Design
/// Space of Diffusion-Based Generative Models", algorithm 1). The step to sigma 0 is Euler's, as theirs is.
fn heun<const D: usize, E>(
    mut denoise: impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E>,
    mut x: Tensor<D>,
    sigmas: &[f64],
    mut on_step: impl FnMut(Step) -> Result<(), E>,
) -> Result<Tensor<D>, E> {
    for (step, from, to) in steps(sigmas) {
        let clean = denoise(&x, from)?;
        if to == 0.0 {
            x = clean;
        } else {
            let there = towards(x.clone(), clean.clone(), to / from);
            let clean_there = denoise(&there, to)?;
            let slope = (x.clone() - clean) / from + (there - clean_there) / to;
            x = x + slope * (0.5 * (to - from));
        }
        on_step(step)?;
    }
    Ok(x)
}

/// The two-step Adams-Bashforth method on uneven steps: the velocity is carried on along the line through the last two
/// (Hairer, Norsett and Wanner, "Solving Ordinary Differential Equations I", chapter III.5). The first step is
/// Euler's. In sigma, rather than in log signal-to-noise as DPM-Solver++(2M) has it, nothing is infinite at either end
/// of the flow, and the order is 2 all the way.
fn adams_bashforth<const D: usize, E>(
    mut denoise: impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E>,
    mut x: Tensor<D>,
    sigmas: &[f64],
    mut on_step: impl FnMut(Step) -> Result<(), E>,
) -> Result<Tensor<D>, E> {
    let mut last: Option<(f64, Tensor<D>)> = None;
    for (step, from, to) in steps(sigmas) {
        let slope = (x.clone() - denoise(&x, from)?) / from;
        let ahead = match last {
            None => slope.clone(),
            Some((before, old)) => {
                slope.clone() + (slope.clone() - old) * (0.5 * (to - from) / (from - before))
            }
        };
        x = x + ahead * (to - from);
        last = Some((from, slope));
        on_step(step)?;
    }
    Ok(x)
}

/// UniPC-2 with B2(h), in the form that predicts the clean latent (Zhao et al. 2023, arXiv:2302.04867, algorithms 1 and
/// 2), as `scheduling_unipc_multistep.py` of diffusers 0.42.1 has it: the first and the last step are of first order.
fn unipc<const D: usize, E>(
    mut denoise: impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E>,
    mut x: Tensor<D>,
    sigmas: &[f64],
    mut on_step: impl FnMut(Step) -> Result<(), E>,
) -> Result<Tensor<D>, E> {
    // Where steps began, newest last: noise level, answer, and (of the newest) the corrected latent.
    let mut past: Vec<(f64, Tensor<D>)> = Vec::new();
    let mut began: Option<(Tensor<D>, usize)> = None;
    for (step, from, to) in steps(sigmas) {
        let clean = denoise(&x, from)?;
        if let Some((start, order)) = began {
            let step = Exponential::new(past[past.len() - 1].0, from);
            let last = past[past.len() - 1].1.clone();
            let change = clean.clone() - last.clone();
            let correction = match order {
                1 => change * 0.5,
                _ => {
                    let (before, older) = &past[past.len() - 2];
                    let ratio = step.ratio(*before);
                    let [first, second] = step.weights(ratio);
                    (older.clone() - last.clone()) * (first / ratio) + change * second
                }
            };
            x = step.towards(start, last) - correction * step.scale;
        }
        past.push((from, clean.clone()));
        let order = if past.len() == 1 || step.done == step.of {
            1
        } else {
            2
        };
        let ahead = Exponential::new(from, to);
        let mut next = ahead.towards(x.clone(), clean.clone());
        if order == 2 {
            let (before, older) = &past[past.len() - 2];
            let slope = (older.clone() - clean) / ahead.ratio(*before);
            next = next - slope * (0.5 * ahead.scale);
        }
        began = Some((x, order));
        x = next;
        if past.len() > 2 {
            past.remove(0);
        }
        on_step(step)?;
    }
    Ok(x)
}

/// A step of an exponential integrator from one noise level to another.
struct Exponential {
    /// Half the logarithm of the signal-to-noise ratio where it begins, and by how much that grows.
    begin: f64,
    length: f64,
    /// The share of the latent that stays.
    keep: f64,
    /// What the answer is multiplied with, negated: `(1 - sigma) (e^-h - 1)`.
    scale: f64,
}

impl Exponential {
    fn new(from: f64, to: f64) -> Self {
        let begin = log_ratio(from);
        let length = log_ratio(to) - begin;
        Self {
            begin,
            length,
            keep: to / from,
            scale: (1.0 - to) * (-length).exp_m1(),
        }
    }

    /// The exact answer if `clean` were right all along.
    fn towards<const D: usize>(&self, x: Tensor<D>, clean: Tensor<D>) -> Tensor<D> {
        x * self.keep - clean * self.scale
    }

    /// How far back an earlier level lies, in steps; negative.
    fn ratio(&self, sigma: f64) -> f64 {
        (log_ratio(sigma) - self.begin) / self.length
    }

    /// The corrector's weights of the older and of the newest difference.
    fn weights(&self, ratio: f64) -> [f64; 2] {
        let h = -self.length;
        let grown = h.exp_m1();
        let first = grown / h - 1.0;
        let second = first / h - 0.5;
        let [b1, b2] = [first / grown, 2.0 * second / grown];
        let older = (b1 - b2) / (1.0 - ratio);
        [older, b1 - older]
    }
}

/// `ln((1 - sigma) / sigma)`, finite where the flow begins.
fn log_ratio(sigma: f64) -> f64 {
    let sigma = sigma.min(1.0 - 1e-6);
    (1.0 - sigma).ln() - sigma.ln()
}

/// The flow's exact answer if `clean` were right all along the step: `keep = to / from` of the noise stays.
fn towards<const D: usize>(x: Tensor<D>, clean: Tensor<D>, keep: f64) -> Tensor<D> {
    x * keep + clean * (1.0 - keep)
}

/// The steps between neighbouring noise levels: what to report afterwards, where from, where to.
fn steps(sigmas: &[f64]) -> impl Iterator<Item = (Step, f64, f64)> + '_ {
    let of = sigmas.len().saturating_sub(1);
    sigmas.windows(2).enumerate().map(move |(i, w)| {
        (
            Step {
                done: i + 1,
                of,
                sigma: w[1],
            },
            w[0],
            w[1],
        )
    })
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No sampler has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sampler is called \"{0}\"")]
pub struct ParseSamplerError(pub String);

impl FromStr for Sampler {
    type Err = ParseSamplerError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| ParseSamplerError(name.to_owned()))
    }
}
