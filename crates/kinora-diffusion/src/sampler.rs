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
    pub const ALL: [Sampler; 3] = [Sampler::Euler, Sampler::Heun, Sampler::AdamsBashforth];

    /// The name in commands, recipes and configs.
    pub fn name(self) -> &'static str {
        match self {
            Sampler::Euler => "euler",
            Sampler::Heun => "heun",
            Sampler::AdamsBashforth => "ab2",
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
