//! The colours of a take, so that its later parts keep those of its first.
//!
//! Each part of a long clip begins from what the one before ended with, so what a painter adds, mostly contrast and colour
//! from guidance, adds up from part to part. A colourist would match the shots (Reinhard et al. 2001, "Color Transfer between
//! Images"): the mean and the deviation of each colour are brought to those of the first part of the same prompt.

/// The least and the most that a part's contrast is changed by.
const GAIN: [f32; 2] = [0.7, 1.4];

/// Means and deviations of red, green and blue over some frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grade {
    mean: [f32; 3],
    deviation: [f32; 3],
}

impl Grade {
    /// Of RGB8 frames.
    pub fn of(frames: &[Vec<u8>]) -> Self {
        let (mut sums, mut squares, mut count) = ([0.0f64; 3], [0.0f64; 3], 0.0);
        for pixel in frames.iter().flat_map(|frame| frame.as_chunks::<3>().0) {
            for (channel, &value) in pixel.iter().enumerate() {
                sums[channel] += f64::from(value);
                squares[channel] += f64::from(value).powi(2);
            }
            count += 1.0;
        }
        let mean = sums.map(|sum| sum / f64::max(count, 1.0));
        let deviation = std::array::from_fn(|channel| {
            let square = squares[channel] / f64::max(count, 1.0);
            (square - mean[channel].powi(2)).max(0.0).sqrt() as f32
        });
        Self {
            mean: mean.map(|mean| mean as f32),
            deviation,
        }
    }

    /// Brings `frames`, which have the grade `from`, to this one.
    pub fn bring(&self, frames: &mut [Vec<u8>], from: &Self) {
        let tables: [[u8; 256]; 3] = std::array::from_fn(|channel| {
            let [least, most] = GAIN;
            let gain = self.deviation[channel] / from.deviation[channel].max(1.0);
            let gain = gain.clamp(least, most);
            std::array::from_fn(|value| {
                let apart = value as f32 - from.mean[channel];
                (self.mean[channel] + apart * gain).round() as u8 // saturates
            })
        });
        for pixel in frames
            .iter_mut()
            .flat_map(|frame| frame.as_chunks_mut::<3>().0)
        {
            for (value, table) in pixel.iter_mut().zip(&tables) {
                *value = table[usize::from(*value)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_the_colours_of_another() {
        let first = vec![
            vec![100, 50, 30, 140, 90, 50],
            vec![120, 70, 40, 120, 70, 40],
        ];
        let mut later: Vec<Vec<u8>> = first
            .iter()
            .map(|frame| frame.iter().map(|v| v / 5 * 6 + 10).collect())
            .collect();
        let (wanted, from) = (Grade::of(&first), Grade::of(&later));
        wanted.bring(&mut later, &from);
        for (a, b) in first.concat().into_iter().zip(later.concat()) {
            assert!(a.abs_diff(b) <= 1, "{a} became {b}");
        }
    }

    #[test]
    fn an_even_frame_stays_even() {
        let mut frames = vec![vec![9; 12]];
        let grade = Grade::of(&[vec![0, 0, 0, 255, 255, 255]]);
        let from = Grade::of(&frames);
        grade.bring(&mut frames, &from);
        assert_eq!(frames, [vec![128; 12]]);
        assert_eq!(Grade::of(&[]).deviation, [0.0; 3]);
    }
}
