//! Line charts as pictures: loss curves and the like.

use image::{Rgb, RgbImage};

use crate::draw::{BLACK, CELL, GREY, WHITE, fill, line, text, text_width};

/// A named curve.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Points `(x, y)` in the order they are joined; those that are not finite
    /// (or, on a log axis, not positive) leave a gap.
    pub points: Vec<(f64, f64)>,
}

/// A chart of one or more curves over a common x.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Stands above the chart.
    pub title: String,
    /// Stands below the x axis, with its unit.
    pub x_label: String,
    /// Stands above the y axis, with its unit.
    pub y_label: String,
    /// A logarithmic y axis.
    pub log_y: bool,
    /// The curves; the first is blue.
    pub series: Vec<Series>,
}

/// Colours told apart by colour-blind eyes (Okabe and Ito, 2008).
const COLORS: [Rgb<u8>; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([60, 60, 60]),
];
const SCALE: u32 = 2;
const LETTER: i64 = (CELL * SCALE) as i64;
const LEFT: u32 = 8 * CELL * SCALE;
const RIGHT: u32 = 2 * CELL * SCALE;
const TOP: u32 = 5 * CELL * SCALE;
const BOTTOM: u32 = 4 * CELL * SCALE;

impl Chart {
    /// Draws the chart, 480x320 pixels at the least.
    pub fn draw(&self, width: u32, height: u32) -> RgbImage {
        let (width, height) = (width.max(480), height.max(320));
        let mut picture = RgbImage::from_pixel(width, height, WHITE);
        let points = || {
            self.series
                .iter()
                .flat_map(|s| &s.points)
                .filter(|p| self.visible(p))
        };
        let x = Axis::over(points().map(|p| p.0), false, (LEFT, width - RIGHT));
        let y = Axis::over(points().map(|p| p.1), self.log_y, (height - BOTTOM, TOP));

        self.draw_frame(&mut picture, &x, &y);
        for (series, color) in self.series.iter().zip(COLORS.iter().cycle()) {
            for pair in series
                .points
                .windows(2)
                .filter(|pair| pair.iter().all(|p| self.visible(p)))
            {
                let [from, to] = [pair[0], pair[1]].map(|p| (x.at(p.0), y.at(p.1)));
                line(&mut picture, from, to, 2, *color);
            }
        }
        self.draw_legend(&mut picture);
        picture
    }

    fn visible(&self, &(x, y): &(f64, f64)) -> bool {
        x.is_finite() && y.is_finite() && (!self.log_y || y > 0.0)
    }

    fn draw_frame(&self, picture: &mut RgbImage, x: &Axis, y: &Axis) {
        let (left, right) = (x.pixels.0, x.pixels.1);
        let (bottom, top) = (y.pixels.0, y.pixels.1);
        for tick in x.ticks() {
            let (at, label) = (x.at(tick), number(tick));
            line(picture, (at, top), (at, bottom), 1, GREY);
            let start = at as i64 - i64::from(text_width(&label, SCALE)) / 2;
            text(picture, (start, bottom as i64 + 6), SCALE, BLACK, &label);
        }
        for tick in y.ticks() {
            let (at, label) = (y.at(tick), number(tick));
            line(picture, (left, at), (right, at), 1, GREY);
            let start = left as i64 - 6 - i64::from(text_width(&label, SCALE));
            text(
                picture,
                (start, at as i64 - LETTER / 2),
                SCALE,
                BLACK,
                &label,
            );
        }
        line(picture, (left, top), (left, bottom), 2, BLACK);
        line(picture, (left, bottom), (right, bottom), 2, BLACK);

        let centred =
            |words: &str| (i64::from(picture.width()) - i64::from(text_width(words, SCALE))) / 2;
        let (title, below) = (centred(&self.title), centred(&self.x_label));
        text(picture, (title, 6), SCALE, BLACK, &self.title);
        text(
            picture,
            (below, i64::from(picture.height()) - LETTER - 6),
            SCALE,
            BLACK,
            &self.x_label,
        );
        text(
            picture,
            (6, top as i64 - LETTER - 6),
            SCALE,
            BLACK,
            &self.y_label,
        );
    }

    /// Names in a line between title and chart, up to the right edge.
    fn draw_legend(&self, picture: &mut RgbImage) {
        let width = |series: &Series| 3 * LETTER + i64::from(text_width(&series.name, SCALE));
        let mut x = i64::from(picture.width() - RIGHT) - self.series.iter().map(width).sum::<i64>();
        let y = i64::from(TOP) - LETTER - 6;
        for (series, color) in self.series.iter().zip(COLORS.iter().cycle()) {
            fill(
                picture,
                (x + LETTER, y + LETTER / 2 - 2),
                ((LETTER * 3 / 2) as u32, 4),
                *color,
            );
            text(picture, (x + 3 * LETTER, y), SCALE, BLACK, &series.name);
            x += width(series);
        }
    }
}

/// A range of values along a range of pixels.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    pixels: (f64, f64),
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, log: bool, pixels: (u32, u32)) -> Self {
        let forward = |v: f64| if log { v.log10() } else { v };
        let (mut low, mut high) = values
            .map(forward)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // A flat or empty curve still needs an axis around it.
        let margin = ((high - low) * 0.04).max(low.abs() * 1e-3).max(1e-9);
        Self {
            low: low - margin,
            high: high + margin,
            log,
            pixels: (pixels.0.into(), pixels.1.into()),
        }
    }

    fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        self.pixels.0
            + (value - self.low) / (self.high - self.low) * (self.pixels.1 - self.pixels.0)
    }

    /// Round values inside the range: steps of 1, 2 or 5, or on a log axis
    /// those digits of each decade.
    fn ticks(&self) -> Vec<f64> {
        let decades = self.high - self.low;
        if self.log && decades > 0.6 {
            let digits: &[f64] = if decades > 4.0 {
                &[1.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            return (self.low.floor() as i32..=self.high.ceil() as i32)
                .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
                .filter(|v| (self.low..=self.high).contains(&v.log10()))
                .collect();
        }
        let (low, high) = if self.log {
            (10f64.powf(self.low), 10f64.powf(self.high))
        } else {
            (self.low, self.high)
        };
        let rough = (high - low) / 6.0;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * decade)
            .into_iter()
            .find(|s| *s >= rough)
            .unwrap_or(10.0 * decade);
        let first = (low / step).ceil() as i64;
        (first..)
            .map(|n| n as f64 * step)
            .take_while(|v| *v <= high)
            .take(20)
            .collect()
    }
}

/// A short number for a tick: 0.05, 20k, 1.5M.
fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        v if v > 0.0 && v < 1e-3 => return format!("{value:.0e}"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{unit}", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = |low, high, log| Axis {
            low,
            high,
            log,
            pixels: (0.0, 100.0),
        };
        assert_eq!(
            axis(0.0, 1.0, false).ticks(),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(
            axis(-2.0, 0.0, true).ticks(),
            [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
        );
        assert_eq!(
            [20_000.0, 0.05, 1e-5, 1.5e6].map(number),
            ["20k", "0.05", "1e-5", "1.5M"]
        );
    }

    #[test]
    fn a_curve_goes_where_its_points_are() {
        let series = Series {
            name: "loss".into(),
            points: vec![(0.0, 1.0), (f64::NAN, 1.0), (5.0, 0.1), (10.0, 0.1)],
        };
        let chart = Chart {
            title: "Loss".into(),
            x_label: "step".into(),
            y_label: "mse".into(),
            log_y: true,
            series: vec![series],
        };
        let picture = chart.draw(640, 400);
        let blue = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            x.flat_map(|x| y.clone().map(move |y| (x, y)))
                .filter(|&(x, y)| *picture.get_pixel(x, y) == COLORS[0])
                .count()
        };
        let middle = (LEFT + 640 - RIGHT) / 2;
        assert!(
            blue(middle + 9..640, 250..400) > 200,
            "the flat right half lies low"
        );
        assert_eq!(
            blue(LEFT..middle - 9, TOP..400),
            0,
            "the broken left half has no line"
        );
    }
}
