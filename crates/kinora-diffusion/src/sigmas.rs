//! Sigma schedules: which noise levels a sampler visits.

/// Moves a noise level towards 1 (`s > 1`) or 0 (`s < 1`); 0 and 1 stay where they are, `s = 1` changes nothing.
///
/// Larger latents hold more copies of the same content, so noise hides it later: a shift of about the square root of
/// the ratio of their sizes spends the steps where the picture is decided (Esser et al. 2024, "Scaling Rectified Flow
/// Transformers", section 5.3.2).
pub fn shift(sigma: f64, s: f64) -> f64 {
    s * sigma / (1.0 + (s - 1.0) * sigma)
}

/// `steps + 1` noise levels from `from` down to 0, evenly spaced before the shift.
///
/// `from` is 1 for pure noise and less for a start from a noised clip; it is a level after the shift, and the first
/// entry is exactly `from`. Without steps, or from 0, there is nothing to do: the schedule is `[from]`.
pub fn shifted(steps: usize, s: f64, from: f64) -> Vec<f64> {
    if steps == 0 || from == 0.0 {
        return vec![from];
    }
    let start = shift(from, 1.0 / s); // undo the shift, so that the grid is even underneath it
    let mut sigmas: Vec<f64> = (0..=steps)
        .map(|i| shift(start * (steps - i) as f64 / steps as f64, s))
        .collect();
    sigmas[0] = from;
    sigmas
}

/// [`shifted`] of a model that was trained at a thousand noise levels: evenly spaced from 1 towards a thousandth before
/// the shift, and then 0, as the flow schedule of `scheduling_unipc_multistep.py` in diffusers 0.42.1 has it.
pub fn from_thousand(steps: usize, s: f64) -> Vec<f64> {
    let even = |i: usize| 1.0 - 0.999 * i as f64 / steps as f64;
    (0..steps).map(|i| shift(even(i), s)).chain([0.0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_of_one_is_the_even_schedule() {
        assert_eq!(shifted(4, 1.0, 1.0), [1.0, 0.75, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn schedules_fall_from_the_start_to_zero() {
        for (steps, s, from) in [
            (1, 3.0, 1.0),
            (30, 5.0, 1.0),
            (30, 0.5, 0.6),
            (1000, 12.0, 0.999),
        ] {
            let sigmas = shifted(steps, s, from);
            assert_eq!(sigmas.len(), steps + 1);
            assert_eq!((sigmas[0], sigmas[steps]), (from, 0.0));
            assert!(sigmas.windows(2).all(|w| w[0] > w[1]), "{steps} {s} {from}");
        }
    }

    #[test]
    fn a_partial_schedule_is_the_tail_of_the_whole() {
        let whole = shifted(8, 3.0, 1.0);
        let tail = shifted(4, 3.0, whole[4]);
        assert!(
            tail.iter()
                .zip(&whole[4..])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }

    #[test]
    fn the_shift_undoes_itself() {
        for sigma in [0.0, 0.2, 0.9, 1.0] {
            assert!((shift(shift(sigma, 5.0), 1.0 / 5.0) - sigma).abs() < 1e-12);
        }
    }
}
