//! Cuts and joins files, frame by frame, and encodes again only what it must.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::atomic::write_file;
use crate::color::{Color, rgb_to_yuv420};
use crate::error::Refusal;
use crate::h264::{self, Encoder};
use crate::mp4::{Data, Look, Movie, Placed, Track, Turn, entry, write_movie};
use crate::output::{Output, Shape, write};
use crate::read::{Form, Reader, form, read};
use crate::{Clip, Fps, MediaError};

/// How the frames of a cut or joined file came into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Frames whose coded bytes were copied.
    pub copied: usize,
    /// Frames that were decoded and encoded again.
    pub encoded: usize,
}

/// Writes the frames in `range` of `input`, counted from 0, to `output`.
///
/// From H.264 to H.264, coded frames are copied wherever the file can be cut
/// without others: whole groups of pictures, and of the last one what is decoded
/// first. Other frames, and frames of or to another kind of file, are decoded
/// and encoded again. The rate is that of [`crate::read_clip`]; sound is left out.
///
/// # Errors
/// When the range is empty or ends after the last frame, `output` is `input`, a
/// file can't be read or written, or the format can't hold the frames.
pub fn trim(
    input: &Path,
    range: Range<usize>,
    recipe: &Value,
    output: &Output,
    reader: &Reader,
) -> Result<Copied, MediaError> {
    if range.is_empty() {
        return Err(MediaError::Cut {
            path: input.to_owned(),
            reason: format!("no frame lies from {} to {}", range.start, range.end),
        });
    }
    assemble(&[(input, Some(range))], recipe, output, reader)
}

/// Writes all frames of `inputs`, one file after the other, to `output`.
///
/// All must have one size and one rate; pictures and folders, which have no
/// rate, take that of the others. Coded frames are copied as in [`trim`].
///
/// # Errors
/// When there is no input, the inputs differ in size or rate, one of them is
/// `output`, a file can't be read or written, or the format can't hold the frames.
pub fn concat(
    inputs: &[PathBuf],
    recipe: &Value,
    output: &Output,
    reader: &Reader,
) -> Result<Copied, MediaError> {
    let parts: Vec<_> = inputs.iter().map(|path| (path.as_path(), None)).collect();
    assemble(&parts, recipe, output, reader)
}

/// A file, and the frames of it that are wanted.
type Part<'a> = (&'a Path, Option<Range<usize>>);

fn assemble(
    parts: &[Part],
    recipe: &Value,
    output: &Output,
    reader: &Reader,
) -> Result<Copied, MediaError> {
    output.check_destination()?;
    for (path, _) in parts {
        check_apart(path, output)?;
    }
    let mut reader = reader.clone();
    let mut sources = Vec::new();
    for part in parts {
        let source = Source::open(part, &reader)?;
        // Each part takes its share of the frames that may be in memory.
        if let What::Pictures(clip) = &source.what {
            reader.max_frames -= clip.frames().len();
        }
        sources.push(source);
    }
    let (size, fps) = common(&sources, reader.fps)?;
    let shape = Shape {
        width: size.0,
        height: size.1,
        frames: sources.iter().map(|source| source.range.len()).sum(),
        fps: Some(fps),
    };
    if matches!(output, Output::Mp4(_) | Output::Stdout)
        && let Some(copied) = splice(&mut sources, shape, recipe, output)?
    {
        return Ok(copied);
    }

    output.check_shape(shape)?;
    let mut frames = Vec::with_capacity(shape.frames);
    for source in sources {
        let clip = match source.what {
            What::Pictures(clip) => clip,
            What::Movie { .. } => {
                let (clip, _) = read(source.path, Some(source.range), &reader)?;
                reader.max_frames -= clip.frames().len();
                clip
            }
        };
        frames.extend(clip.into_frames());
    }
    let encoded = frames.len();
    write(&Clip::new(size.0, size.1, fps, frames)?, recipe, output)?;
    Ok(Copied { copied: 0, encoded })
}

/// Refuses an output that would replace an input, or a folder it lies in.
fn check_apart(input: &Path, output: &Output) -> Result<(), MediaError> {
    let Some(path) = output.path() else {
        return Ok(());
    };
    let real = |path: &Path| fs::canonicalize(path);
    let input = real(input).map_err(|e| MediaError::io("read", input, e))?;
    if real(path).is_ok_and(|path| input.starts_with(path)) {
        return Err(MediaError::destination(
            path,
            format!("{} is read to make it; name another", input.display()),
        ));
    }
    Ok(())
}

/// An opened input.
struct Source<'a> {
    path: &'a Path,
    range: Range<usize>,
    size: (u32, u32),
    /// `None` for pictures without a clock.
    fps: Option<Fps>,
    what: What,
}

enum What {
    /// H.264, not decoded yet.
    Movie {
        file: File,
        track: Track,
        starts: Vec<usize>,
    },
    Pictures(Clip),
}

impl<'a> Source<'a> {
    fn open((path, range): &Part<'a>, reader: &Reader) -> Result<Self, MediaError> {
        if matches!(form(path)?, Form::Movie) {
            match open_movie(path) {
                Ok((file, track, starts)) => {
                    let frames = track.order.len();
                    let range = range.clone().unwrap_or(0..frames);
                    if range.end > frames {
                        return Err(MediaError::Cut {
                            path: path.to_path_buf(),
                            reason: format!(
                                "frames {} to {} were asked for, and it has {frames}",
                                range.start, range.end
                            ),
                        });
                    }
                    return Ok(Self {
                        path,
                        range,
                        size: (track.width, track.height),
                        fps: Some(track.fps),
                        what: What::Movie {
                            file,
                            track,
                            starts,
                        },
                    });
                }
                Err(Refusal::Foreign(_)) => {}
                Err(Refusal::Damaged(reason)) => return Err(corrupt(path, reason)),
                Err(Refusal::Other(error)) => return Err(error),
            }
        }
        let (clip, rated) = read(path, range.clone(), reader)?;
        Ok(Self {
            path,
            range: 0..clip.frames().len(),
            size: (clip.width(), clip.height()),
            fps: rated.then_some(clip.fps()),
            what: What::Pictures(clip),
        })
    }
}

fn open_movie(path: &Path) -> Result<(File, Track, Vec<usize>), Refusal> {
    let mut file = File::open(path).map_err(|e| MediaError::io("read", path, e))?;
    let track = Track::open(&mut file)?;
    if track.odd {
        return Err(Refusal::Foreign("a film that loops or jumps".into()));
    }
    let starts = track.starts(&mut file)?;
    Ok((file, track, starts))
}

fn corrupt(path: &Path, reason: String) -> MediaError {
    MediaError::Corrupt {
        path: path.to_owned(),
        kind: "MP4 file",
        reason,
    }
}

/// The size and rate that all sources share.
fn common(sources: &[Source], fallback: Fps) -> Result<((u32, u32), Fps), MediaError> {
    let first = sources
        .first()
        .ok_or_else(|| MediaError::Clip("no file was named".into()))?;
    let fps = sources.iter().find_map(|source| source.fps);
    let fps = fps.unwrap_or(fallback);
    for source in sources {
        let ((w, h), (first_w, first_h)) = (source.size, first.size);
        let reason = if source.size != first.size {
            format!(
                "it has {w}x{h} pixels where the first has {first_w}x{first_h}; bring it to that size first"
            )
        } else if source.fps.is_some_and(|own| own != fps) {
            let own = source.fps.unwrap_or(fps);
            format!(
                "it has {own} frames per second where the first has {fps}; bring it to that rate first"
            )
        } else {
            continue;
        };
        return Err(MediaError::Join {
            path: source.path.to_owned(),
            reason,
        });
    }
    Ok((first.size, fps))
}

/// Frames of a source that come into the new file in one way.
enum Piece {
    /// Samples as they are, the first of which to be shown is `shown`.
    Copy { samples: Range<usize>, shown: usize },
    /// Frames to be encoded.
    Encode(Range<usize>),
}

/// Puts the sources into one track, copying what it can. `None` when they can't
/// share a track: then all has to be encoded again.
fn splice(
    sources: &mut [Source],
    shape: Shape,
    recipe: &Value,
    output: &Output,
) -> Result<Option<Copied>, MediaError> {
    let mut plan = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let pieces = match &source.what {
            What::Pictures(_) => vec![Piece::Encode(source.range.clone())],
            What::Movie { track, starts, .. } => pieces(track, starts, source.range.clone()),
        };
        plan.extend(pieces.into_iter().map(|piece| (number, piece)));
    }
    let Some(color) = shared_color(sources, &plan, shape) else {
        return Ok(None);
    };

    let mut movie = Movie {
        shape,
        entries: Vec::new(),
        samples: Vec::with_capacity(shape.frames),
    };
    let mut copied = Copied {
        copied: 0,
        encoded: 0,
    };
    for (number, piece) in plan {
        let base = movie.samples.len();
        let before = sources[..number].iter();
        let file = before
            .filter(|source| matches!(source.what, What::Movie { .. }))
            .count();
        let source = &mut sources[number];
        match (piece, &mut source.what) {
            (Piece::Copy { samples, shown }, What::Movie { track, .. }) => {
                copied.copied += samples.len();
                for sample in &track.samples[samples] {
                    let entry = known(&mut movie.entries, track.entry_box(sample.entry).to_vec());
                    movie.samples.push(Placed {
                        data: Data::There {
                            file,
                            at: sample.at,
                            len: sample.len,
                        },
                        key: sample.key,
                        entry,
                        shown: base + sample.shown.unwrap_or(shown) - shown,
                    });
                }
            }
            (Piece::Encode(range), what) => {
                copied.encoded += range.len();
                let stream = h264::encode(shape, color, |encoder| {
                    encode(what, range.clone(), shape, encoder)
                });
                let stream = match stream {
                    Ok(stream) => stream,
                    Err(Refusal::Foreign(_)) => return Ok(None),
                    Err(Refusal::Damaged(reason)) => return Err(corrupt(source.path, reason)),
                    Err(Refusal::Other(error)) => return Err(error),
                };
                let entry = known(&mut movie.entries, entry(shape, color, &stream));
                let samples = (base..).zip(stream.samples);
                movie.samples.extend(samples.map(|(shown, sample)| Placed {
                    data: Data::Here(sample.bytes),
                    key: sample.key,
                    entry,
                    shown,
                }));
            }
            (Piece::Copy { .. }, What::Pictures(_)) => return Ok(None),
        }
    }
    if movie.samples.len() != shape.frames {
        return Ok(None);
    }

    let files = sources
        .iter_mut()
        .filter_map(|source| match &mut source.what {
            What::Movie { file, .. } => Some(file),
            What::Pictures(_) => None,
        });
    let mut files: Vec<&mut File> = files.collect();
    match output {
        Output::Mp4(path) => {
            write_file(path, |out| write_movie(&movie, recipe, &mut files, out))?;
        }
        _ => write_movie(&movie, recipe, &mut files, &mut io::stdout().lock())?,
    }
    Ok(Some(copied))
}

/// Adds an entry unless it is there, and gives its place.
fn known(entries: &mut Vec<Vec<u8>>, entry: Vec<u8>) -> usize {
    let found = entries.iter().position(|known| *known == entry);
    found.unwrap_or_else(|| {
        entries.push(entry);
        entries.len() - 1
    })
}

/// The frames in `range` in pieces that can follow each other.
///
/// A group of pictures, from one refresh to the next, is decoded without others.
/// Of each group, the longest beginning that is just frames shown in a row is
/// copied, and what is left of the wanted frames is encoded.
fn pieces(track: &Track, starts: &[usize], range: Range<usize>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut next = range.start;
    let begins = starts.iter().copied();
    let ends = starts.iter().copied().skip(1).chain([track.samples.len()]);
    for group in begins.zip(ends).map(|(begin, end)| begin..end) {
        let shown = |index: usize| track.samples[index].shown.filter(|at| range.contains(at));
        let last = group.clone().filter_map(shown).max();
        let Some(last) = last.filter(|&last| last >= next) else {
            continue;
        };
        let (mut copied, mut latest) = (0, next);
        for (count, index) in group.clone().enumerate() {
            let Some(at) = shown(index).filter(|&at| at >= next) else {
                break;
            };
            latest = latest.max(at);
            if latest - next == count {
                copied = count + 1;
            }
        }
        if copied > 0 {
            pieces.push(Piece::Copy {
                samples: group.start..group.start + copied,
                shown: next,
            });
        }
        if next + copied <= last {
            pieces.push(Piece::Encode(next + copied..last + 1));
        }
        next = last + 1;
    }
    if next < range.end {
        pieces.push(Piece::Encode(next..range.end));
    }
    pieces
}

/// The colours of all pieces, if they may stand in one track.
///
/// Players take the colours and the shape of pixels from the first description
/// only, so all must agree; and what is encoded here is progressive 4:2:0 of
/// eight bits with square pixels.
fn shared_color(sources: &[Source], plan: &[(usize, Piece)], shape: Shape) -> Option<Color> {
    let mut looks = Vec::new();
    let mut encodes = false;
    for (number, piece) in plan {
        encodes |= matches!(piece, Piece::Encode(_));
        match (piece, &sources[*number].what) {
            (_, What::Pictures(_)) => looks.push(Look::ours(Color::BT709)),
            (piece, What::Movie { track, .. }) => {
                if track.turn != Turn::None {
                    return None;
                }
                let samples: Vec<_> = match piece {
                    Piece::Copy { samples, .. } => samples.clone().collect(),
                    Piece::Encode(range) if track.foreign().is_none() => {
                        track.order[range.clone()].to_vec()
                    }
                    Piece::Encode(_) => return None,
                };
                for index in samples {
                    let look = track.look(track.samples[index].entry)?;
                    if looks.last() != Some(&look) {
                        looks.push(look);
                    }
                }
            }
        }
    }
    let first = *looks.first()?;
    let alike = looks.iter().all(|&look| look == first);
    let ours = first == Look::ours(first.color)
        && h264::check(shape).is_ok()
        && h264::vui(first.color).is_some();
    (alike && (ours || !encodes)).then_some(first.color)
}

/// Hands the frames in `range` to the encoder.
fn encode(
    what: &mut What,
    range: Range<usize>,
    shape: Shape,
    encoder: &mut Encoder,
) -> Result<(), Refusal> {
    match what {
        What::Pictures(clip) => {
            let (width, height) = (clip.width() as usize, clip.height() as usize);
            for frame in &clip.frames()[range] {
                encoder.push(&rgb_to_yuv420(frame, width, height))?;
            }
            Ok(())
        }
        What::Movie {
            file,
            track,
            starts,
        } => h264::decode(file, track, starts, range, |picture| {
            if (picture.width, picture.height) != (shape.width, shape.height) {
                return Err(Refusal::Foreign("a video of changing size".into()));
            }
            Ok(encoder.push(&picture.yuv)?)
        }),
    }
}
