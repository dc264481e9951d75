//! Text, lines and boxes on a picture, for sheets and curves.

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Side of a letter's cell at scale 1, in pixels.
pub(crate) const CELL: u32 = 8;

pub(crate) const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
pub(crate) const BLACK: Rgb<u8> = Rgb([20, 20, 20]);
pub(crate) const GREY: Rgb<u8> = Rgb([222, 222, 222]);

/// Sets a pixel; outside the picture it does nothing.
pub(crate) fn dot(picture: &mut RgbImage, x: i64, y: i64, color: Rgb<u8>) {
    if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
        && let Some(pixel) = picture.get_pixel_mut_checked(x, y)
    {
        *pixel = color;
    }
}

/// Fills a box.
pub(crate) fn fill(picture: &mut RgbImage, (x, y): (i64, i64), (w, h): (u32, u32), color: Rgb<u8>) {
    for dy in 0..i64::from(h) {
        for dx in 0..i64::from(w) {
            dot(picture, x + dx, y + dy, color);
        }
    }
}

/// A straight line of the given thickness between two points.
pub(crate) fn line(
    picture: &mut RgbImage,
    from: (f64, f64),
    to: (f64, f64),
    thick: u32,
    color: Rgb<u8>,
) {
    let steps = (to.0 - from.0)
        .abs()
        .max((to.1 - from.1).abs())
        .ceil()
        .clamp(1.0, 1e5);
    let half = f64::from(thick - 1) / 2.0;
    for step in 0..=steps as u32 {
        let t = f64::from(step) / steps;
        let at = |a: f64, b: f64| (a + (b - a) * t - half).round() as i64;
        fill(
            picture,
            (at(from.0, to.0), at(from.1, to.1)),
            (thick, thick),
            color,
        );
    }
}

/// One line of text, its top left corner at `(x, y)`. Letters without a glyph
/// show as `?`.
pub(crate) fn text(
    picture: &mut RgbImage,
    (x, y): (i64, i64),
    scale: u32,
    color: Rgb<u8>,
    text: &str,
) {
    let fallback = [0x3c, 0x42, 0x40, 0x30, 0x10, 0, 0x10, 0];
    let mut left = x;
    for letter in text.chars() {
        let glyph = BASIC_FONTS
            .get(letter)
            .or_else(|| LATIN_FONTS.get(letter))
            .unwrap_or(fallback);
        for (row, bits) in (0i64..).zip(glyph) {
            for column in (0..8i64).filter(|column| bits >> column & 1 == 1) {
                let corner = (left + column * i64::from(scale), y + row * i64::from(scale));
                fill(picture, corner, (scale, scale), color);
            }
        }
        left += i64::from(CELL * scale);
    }
}

/// Width of a line of text in pixels.
pub(crate) fn text_width(text: &str, scale: u32) -> u32 {
    text.chars().count() as u32 * CELL * scale
}

/// Breaks text at spaces into lines of at most `columns` letters; a longer word
/// is cut.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(columns) {
            let line = lines.last_mut().expect("there is always a line");
            let used = line.chars().count();
            if used == 0 {
                line.extend(piece);
            } else if used + 1 + piece.len() <= columns {
                line.push(' ');
                line.extend(piece);
            } else {
                lines.push(piece.iter().collect());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_spaces_and_cuts_long_words() {
        assert_eq!(wrap("a red fox runs", 9), ["a red fox", "runs"]);
        assert_eq!(wrap("kinematograph", 5), ["kinem", "atogr", "aph"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
