//! The frame rate of a file that only says when each frame begins.

use crate::Fps;

/// Rates that clocks too coarse for them are taken to mean.
const COMMON: [(u32, u32); 16] = [
    (8, 1),
    (10, 1),
    (12, 1),
    (12_500, 1000),
    (15, 1),
    (16, 1),
    (20, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

/// The rate of frames that begin at `times` (rising, in ticks of which `scale`
/// make a second), the last of which ends at `end`.
///
/// Equal steps give their rate exactly, whatever the last frame's own length.
/// Steps that a rounding of a common rate explains give that rate. The rest
/// gives the mean, to a thousandth.
pub(crate) fn rate(scale: u32, times: &[u64], end: u64) -> Option<Fps> {
    let (&first, &last) = (times.first()?, times.last()?);
    let count = times.len() as u64;
    let total = end.checked_sub(first)?;
    let mut steps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let step = steps.next().unwrap_or(total);
    if step > 0 && steps.all(|other| other == step) {
        return Fps::new(scale, u32::try_from(step).ok()?).ok();
    }
    // In ticks, how far the frame at `index` is from where the rate puts it.
    let off = |(num, den): (u32, u32), index: u64, time: u64| {
        let place = index as f64 * f64::from(scale) * f64::from(den) / f64::from(num);
        ((time - first) as f64 - place).abs()
    };
    if last > first {
        let fitting = COMMON.into_iter().filter(|&rate| {
            (0..)
                .zip(times)
                .all(|(index, &time)| off(rate, index, time) < 1.0)
        });
        let nearest = fitting.min_by(|&a, &b| {
            let [a, b] = [a, b].map(|rate| off(rate, count, end));
            a.total_cmp(&b)
        });
        if let Some((num, den)) = nearest {
            return Fps::new(num, den).ok();
        }
    }
    let thousandths = u128::from(scale) * 1000 * u128::from(count) / u128::from(total.max(1));
    Fps::new(u32::try_from(thousandths).ok()?, 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_clocks_give_the_rate_that_was_meant() {
        let rounded = |scale: f64, fps: f64, count: usize| -> Option<Fps> {
            let at = |i: usize| (i as f64 * scale / fps).round() as u64;
            let times: Vec<u64> = (0..count).map(at).collect();
            rate(scale as u32, &times, at(count))
        };
        let fps = |num, den| Some(Fps::new(num, den).unwrap());
        assert_eq!(rounded(1000.0, 30.0, 40), fps(30, 1));
        assert_eq!(rounded(1000.0, 24_000.0 / 1001.0, 100), fps(24_000, 1001));
        assert_eq!(rounded(100.0, 12.0, 25), fps(12, 1));
        assert_eq!(rounded(90_000.0, 25.0, 1), fps(25, 1));
        assert_eq!(
            rate(600, &[0, 25, 50], 600),
            fps(24, 1),
            "a held last frame"
        );
        assert_eq!(rate(1000, &[0, 10, 500], 1000), fps(3, 1), "the mean");
        assert_eq!(rate(1000, &[5, 5, 5], 5), None);
        assert_eq!(rate(1000, &[], 5), None);
    }
}
