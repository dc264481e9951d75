//! Contact sheets: a row of frames under each label.

use image::RgbImage;
use image::imageops::replace;

use crate::draw::{BLACK, CELL, WHITE, text, wrap};

/// A label and the frames below it, of any sizes.
#[derive(Debug, Clone)]
pub struct SheetRow {
    /// What the frames show; it is wrapped to the sheet's width.
    pub label: String,
    /// The frames from left to right.
    pub frames: Vec<RgbImage>,
}

/// Space around each frame, in pixels.
const GAP: u32 = 4;
/// Height of a line of text.
const LINE: u32 = CELL + 3;
/// A sheet is never so narrow that its labels become columns of letters.
const LEAST_WIDTH: u32 = 160;

/// Lays out rows below one another, as wide as the widest needs.
pub fn contact_sheet(rows: &[SheetRow]) -> RgbImage {
    let row_width = |row: &SheetRow| GAP + row.frames.iter().map(|f| f.width() + GAP).sum::<u32>();
    let width = rows
        .iter()
        .map(row_width)
        .max()
        .unwrap_or(0)
        .max(LEAST_WIDTH);
    let labels: Vec<Vec<String>> = rows
        .iter()
        .map(|row| wrap(&row.label, ((width - 2 * GAP) / CELL) as usize))
        .collect();
    let row_height = |(row, label): (&SheetRow, &Vec<String>)| {
        GAP + label.len() as u32 * LINE
            + row.frames.iter().map(RgbImage::height).max().unwrap_or(0)
            + GAP
    };
    let height = rows.iter().zip(&labels).map(row_height).sum::<u32>().max(1);

    let mut sheet = RgbImage::from_pixel(width, height, WHITE);
    let mut top = i64::from(GAP);
    for (row, label) in rows.iter().zip(&labels) {
        let mut y = top;
        for line in label {
            text(&mut sheet, (i64::from(GAP), y), 1, BLACK, line);
            y += i64::from(LINE);
        }
        let mut x = i64::from(GAP);
        for frame in &row.frames {
            replace(&mut sheet, frame, x, y);
            x += i64::from(frame.width() + GAP);
        }
        top += i64::from(row_height((row, label)));
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn frames_stand_in_a_row_below_their_wrapped_label() {
        let red = RgbImage::from_pixel(40, 30, Rgb([255, 0, 0]));
        let row = |label: &str| SheetRow {
            label: label.into(),
            frames: vec![red.clone(); 5],
        };
        let two_lines = "a red fox runs through a snowy forest";
        let sheet = contact_sheet(&[row("fox"), row(two_lines)]);
        assert_eq!(
            sheet.dimensions(),
            (5 * 44 + 4, (8 + LINE + 30) + (8 + 2 * LINE + 30))
        );
        let reds = sheet.pixels().filter(|p| p.0 == [255, 0, 0]).count();
        assert_eq!(reds, 10 * 40 * 30, "each frame is whole");
        assert_eq!(sheet.get_pixel(4, GAP + LINE).0, [255, 0, 0]);
    }
}
