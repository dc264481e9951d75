//! Classifier-free guidance, and the step from a network's velocity to the denoiser that samplers work on.

use burn::tensor::Tensor;
use std::ops::{Range, RangeInclusive};

/// What the network is asked for in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branches {
    /// The velocity under the prompt: input and answer are `[B, ...]`.
    Positive,
    /// Under the prompt and under the negative prompt: input and answer are `[2B, ...]`, the prompt's half first.
    Both,
}

/// Classifier-free guidance (Ho and Salimans 2022).
#[derive(Clone, Debug, PartialEq)]
pub struct Guidance {
    /// How far to go from the negative prompt's answer towards the prompt's; 1 is the prompt alone.
    pub scale: f64,
    /// The sigmas at which guidance acts; outside, the prompt alone is asked, in one half of the time (Kynkäänniemi
    /// et al. 2024, "Applying Guidance in a Limited Interval").
    pub interval: RangeInclusive<f64>,
    /// A sigma below which another scale holds, as the second expert of Wan 2.2 has it, and that scale.
    pub below: Option<(f64, f64)>,
}

impl Guidance {
    /// Guidance at every noise level.
    pub fn everywhere(scale: f64) -> Self {
        Self {
            scale,
            interval: 0.0..=1.0,
            below: None,
        }
    }

    /// The same in a part of a schedule alone: the steps that begin within `span`, in shares of them all.
    pub fn within(self, span: &Range<f64>, sigmas: &[f64]) -> Self {
        let steps = sigmas.len().saturating_sub(1);
        let guided = |&step: &usize| span.contains(&(step as f64 / steps as f64));
        let first = (0..steps).find(guided);
        let last = (0..steps).rfind(guided);
        let interval = match first.zip(last) {
            Some((first, last)) => sigmas[last]..=sigmas[first],
            None => RangeInclusive::new(1.0, 0.0), // nowhere
        };
        Self { interval, ..self }
    }

    /// The scale at a noise level; 1 asks the prompt alone.
    fn scale_at(&self, sigma: f64) -> f64 {
        match self.below {
            _ if !self.interval.contains(&sigma) => 1.0,
            Some((boundary, scale)) if sigma < boundary => scale,
            _ => self.scale,
        }
    }
}

/// The guided denoiser of a network that predicts the velocity.
///
/// `velocity(x, sigma, branches)` answers the velocity for each item of `x`; see [`Branches`] for the shapes.
pub fn denoiser<const D: usize, E>(
    mut velocity: impl FnMut(Tensor<D>, f64, Branches) -> Result<Tensor<D>, E>,
    guidance: Guidance,
) -> impl FnMut(&Tensor<D>, f64) -> Result<Tensor<D>, E> {
    move |x, sigma| {
        let scale = guidance.scale_at(sigma);
        let v = if scale != 1.0 {
            let batch = x.dims()[0];
            let twice = Tensor::cat(vec![x.clone(), x.clone()], 0);
            let both = velocity(twice, sigma, Branches::Both)?;
            let positive = both.clone().narrow(0, 0, batch);
            let negative = both.narrow(0, batch, batch);
            negative.clone() + (positive - negative) * scale
        } else {
            velocity(x.clone(), sigma, Branches::Positive)?
        };
        Ok(x.clone() - v * sigma)
    }
}
