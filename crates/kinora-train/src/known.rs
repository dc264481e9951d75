//! Clips whose class is known, and the class of the clips that a new one resembles most: how measurements of geometry
//! are calibrated on renders.

use serde::{Deserialize, Serialize};

/// Nearest examples that vote.
const NEIGHBOURS: usize = 15;

/// Examples of each class, in features of one length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known<T> {
    /// What each feature is divided by.
    scale: Vec<f32>,
    examples: Vec<(T, Vec<f32>)>,
}

impl<T: Copy + PartialEq> Known<T> {
    /// Gathers examples of `N` features; each feature's scale is its spread, measured so that strays do not stretch it.
    pub fn new<const N: usize>(examples: &[(T, [f32; N])]) -> Self {
        let scale = (0..N).map(|feature| {
            let mut values: Vec<f32> = examples.iter().map(|(_, all)| all[feature]).collect();
            values.sort_by(f32::total_cmp);
            let quantile = |share: f64| {
                let last = values.len().saturating_sub(1) as f64;
                values.get((last * share) as usize).copied().unwrap_or(0.0)
            };
            (quantile(0.9) - quantile(0.1)).max(1e-6)
        });
        let scale: Vec<f32> = scale.collect();
        let examples = examples
            .iter()
            .map(|(known, features)| (*known, rounded(&scaled(features, &scale))))
            .collect();
        Self { scale, examples }
    }

    /// The class that the nearest examples vote for, nearer ones with more weight, rare classes as much as common ones;
    /// none without examples.
    pub fn classify(&self, features: &[f32]) -> Option<T> {
        let query = scaled(features, &self.scale);
        let distance = |known: &[f32]| {
            let squares = known.iter().zip(&query).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f32>().sqrt()
        };
        let mut near: Vec<(f32, T)> = self
            .examples
            .iter()
            .map(|(known, features)| (distance(features), *known))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(NEIGHBOURS);
        let votes = |class: T| {
            let common = self.examples.iter().filter(|(other, _)| *other == class);
            let nearness = near
                .iter()
                .filter(|(_, known)| *known == class)
                .map(|(distance, _)| 1.0 / (distance + 0.05));
            nearness.sum::<f32>() / (common.count() as f32).sqrt()
        };
        let ranked = near.iter().map(|&(_, class)| (votes(class), class));
        ranked
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, class)| class)
    }
}

/// Features in units of their spread; the logarithm keeps large ones from drowning the rest.
fn scaled(features: &[f32], scale: &[f32]) -> Vec<f32> {
    let squash = |value: f32| value.signum() * (1.0 + 4.0 * value.abs()).ln();
    features
        .iter()
        .zip(scale)
        .map(|(value, scale)| squash(value / scale))
        .collect()
}

/// Three decimals, which is finer than the noise and keeps the file small.
fn rounded(values: &[f32]) -> Vec<f32> {
    values
        .iter()
        .map(|value| (value * 1000.0).round() / 1000.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_for_what_is_alike() {
        let example = |first: f32| [first, 0.0];
        let classes = [('l', -1.0), ('s', 0.0), ('r', 1.0)];
        let examples: Vec<_> = (0..30)
            .map(|i| {
                (
                    classes[i % 3].0,
                    example(classes[i % 3].1 + i as f32 * 0.005),
                )
            })
            .collect();
        let known = Known::new(&examples);
        assert_eq!(known.classify(&example(0.9)), Some('r'));
        assert_eq!(known.classify(&example(0.05)), Some('s'));
        assert_eq!(Known::<char>::new::<2>(&[]).classify(&example(0.0)), None);
    }
}
