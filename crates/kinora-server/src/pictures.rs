//! Small pictures of a clip, and pictures from outside brought to one safe form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbImage};
use kinora_media::Clip;
use std::io::{self, BufReader, Seek, Write};

/// Longest side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 320;
/// Frames on a sprite sheet, and in a row of it.
const SPRITES: (usize, u32) = (25, 5);
/// Longest side of a sprite, in pixels.
const SPRITE: u32 = 160;
const QUALITY: u8 = 85;
/// The same of previews, which go through the record and to whoever listens.
const PREVIEW_QUALITY: u8 = 70;
/// Longest side of a picture from outside, in pixels.
pub const MAX_SIDE: u32 = 8_192;
/// Memory that decoding a picture may take, in bytes.
const MAX_DECODED: u64 = 512 << 20;

/// Why a picture from outside is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is of another kind.
    #[error("the picture is not a JPEG, PNG or WebP file")]
    Kind,
    /// It is damaged or too large.
    #[error("the picture can't be read: {0}")]
    Damaged(#[from] image::ImageError),
    /// The machine fails.
    #[error("the picture can't be read or written: {0}")]
    Io(#[from] io::Error),
}

/// A WebP picture of the clip's first frame.
///
/// # Errors
/// When it can't be written.
pub fn thumbnail(clip: &Clip, out: &mut (impl Write + Seek)) -> image::ImageResult<()> {
    let first = clip.spread(1).swap_remove(0);
    DynamicImage::from(inside(&first, THUMBNAIL)).write_to(out, ImageFormat::WebP)
}

/// A JPEG picture of the clip's first frame, as a `data:` URL.
///
/// # Errors
/// When it can't be written.
pub fn preview(clip: &Clip) -> image::ImageResult<String> {
    let first = clip.spread(1).swap_remove(0);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, PREVIEW_QUALITY)
        .encode_image(&inside(&first, THUMBNAIL))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

/// A JPEG sheet of frames from the first to the last, in rows.
///
/// # Errors
/// When it can't be written.
pub fn spritesheet(clip: &Clip, out: &mut impl Write) -> image::ImageResult<()> {
    let (most, across) = SPRITES;
    let sprites: Vec<RgbImage> = clip
        .spread(most)
        .iter()
        .map(|frame| inside(frame, SPRITE))
        .collect();
    let (width, height) = sprites[0].dimensions();
    let count = sprites.len() as u32;
    let mut sheet = RgbImage::new(width * across.min(count), height * count.div_ceil(across));
    for (index, sprite) in (0..).zip(&sprites) {
        let (column, row) = (index % across, index / across);
        imageops::replace(
            &mut sheet,
            sprite,
            (column * width).into(),
            (row * height).into(),
        );
    }
    JpegEncoder::new_with_quality(out, QUALITY).encode_image(&sheet)
}

/// Reads a JPEG, PNG or WebP picture within bounds and writes it as PNG.
///
/// # Errors
/// When it is none, is damaged, or is larger than [`MAX_SIDE`].
pub fn normalised(
    picture: impl io::Read + Seek,
    out: &mut (impl Write + Seek),
) -> Result<(), PictureError> {
    let mut reader = ImageReader::new(BufReader::new(picture)).with_guessed_format()?;
    let known = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
    if !reader
        .format()
        .is_some_and(|format| known.contains(&format))
    {
        return Err(PictureError::Kind);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let picture = DynamicImage::from(reader.decode()?.into_rgb8());
    picture.write_to(out, ImageFormat::Png)?;
    Ok(())
}

/// The picture, made smaller if a side is longer than `side`.
fn inside(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return picture.clone();
    }
    let scaled = |length: u32| {
        let pixels = u64::from(length) * u64::from(side) / u64::from(longest);
        (pixels as u32).max(1)
    };
    imageops::resize(picture, scaled(width), scaled(height), FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_media::Fps;
    use std::io::Cursor;

    fn clip(width: u32, height: u32, frames: u8) -> Clip {
        let frame = |value| vec![value; (width * height * 3) as usize];
        let fps = Fps::new(12, 1).unwrap();
        Clip::new(width, height, fps, (0..frames).map(frame).collect()).unwrap()
    }

    #[test]
    fn small_pictures_are_what_they_say() {
        let (clip, mut webp, mut jpeg) = (clip(640, 320, 30), Cursor::new(Vec::new()), Vec::new());
        thumbnail(&clip, &mut webp).unwrap();
        spritesheet(&clip, &mut jpeg).unwrap();
        let read = |bytes: &[u8]| {
            let reader = ImageReader::new(Cursor::new(bytes))
                .with_guessed_format()
                .unwrap();
            (reader.format(), reader.into_dimensions().unwrap())
        };
        assert_eq!(read(webp.get_ref()), (Some(ImageFormat::WebP), (320, 160)));
        assert_eq!(read(&jpeg), (Some(ImageFormat::Jpeg), (800, 400)));
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
        let mut png = Cursor::new(Vec::new());
        let small = DynamicImage::from(RgbImage::new(4, 4));
        small.write_to(&mut png, ImageFormat::Png).unwrap();
        let mut bytes = png.into_inner();
        bytes[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        let mut crc = 0xffff_ffff_u32; // of the changed head, so that the size alone is at fault
        for byte in &bytes[12..29] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
            }
        }
        bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
        let refused = normalised(Cursor::new(bytes), &mut Cursor::new(Vec::new()));
        assert!(
            matches!(refused, Err(PictureError::Damaged(_))),
            "{refused:?}"
        );
        let text = normalised(Cursor::new(b"hello".to_vec()), &mut Cursor::new(Vec::new()));
        assert!(matches!(text, Err(PictureError::Kind)));
    }
}
