//! What the recogniser makes of a clip, as a point that has a distance to others.

use crate::attributes::Attribute;
use kinora_stage::{Colour, Subject};

/// The attributes that make a character.
pub const IDENTITY: [Attribute; 2] = [Attribute::Subject, Attribute::Colour];

/// How likely each class of each attribute is.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    shares: Vec<Vec<f32>>,
}

impl Profile {
    /// Of the shares of the classes of each of [`Attribute::ALL`].
    pub(crate) fn new(shares: Vec<Vec<f32>>) -> Self {
        Self { shares }
    }

    /// The geometric mean of several, as of independent looks at one thing; `None` of none.
    pub fn mean(profiles: &[Profile]) -> Option<Profile> {
        let first = profiles.first()?;
        let shares = first.shares.iter().enumerate().map(|(attribute, classes)| {
            let log = |class: usize| {
                let each = profiles
                    .iter()
                    .map(|p| (p.shares[attribute][class] + 1e-6).ln());
                each.sum::<f32>() / profiles.len() as f32
            };
            let likely: Vec<f32> = (0..classes.len()).map(|class| log(class).exp()).collect();
            let total: f32 = likely.iter().sum();
            likely.into_iter().map(|share| share / total).collect()
        });
        Some(Self {
            shares: shares.collect(),
        })
    }

    /// Mean Hellinger distance over the attributes in `which`, 0 to 1.
    pub fn distance(&self, other: &Profile, which: &[Attribute]) -> f64 {
        let each = which.iter().map(|&attribute| {
            let [a, b] = [self, other].map(|profile| profile.of(attribute));
            let overlap: f32 = a.iter().zip(b).map(|(a, b)| (a * b).sqrt()).sum();
            f64::from((1.0 - overlap).max(0.0)).sqrt()
        });
        each.sum::<f64>() / which.len().max(1) as f64
    }

    /// Mean distance of all pairs over all attributes; 0 of fewer than two.
    pub fn diversity(profiles: &[Profile]) -> f64 {
        let pairs = profiles.iter().enumerate().flat_map(|(i, a)| {
            let distance = move |b| a.distance(b, &Attribute::ALL);
            profiles[..i].iter().map(distance)
        });
        let distances: Vec<f64> = pairs.collect();
        distances.iter().sum::<f64>() / distances.len().max(1) as f64
    }

    /// Who it most likely shows, and in which colour.
    pub fn character(&self) -> (Subject, Colour) {
        let most = |attribute| {
            let shares = self.of(attribute);
            let best = (0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b]));
            best.unwrap_or(0)
        };
        (
            Subject::ALL[most(Attribute::Subject)],
            Colour::ALL[most(Attribute::Colour)],
        )
    }

    fn of(&self, attribute: Attribute) -> &[f32] {
        let place = Attribute::ALL.iter().position(|&other| other == attribute);
        place.map_or(&[], |place| &self.shares[place])
    }
}

/// The probability that one of `near` is less than one of `far`: 1 when a threshold parts them, 0.5 by chance.
pub(crate) fn area_under_curve(near: &[f64], far: &[f64]) -> f64 {
    let wins = near.iter().flat_map(|n| {
        far.iter().map(move |f| match n.total_cmp(f) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 0.0,
        })
    });
    wins.sum::<f64>() / (near.len() * far.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(subject: usize, sure: f32) -> Profile {
        let shares = Attribute::ALL.map(|attribute| {
            let classes = attribute.classes();
            let rest = (1.0 - sure) / (classes - 1) as f32;
            (0..classes)
                .map(|class| {
                    if class == subject % classes {
                        sure
                    } else {
                        rest
                    }
                })
                .collect()
        });
        Profile::new(shares.to_vec())
    }

    #[test]
    fn profiles_are_as_far_apart_as_what_they_name() {
        let (fox, dog, faint) = (profile(1, 1.0), profile(2, 1.0), profile(1, 0.5));
        assert_eq!(fox.distance(&fox, &IDENTITY), 0.0);
        assert!((fox.distance(&dog, &IDENTITY) - 1.0).abs() < 1e-6);
        let between = fox.distance(&faint, &IDENTITY);
        assert!(0.0 < between && between < 1.0);
        assert_eq!(fox.character(), (Subject::ALL[1], Colour::ALL[1]));
        assert!((Profile::diversity(&[fox.clone(), fox.clone(), dog]) - 2.0 / 3.0).abs() < 1e-3);
        let mean = Profile::mean(&[fox.clone(), faint]).unwrap();
        assert_eq!(mean.character(), fox.character());
        assert_eq!(Profile::mean(&[]), None);
    }

    #[test]
    fn the_area_is_one_when_a_threshold_parts() {
        assert_eq!(area_under_curve(&[0.1, 0.2], &[0.3, 0.4]), 1.0);
        assert_eq!(area_under_curve(&[0.1, 0.4], &[0.2, 0.3]), 0.5);
        assert_eq!(area_under_curve(&[0.3], &[0.3]), 0.5);
    }
}
