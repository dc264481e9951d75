//! The learning rate: warm-up, constant, decay to zero over the last part (Hägele et al., 2024, "Scaling laws and
//! compute-optimal training beyond fixed training durations").

use serde::{Deserialize, Serialize};

/// A learning-rate schedule in steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The constant rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Steps of the whole run.
    pub total: u64,
    /// Steps of the decay to zero at the end, in the shape 1 - sqrt.
    pub decay: u64,
}

impl Schedule {
    /// The rate at `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        let rise = ((step + 1) as f64 / self.warmup.max(1) as f64).min(1.0);
        let into_decay = (step + 1 + self.decay).saturating_sub(self.total) as f64;
        let fall = 1.0 - (into_decay / (self.decay + 1) as f64).min(1.0).sqrt();
        self.learning_rate * rise * fall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_stays_and_falls_but_never_to_zero_within_the_run() {
        let schedule = Schedule {
            learning_rate: 2.0,
            warmup: 4,
            total: 20,
            decay: 8,
        };
        assert_eq!(schedule.at(0), 0.5);
        assert!((4..12).all(|step| schedule.at(step) == 2.0));
        assert!((12..19).all(|step| schedule.at(step) > schedule.at(step + 1)));
        assert!(schedule.at(19) > 0.0 && schedule.at(20) == 0.0);
    }
}
