//! Decodes what a user hands over: videos, animations, pictures, folders of frames.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::codecs::gif::GifDecoder;
use image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage, imageops,
};

use crate::error::Refusal;
use crate::mp4::{Track, Turn, is_first};
use crate::{Clip, Fps, MediaError, ffmpeg, gif, h264};

/// The most memory a clip may take, in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// What reading needs to know besides the file.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The rate of what has none: pictures, folders, animations without times.
    pub fps: Fps,
    /// The most frames that are read; more are an error.
    pub max_frames: usize,
    /// The ffmpeg program that opens what this crate does not.
    pub ffmpeg: Option<PathBuf>,
}

/// Decodes `path` into a clip. Its content decides what it is, not its name.
///
/// - MP4 and MOV with progressive 8-bit H.264 in 4:2:0, with the edit list, the
///   turn, the colour matrix and the range that the file names;
/// - GIF, with disposal and transparency;
/// - PNG and JPEG as one frame;
/// - a folder of PNG frames of one size, in the order of their names;
/// - all else by the ffmpeg of `reader`, if there is one.
///
/// Each stored frame becomes one frame. Where their times are uneven, the clip
/// is even at their rate: the one that was rounded to the file's clock, or else
/// the mean. ffmpeg repeats and drops frames instead. What is transparent is
/// seen on black, pixels are taken as square, and sound is ignored.
///
/// # Errors
/// When the file can't be read, is damaged, changes its size, is too long, or is
/// of a kind that needs an ffmpeg which is missing or does not know it either.
pub fn read_clip(path: &Path, reader: &Reader) -> Result<Clip, MediaError> {
    read(path, None, reader).map(|(clip, _)| clip)
}

/// The frames in `range`, or all, and whether their rate is the file's own.
pub(crate) fn read(
    path: &Path,
    range: Option<Range<usize>>,
    reader: &Reader,
) -> Result<(Clip, bool), MediaError> {
    let gather = || Gather::new(path, range.clone(), reader);
    let mut gathered = gather();
    let (kind, decoded) = match form(path)? {
        Form::Folder => ("folder of PNG frames", folder(path, &mut gathered)),
        Form::Movie => ("MP4 file", movie(path, &mut gathered)),
        Form::Gif => ("GIF file", animation(path, &mut gathered)),
        Form::Still(format) => ("picture", still(path, format, &mut gathered)),
        Form::Other(what) => ("file", Err(Refusal::Foreign(what.into()))),
    };
    let rate = match decoded {
        Ok(rate) => rate,
        Err(Refusal::Other(error)) => return Err(error),
        Err(Refusal::Damaged(reason)) => {
            return Err(MediaError::Corrupt {
                path: path.to_owned(),
                kind,
                reason,
            });
        }
        Err(Refusal::Foreign(what)) => {
            let Some(program) = &reader.ffmpeg else {
                return Err(MediaError::Undecodable {
                    path: path.to_owned(),
                    reason: format!("it is {what}, which takes an ffmpeg on the PATH to open"),
                });
            };
            gathered = gather();
            Some(ffmpeg::decode(
                program,
                path,
                &what,
                reader.fps,
                &mut gathered,
            )?)
        }
    };
    let clip = gathered.finish(rate.unwrap_or(reader.fps))?;
    Ok((clip, rate.is_some()))
}

/// What a file is, by its first bytes.
pub(crate) enum Form {
    Folder,
    Movie,
    Gif,
    Still(ImageFormat),
    Other(&'static str),
}

/// Looks at the first bytes of `path`.
pub(crate) fn form(path: &Path) -> Result<Form, MediaError> {
    let io = |e| MediaError::io("read", path, e);
    let found = fs::metadata(path).map_err(io)?;
    if found.is_dir() {
        return Ok(Form::Folder);
    }
    if !found.is_file() {
        return Err(MediaError::Undecodable {
            path: path.to_owned(),
            reason: "it is a device or a pipe; save it to a file first".into(),
        });
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(16).read_to_end(&mut head).map_err(io)?;
    if head.is_empty() {
        return Err(MediaError::Corrupt {
            path: path.to_owned(),
            kind: "video or picture",
            reason: "it is empty".into(),
        });
    }
    let riff = |kind: &[u8]| head.starts_with(b"RIFF") && head.get(8..12) == Some(kind);
    Ok(match &head[..] {
        _ if head.get(4..8).is_some_and(is_first) => Form::Movie,
        [b'G', b'I', b'F', b'8', ..] => Form::Gif,
        [0x89, b'P', b'N', b'G', ..] => Form::Still(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Form::Still(ImageFormat::Jpeg),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Form::Other("a WebM or Matroska video"),
        [b'F', b'L', b'V', ..] => Form::Other("a Flash video"),
        [b'O', b'g', b'g', b'S', ..] => Form::Other("an Ogg file"),
        [0x47, ..] => Form::Other("perhaps an MPEG transport stream"),
        [0, 0, 1, 0xba, ..] => Form::Other("an MPEG programme stream"),
        [0, 0, 0, 1, ..] | [0, 0, 1, ..] => Form::Other("a bare video stream"),
        [b'B', b'M', ..] => Form::Other("a BMP picture"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Form::Other("a TIFF picture"),
        _ if riff(b"AVI ") => Form::Other("an AVI video"),
        _ if riff(b"WEBP") => Form::Other("a WebP picture"),
        _ => Form::Other("of a kind that Kinora does not know"),
    })
}

/// Collects frames, and refuses what no clip could hold before it is made.
pub(crate) struct Gather<'a> {
    path: &'a Path,
    range: Option<Range<usize>>,
    max_frames: usize,
    size: Option<(u32, u32)>,
    seen: usize,
    frames: Vec<Vec<u8>>,
}

impl<'a> Gather<'a> {
    fn new(path: &'a Path, range: Option<Range<usize>>, reader: &Reader) -> Self {
        Self {
            path,
            range,
            max_frames: reader.max_frames,
            size: None,
            seen: 0,
            frames: Vec::new(),
        }
    }

    /// How many frames there are; told before any is decoded.
    fn expect(&self, frames: usize) -> Result<(), MediaError> {
        match &self.range {
            Some(range) if range.end > frames => Err(self.beyond(range, frames)),
            Some(range) => self.check_count(range.len()),
            None => self.check_count(frames),
        }
    }

    fn check_count(&self, frames: usize) -> Result<(), MediaError> {
        if frames <= self.max_frames {
            return Ok(());
        }
        Err(self.too_long(format!(
            "its {frames} frames are more than {}",
            self.max_frames
        )))
    }

    fn too_long(&self, why: String) -> MediaError {
        MediaError::TooLong {
            path: self.path.to_owned(),
            reason: format!("{why}; trim it to a shorter part first"),
        }
    }

    fn beyond(&self, range: &Range<usize>, frames: usize) -> MediaError {
        MediaError::Cut {
            path: self.path.to_owned(),
            reason: format!(
                "frames {} to {} were asked for, and it has {frames}",
                range.start, range.end
            ),
        }
    }

    /// The count of frames after which no more are needed.
    pub(crate) fn end(&self) -> usize {
        match &self.range {
            Some(range) => range.end,
            // One more shows that there are too many.
            None => self.max_frames.saturating_add(1),
        }
    }

    /// How many frames came by.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Whether no more frames are needed.
    pub(crate) fn is_full(&self) -> bool {
        self.seen >= self.end()
    }

    fn wants_next(&self) -> bool {
        self.range
            .as_ref()
            .is_none_or(|range| range.contains(&self.seen))
    }

    /// Checks the next frame by its size, before it takes memory.
    pub(crate) fn check(&self, width: u32, height: u32) -> Result<(), MediaError> {
        let to = (width, height);
        if let Some(from) = self.size.filter(|&from| from != to) {
            return Err(MediaError::ChangingSize {
                path: self.path.to_owned(),
                from,
                to,
                frame: self.seen,
            });
        }
        let frames = self.frames.len() as u64 + u64::from(self.wants_next());
        if frames > self.max_frames as u64 {
            return Err(self.too_long(format!("it has more than {} frames", self.max_frames)));
        }
        let bytes = u64::from(width) * u64::from(height) * 3;
        if frames.saturating_mul(bytes) > MAX_BYTES {
            return Err(self.too_long(format!(
                "more than {} frames of {width}x{height} pixels take over {} GiB of memory",
                frames - 1,
                MAX_BYTES >> 30
            )));
        }
        Ok(())
    }

    /// Takes the next frame; `rgb` runs only if it is wanted.
    pub(crate) fn push(
        &mut self,
        width: u32,
        height: u32,
        rgb: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), MediaError> {
        self.check(width, height)?;
        self.size = Some((width, height));
        if self.wants_next() {
            self.frames.push(rgb());
        }
        self.seen += 1;
        Ok(())
    }

    fn finish(self, fps: Fps) -> Result<Clip, MediaError> {
        if let Some(range) = self.range.as_ref().filter(|range| self.seen < range.end) {
            return Err(self.beyond(range, self.seen));
        }
        let (width, height) = self.size.unwrap_or_default();
        Clip::new(width, height, fps, self.frames)
    }
}

fn movie(path: &Path, gather: &mut Gather) -> Result<Option<Fps>, Refusal> {
    let mut file = File::open(path).map_err(|e| MediaError::io("read", path, e))?;
    let track = Track::open(&mut file)?;
    if let Some(what) = track.foreign() {
        return Err(Refusal::Foreign(what));
    }
    gather.expect(track.order.len())?;
    let range = gather.range.clone().unwrap_or(0..track.order.len());
    let starts = track.starts(&mut file)?;
    gather.seen = range.start;
    h264::decode(&mut file, &track, &starts, range, |picture| {
        let (width, height) = (picture.width, picture.height);
        gather.check_turned(track.turn, width, height)?;
        let (width, height, rgb) = turned(track.turn, width, height, picture.rgb());
        Ok(gather.push(width, height, || rgb)?)
    })?;
    Ok(Some(track.fps))
}

impl Gather<'_> {
    fn check_turned(&self, turn: Turn, width: u32, height: u32) -> Result<(), MediaError> {
        match turn {
            Turn::Quarter | Turn::ThreeQuarters => self.check(height, width),
            _ => self.check(width, height),
        }
    }
}

fn turned(turn: Turn, width: u32, height: u32, rgb: Vec<u8>) -> (u32, u32, Vec<u8>) {
    let turn = match turn {
        Turn::None | Turn::Odd => return (width, height, rgb),
        Turn::Quarter => imageops::rotate90,
        Turn::Half => imageops::rotate180,
        Turn::ThreeQuarters => imageops::rotate270,
    };
    let picture = RgbImage::from_raw(width, height, rgb).expect("a decoded frame fills its size");
    let picture = turn(&picture);
    (picture.width(), picture.height(), picture.into_raw())
}

fn animation(path: &Path, gather: &mut Gather) -> Result<Option<Fps>, Refusal> {
    let open = || File::open(path).map_err(|e| MediaError::io("read", path, e));
    // The first pass notices what is cut short, and counts.
    let (shape, _) = gif::read(open()?).map_err(Refusal::Damaged)?;
    gather.expect(shape.frames)?;
    gather.check(shape.width, shape.height)?;
    let mut decoder = GifDecoder::new(BufReader::new(open()?)).map_err(refused)?;
    decoder.set_limits(limits()).map_err(refused)?;
    let frames = decoder.into_frames().take(shape.frames);
    for frame in frames {
        if gather.is_full() {
            break;
        }
        let picture = frame.map_err(refused)?.into_buffer();
        let (width, height) = picture.dimensions();
        gather.push(width, height, || {
            on_black(DynamicImage::ImageRgba8(picture)).into_raw()
        })?;
    }
    if gather.range.is_none() && gather.seen < shape.frames {
        return Err(Refusal::Damaged(format!(
            "it has {} frames, and {} can be decoded",
            shape.frames, gather.seen
        )));
    }
    Ok(shape.fps)
}

fn still(path: &Path, format: ImageFormat, gather: &mut Gather) -> Result<Option<Fps>, Refusal> {
    gather.expect(1)?;
    push_picture(path, format, gather)?;
    Ok(None)
}

fn folder(path: &Path, gather: &mut Gather) -> Result<Option<Fps>, Refusal> {
    let io = |e| MediaError::io("read", path, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        let extension = Path::new(&name).extension();
        if !hidden && extension.is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(Refusal::Damaged("it holds no .png file".into()));
    }
    names.sort();
    gather.expect(names.len())?;
    for name in names {
        if gather.is_full() {
            break;
        }
        if !gather.wants_next() {
            gather.seen += 1;
            continue;
        }
        push_picture(&path.join(&name), ImageFormat::Png, gather).map_err(|refusal| {
            let named = |reason| format!("{}: {reason}", name.display());
            match refusal {
                Refusal::Damaged(reason) | Refusal::Foreign(reason) => {
                    Refusal::Damaged(named(reason))
                }
                other => other,
            }
        })?;
    }
    Ok(None)
}

fn push_picture(path: &Path, format: ImageFormat, gather: &mut Gather) -> Result<(), Refusal> {
    let file = File::open(path).map_err(|e| MediaError::io("read", path, e))?;
    let mut file = BufReader::new(file);
    if !is_whole(&mut file, format) {
        return Err(Refusal::Damaged("it is truncated".into()));
    }
    let mut picture = ImageReader::with_format(file, format);
    picture.limits(limits());
    let mut decoder = picture.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    gather.check_count(1)?;
    let orientation = decoder.orientation().map_err(refused)?;
    if u64::from(width) * u64::from(height) * 3 > MAX_BYTES {
        gather.check(width, height)?;
    }
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    gather.push(width, height, || on_black(picture).into_raw())?;
    Ok(())
}

/// Whether the mark of the end is among the last bytes. Some cameras put padding
/// after it, and decoders would show a cut picture half grey.
fn is_whole(file: &mut (impl Read + Seek), format: ImageFormat) -> bool {
    let mark: &[u8] = match format {
        ImageFormat::Jpeg => b"\xff\xd9",
        _ => b"IEND\xae\x42\x60\x82",
    };
    let mut tail = Vec::new();
    let read = (|| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(1 << 16)))?;
        file.take(1 << 16).read_to_end(&mut tail)?;
        file.rewind()
    })();
    read.is_ok() && tail.windows(mark.len()).any(|window| window == mark)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(Clip::MAX_SIDE);
    limits.max_image_height = Some(Clip::MAX_SIDE);
    limits
}

fn refused(error: ImageError) -> Refusal {
    match error {
        ImageError::Unsupported(why) => {
            Refusal::Foreign(format!("a picture of a rare kind: {why}"))
        }
        other => Refusal::Damaged(other.to_string()),
    }
}

/// The picture without transparency, in eight bits.
fn on_black(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    let shaded = picture.pixels().flat_map(|pixel| {
        let [r, g, b, a] = pixel.0.map(u32::from);
        [r, g, b].map(|c| ((c * a + 127) / 255) as u8)
    });
    RgbImage::from_raw(width, height, shaded.collect()).expect("three bytes for each pixel")
}
