//! PNG: single pictures, numbered frames, and the recipe as an iTXt chunk.

use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use image::RgbImage;
use serde_json::Value;

use crate::atomic::{write_file, write_inside};
use crate::probe::MAX_RECIPE;
use crate::{Clip, MediaError, Shape};

/// Keyword of the text chunk that holds the recipe.
const KEYWORD: &str = "kinora";
/// The recipe's name in a folder of frames.
pub(crate) const RECIPE_FILE: &str = "recipe.json";
/// Film's numbered frames begin here, so that handles can go before the first.
const FIRST_FRAME: usize = 1001;
/// The most memory the decoder of a foreign picture may take: rows, not pictures.
const MAX_BYTES: usize = 64 << 20;

/// A PNG holds one frame.
pub(crate) fn check(shape: Shape) -> Result<(), MediaError> {
    if shape.frames != 1 {
        return Err(MediaError::Unsuited {
            format: "PNG",
            reason: format!(
                "it has {} frames and a .png holds one; ask for 1 frame, a .mp4, a .gif, or a folder name ending in /",
                shape.frames
            ),
        });
    }
    Ok(())
}

/// Writes the only frame of `clip`, recipe in a text chunk.
///
/// # Errors
/// When the clip has more than one frame, or `out` refuses bytes.
pub fn write_png(clip: &Clip, recipe: &Value, out: &mut impl Write) -> Result<(), MediaError> {
    check(Shape::of(clip))?;
    encode(
        &clip.frames()[0],
        clip.width(),
        clip.height(),
        Some(recipe),
        out,
    )
    .map_err(|e| encode_error(e, "the PNG stream".as_ref()))
}

/// Writes a picture that is not a clip (a contact sheet, a curve) whole or not at all.
///
/// # Errors
/// When the file can't be written.
pub fn save_png(picture: &RgbImage, path: &Path) -> Result<(), MediaError> {
    write_file(path, |out| {
        encode(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            None,
            out,
        )
        .map_err(|e| encode_error(e, path))
    })
}

/// Writes each frame as a file of its own, the recipe in the first and beside them.
pub(crate) fn write_frames(clip: &Clip, recipe: &Value, folder: &Path) -> Result<(), MediaError> {
    let beside = folder.join(RECIPE_FILE);
    write_inside(&beside, |out| {
        writeln!(out, "{recipe:#}").map_err(|e| MediaError::io("write", &beside, e))
    })?;
    for (index, frame) in clip.frames().iter().enumerate() {
        let path = folder.join(frame_name(index));
        let recipe = (index == 0).then_some(recipe);
        write_inside(&path, |out| {
            encode(frame, clip.width(), clip.height(), recipe, out)
                .map_err(|e| encode_error(e, &path))
        })?;
    }
    Ok(())
}

/// The name of the frame at `index` in a folder.
pub(crate) fn frame_name(index: usize) -> String {
    format!("frame.{:04}.png", FIRST_FRAME + index)
}

/// Whether a file in a folder is one that [`write_frames`] names so.
pub(crate) fn is_frame_name(name: &str) -> bool {
    name.strip_prefix("frame.")
        .and_then(|rest| rest.strip_suffix(".png"))
        .is_some_and(|number| number.len() >= 4 && number.bytes().all(|b| b.is_ascii_digit()))
}

fn encode(
    pixels: &[u8],
    width: u32,
    height: u32,
    recipe: Option<&Value>,
    out: &mut impl Write,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(recipe) = recipe {
        encoder.add_itxt_chunk(KEYWORD.into(), recipe.to_string())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()
}

fn encode_error(error: png::EncodingError, path: &Path) -> MediaError {
    match error {
        png::EncodingError::IoError(e) => MediaError::io("write", path, e),
        other => MediaError::Encode {
            format: "PNG",
            reason: other.to_string(),
        },
    }
}

/// The shape and the recipe text of a PNG, after decoding all of it row by row.
///
/// # Errors
/// A sentence saying what is wrong with the file.
pub(crate) fn read(file: impl Read + Seek) -> Result<(Shape, Option<String>), String> {
    let limits = png::Limits { bytes: MAX_BYTES };
    let wrong = |e: png::DecodingError| e.to_string();
    let mut reader = png::Decoder::new_with_limits(BufReader::new(file), limits)
        .read_info()
        .map_err(wrong)?;
    while reader.next_row().map_err(wrong)?.is_some() {}
    reader.finish().map_err(wrong)?;
    let info = reader.info();
    let recipe = info
        .utf8_text
        .iter()
        .find(|chunk| chunk.keyword == KEYWORD)
        .cloned()
        .and_then(|mut chunk| {
            chunk.decompress_text_with_limit(MAX_RECIPE).ok()?;
            chunk.get_text().ok()
        });
    Ok((
        Shape {
            width: info.width,
            height: info.height,
            frames: 1,
            fps: None,
        },
        recipe,
    ))
}
