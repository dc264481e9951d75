//! Files that only an external ffmpeg opens, read through a pipe.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::read::Gather;
use crate::{Clip, Fps, MediaError};

/// Containers whose content is in the file itself: a playlist could name others.
const CONTAINERS: &str = "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,flv,ogg,asf,mxf,dv,rm,nut,ivf,\
obu,h264,hevc,mjpeg,yuv4mpegpipe,gif,apng,image2,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe,\
jpegxl_pipe,pgm_pipe,ppm_pipe,tga_pipe,exr_pipe,dpx_pipe,qoi_pipe,j2k_pipe,psd_pipe";
/// How much of what ffmpeg complains of is kept, in bytes.
const MAX_WORDS: u64 = 4096;

/// Decodes the first video of `path`, of which `what` says what it is.
///
/// ffmpeg resamples to the rate it finds, so that a varying one becomes even;
/// where it finds none that makes sense, to `fallback`.
pub(crate) fn decode(
    program: &Path,
    path: &Path,
    what: &str,
    fallback: Fps,
    gather: &mut Gather,
) -> Result<Fps, MediaError> {
    let undecodable = |reason: String| MediaError::Undecodable {
        path: path.to_owned(),
        reason: format!("it is {what}, and {reason}"),
    };
    let refused = |run: Run| {
        let words = run.words();
        undecodable(format!("ffmpeg can't read it either: {words}"))
    };

    let mut run = Run::start(
        program,
        path,
        &[
            "-frames:v",
            "1",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "yuv4mpegpipe",
        ],
    )?;
    let Some((width, height, fps)) = run.header() else {
        return Err(refused(run));
    };
    drop(run);
    let fps = fps.unwrap_or(fallback);
    let sides = 1..=Clip::MAX_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(undecodable(format!(
            "its frames have {width}x{height} pixels; each side must be 1 to {}",
            Clip::MAX_SIDE
        )));
    }

    // ffmpeg would scale frames of another size. Either branch refuses some of
    // them: a crop those that are smaller, a pad those that are larger.
    let size = format!("{width}:{height}");
    let filter =
        format!("format=rgb24,split[a][b];[a]crop={size}:0:0:exact=1,nullsink;[b]pad={size}");
    let (rate, most) = (fps.to_string(), gather.end().to_string());
    let arguments = [
        "-r",
        &rate,
        "-vf",
        &filter,
        "-sws_flags",
        "bicubic+accurate_rnd+full_chroma_int",
        "-frames:v",
        &most,
        "-pix_fmt",
        "rgb24",
        "-c:v",
        "rawvideo",
        "-f",
        "rawvideo",
    ];
    let mut run = Run::start(program, path, &arguments)?;
    let bytes = width as usize * height as usize * 3;
    while !gather.is_full() {
        let mut frame = Vec::new();
        gather.check(width, height)?;
        if let Some(pictures) = &mut run.pictures {
            pictures
                .take(bytes as u64)
                .read_to_end(&mut frame)
                .map_err(|e| MediaError::io("read from ffmpeg", path, e))?;
        }
        if frame.len() < bytes {
            break;
        }
        gather.push(width, height, || frame)?;
    }
    if gather.is_full() {
        return Ok(fps);
    }
    let seen = gather.seen();
    let (ended_well, words) = run.end();
    if words.contains("Parsed_crop") || words.contains("Parsed_pad") {
        return Err(undecodable(format!(
            "it changes its size from {width}x{height} pixels at frame {seen}: scale its parts to one size first"
        )));
    }
    if !ended_well || seen == 0 {
        let last = last_line(&words);
        return Err(undecodable(format!(
            "ffmpeg stopped at frame {seen}: {last}"
        )));
    }
    Ok(fps)
}

/// A running ffmpeg, which ends with this value.
struct Run {
    child: Child,
    /// `None` when no more are wanted, so that ffmpeg does not wait for a reader.
    pictures: Option<BufReader<std::process::ChildStdout>>,
    complaints: Option<thread::JoinHandle<String>>,
}

impl Run {
    fn start(program: &Path, path: &Path, output: &[&str]) -> Result<Self, MediaError> {
        // A protocol before the name, so that no name is taken for an address
        // or an option.
        let mut input = OsString::from("file:");
        input.push(path);
        let mut child = Command::new(program)
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-xerror"])
            .args(["-protocol_whitelist", "file,pipe"])
            .args(["-format_whitelist", CONTAINERS])
            .arg("-i")
            .arg(input)
            .args(["-map", "0:V:0"])
            .args(output)
            .arg("pipe:1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| MediaError::io("run", program, e))?;
        let gone = || MediaError::io("run", program, std::io::ErrorKind::BrokenPipe.into());
        let pictures = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let mut stderr = child.stderr.take().ok_or_else(gone)?;
        // A full pipe of complaints would stop the pictures.
        let complaints = thread::spawn(move || {
            let mut words = Vec::new();
            let _ = (&mut stderr).take(MAX_WORDS).read_to_end(&mut words);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&words).into_owned()
        });
        Ok(Self {
            child,
            pictures: Some(pictures),
            complaints: Some(complaints),
        })
    }

    /// Width, height and rate of the header `YUV4MPEG2 W64 H48 F10:1 ...`.
    fn header(&mut self) -> Option<(u32, u32, Option<Fps>)> {
        let mut line = Vec::new();
        self.pictures
            .as_mut()?
            .take(1024)
            .read_until(b'\n', &mut line)
            .ok()?;
        let line = String::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|&magic| magic == "YUV4MPEG2")?;
        let value = |letter: char| words.clone().find_map(|word| word.strip_prefix(letter));
        let rate = value('F').and_then(|rate| rate.replace(':', "/").parse().ok());
        Some((value('W')?.parse().ok()?, value('H')?.parse().ok()?, rate))
    }

    /// Waits for the end: whether it was a good one, and the complaints.
    fn end(mut self) -> (bool, String) {
        self.pictures = None;
        let ended_well = self.child.wait().is_ok_and(|status| status.success());
        let complaints = self.complaints.take();
        let words = complaints.and_then(|thread| thread.join().ok());
        (ended_well, words.unwrap_or_default())
    }

    fn words(self) -> String {
        last_line(&self.end().1).to_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_line(words: &str) -> &str {
    let line = words.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("it gave no frame and no reason").trim()
}
