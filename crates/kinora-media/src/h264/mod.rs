//! H.264 from frames and back, by OpenH264, compiled from its source.
//!
//! Cisco pays the patent licence for the library it hands out as a binary, not for
//! one compiled elsewhere: who sells or ships copies has to look into that.

mod decode;
mod sps;

use openh264::encoder::{
    BitRate, Complexity, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, VuiConfig,
};
use openh264::formats::YUVSlices;
use openh264::{OpenH264API, Timestamp};

pub(crate) use self::decode::decode;
pub(crate) use self::sps::Sps;
use crate::color::{Color, Yuv420, rgb_to_yuv420};
use crate::{Clip, Fps, MediaError, Shape};

/// One constant quantiser for each block of each frame: no rate control, so no
/// state but the frames decides the bytes. 16 is visually lossless on clips a
/// few hundred pixels wide, where a block is a large part of the picture. The
/// coarser ones are for clips of little but noise, which overflow OpenH264's
/// buffers at 16.
const QPS: [u8; 4] = [16, 24, 32, 40];

/// A stream in the form MP4 stores it.
#[derive(Default)]
pub(crate) struct Stream {
    /// Sequence parameter set, without start code.
    pub sps: Vec<u8>,
    /// Picture parameter set, without start code.
    pub pps: Vec<u8>,
    /// One sample a frame.
    pub samples: Vec<Sample>,
}

/// The coded slices of one frame, each after its length in four bytes.
pub(crate) struct Sample {
    pub bytes: Vec<u8>,
    pub key: bool,
}

/// Checks that OpenH264 takes this size: even sides (4:2:0 halves them), 32 to 3840.
pub(crate) fn check(shape: Shape) -> Result<(), MediaError> {
    let Shape { width, height, .. } = shape;
    let refuse = |rule| {
        Err(MediaError::Unsuited {
            format: "MP4",
            reason: format!("it is {width}x{height} pixels, and {rule}"),
        })
    };
    if width % 2 != 0 || height % 2 != 0 {
        return refuse("H.264 in 4:2:0 needs an even width and height");
    }
    let (short, long) = (width.min(height), width.max(height));
    if !(32..=2160).contains(&short) || long > 3840 {
        return refuse("the encoder takes sides from 32 pixels to 3840x2160 or 2160x3840");
    }
    Ok(())
}

/// Encodes the frames that `feed` pushes. The first is a key frame, then comes
/// one every two seconds. `feed` runs again, with a coarser quantiser, when the
/// encoder refused a frame.
pub(crate) fn encode<E: From<MediaError>>(
    shape: Shape,
    color: Color,
    mut feed: impl FnMut(&mut Encoder) -> Result<(), E>,
) -> Result<Stream, E> {
    check(shape)?;
    let [finer @ .., coarsest] = QPS;
    for qp in finer {
        let mut encoder = Encoder::new(shape, color, qp)?;
        let fed = feed(&mut encoder);
        if !encoder.refused {
            fed?;
            return Ok(encoder.finish()?);
        }
    }
    let mut encoder = Encoder::new(shape, color, coarsest)?;
    feed(&mut encoder)?;
    Ok(encoder.finish()?)
}

/// Encodes all frames of a clip.
pub(crate) fn encode_clip(clip: &Clip) -> Result<Stream, MediaError> {
    let (width, height) = (clip.width() as usize, clip.height() as usize);
    encode(Shape::of(clip), Color::BT709, |encoder| {
        let mut frames = clip.frames().iter();
        frames.try_for_each(|frame| encoder.push(&rgb_to_yuv420(frame, width, height)))
    })
}

/// An encoder of one constant quantiser, and what it has made so far.
pub(crate) struct Encoder {
    inner: openh264::encoder::Encoder,
    stream: Stream,
    width: usize,
    height: usize,
    fps: f64,
    refused: bool,
}

impl Encoder {
    /// `qp` from 0 (finest) to 51.
    fn new(shape: Shape, color: Color, qp: u8) -> Result<Self, MediaError> {
        let fps = shape.fps.map_or(1.0, Fps::as_f64);
        let vui = vui(color)
            .ok_or_else(|| failed("its colour space has no name in the encoder".into()))?;
        let config = EncoderConfig::new()
            .rate_control_mode(RateControlMode::Bufferbased)
            .qp(QpRange::new(qp, qp))
            .bitrate(BitRate::from_bps(50_000_000))
            .max_frame_rate(FrameRate::from_hz(fps.clamp(1.0, 60.0) as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(
                (2.0 * fps).round().max(1.0) as u32,
            ))
            .profile(Profile::High)
            .complexity(Complexity::High)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .num_threads(1)
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .vui(vui);
        let inner = openh264::encoder::Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self {
            inner,
            stream: Stream::default(),
            width: shape.width as usize,
            height: shape.height as usize,
            fps,
            refused: false,
        })
    }

    /// Encodes the next frame, which has the size given at first.
    pub(crate) fn push(&mut self, yuv: &Yuv420) -> Result<(), MediaError> {
        let sample = self.sample(yuv);
        self.refused |= sample.is_err();
        self.stream.samples.push(sample?);
        Ok(())
    }

    fn sample(&mut self, yuv: &Yuv420) -> Result<Sample, MediaError> {
        let index = self.stream.samples.len();
        let (width, height) = (self.width, self.height);
        let planes = YUVSlices::new(
            (&yuv.y, &yuv.u, &yuv.v),
            (width, height),
            (width, width / 2, width / 2),
        );
        let at = Timestamp::from_millis((index as f64 / self.fps * 1000.0).round() as u64);
        let coded = self
            .inner
            .encode_at(&planes, at)
            .map_err(|e| failed(format!("frame {index}: {e}")))?;

        let mut sample = Sample {
            bytes: Vec::new(),
            key: coded.frame_type() == FrameType::IDR,
        };
        let layers = (0..coded.num_layers()).filter_map(|i| coded.layer(i));
        for layer in layers {
            for nal in (0..layer.nal_count()).filter_map(|i| layer.nal_unit(i)) {
                let nal = without_start_code(nal);
                // nal_unit_type, H.264 table 7-1.
                match nal.first().map(|b| b & 0x1f) {
                    Some(7) => self.stream.sps = nal.to_vec(),
                    Some(8) => self.stream.pps = nal.to_vec(),
                    Some(_) => {
                        sample.bytes.extend((nal.len() as u32).to_be_bytes());
                        sample.bytes.extend(nal);
                    }
                    None => {}
                }
            }
        }
        if sample.bytes.is_empty() {
            return Err(failed(format!("frame {index} came back empty")));
        }
        Ok(sample)
    }

    fn finish(self) -> Result<Stream, MediaError> {
        let Stream { sps, pps, samples } = &self.stream;
        if sps.len() < 4 || pps.is_empty() || !samples.first().is_some_and(|first| first.key) {
            return Err(failed(
                "the stream does not begin with a key frame and its parameters".into(),
            ));
        }
        Ok(self.stream)
    }
}

fn failed(reason: String) -> MediaError {
    MediaError::Encode {
        format: "H.264",
        reason,
    }
}

/// The colours in the encoder's words; `None` for the rare ones it can't say.
pub(crate) fn vui(color: Color) -> Option<VuiConfig> {
    use openh264::encoder::{ColorPrimaries, MatrixCoefficients, TransferCharacteristics};
    let primaries = [
        ColorPrimaries::Bt709,
        ColorPrimaries::Unspecified,
        ColorPrimaries::Bt470BG,
        ColorPrimaries::Smpte170M,
        ColorPrimaries::Bt2020,
    ];
    let transfers = [
        TransferCharacteristics::Bt709,
        TransferCharacteristics::Unspecified,
        TransferCharacteristics::Smpte170M,
        TransferCharacteristics::Srgb,
    ];
    let matrices = [
        MatrixCoefficients::Bt709,
        MatrixCoefficients::Unspecified,
        MatrixCoefficients::Bt470Bg,
        MatrixCoefficients::Smpte170M,
        MatrixCoefficients::Bt2020Ncl,
    ];
    let primary = primaries
        .into_iter()
        .find(|p| p.as_u8() == color.primaries)?;
    let transfer = transfers
        .into_iter()
        .find(|t| t.as_u8() == color.transfer)?;
    let matrix = matrices.into_iter().find(|m| m.as_u8() == color.matrix)?;
    Some(
        VuiConfig::new()
            .color_primaries(primary)
            .transfer_characteristics(transfer)
            .matrix_coefficients(matrix)
            .full_range(color.full),
    )
}

fn without_start_code(nal: &[u8]) -> &[u8] {
    nal.strip_prefix(&[0, 0, 0, 1])
        .or_else(|| nal.strip_prefix(&[0, 0, 1]))
        .unwrap_or(nal)
}

#[cfg(test)]
mod tests {
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    use super::*;
    #[test]
    fn the_decoded_luma_is_close_to_the_source() {
        let (width, height, count) = (100usize, 70usize, 7usize);
        let picture = |t: usize| {
            let pixel = move |x: usize, y: usize| {
                [(x * 2 + t * 3) as u8, (y * 3) as u8, (x * y / 40) as u8]
            };
            (0..height)
                .flat_map(|y| (0..width).flat_map(move |x| pixel(x, y)))
                .collect::<Vec<u8>>()
        };
        let frames: Vec<_> = (0..count).map(picture).collect();
        let clip = Clip::new(width as u32, height as u32, Fps::new(2, 1).unwrap(), frames).unwrap();
        let stream = encode_clip(&clip).unwrap();
        let keys: Vec<_> = stream.samples.iter().map(|sample| sample.key).collect();
        assert_eq!(
            keys,
            [true, false, false, false, true, false, false],
            "a key frame every two seconds"
        );

        let mut decoder = Decoder::new().unwrap();
        let mut units = vec![
            [
                &[0, 0, 0, 1],
                &stream.sps[..],
                &[0, 0, 0, 1],
                &stream.pps[..],
            ]
            .concat(),
        ];
        for sample in &stream.samples {
            let mut rest = &sample.bytes[..];
            while let Some((len, tail)) = rest.split_first_chunk() {
                let (nal, tail) = tail.split_at(u32::from_be_bytes(*len) as usize);
                units.push([&[0, 0, 0, 1], nal].concat());
                rest = tail;
            }
        }
        let mut shown = 0;
        for unit in units {
            let Some(decoded) = decoder.decode(&unit).unwrap() else {
                continue;
            };
            assert_eq!(decoded.dimensions(), (width, height));
            let source = rgb_to_yuv420(&clip.frames()[shown], width, height).y;
            let rows = decoded
                .y()
                .chunks(decoded.strides().0)
                .flat_map(|row| &row[..width]);
            let square: f64 = source
                .iter()
                .zip(rows)
                .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
                .sum();
            let psnr = 10.0 * (255.0f64.powi(2) * source.len() as f64 / square).log10();
            assert!(psnr > 44.0, "frame {shown}: {psnr:.1} dB");
            shown += 1;
        }
        assert_eq!(shown, count);
    }

    #[test]
    fn pure_noise_is_encoded_too() {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { 0 } else { 255 }
        };
        let frames = (0..2).map(|_| (0..192 * 128 * 3).map(|_| byte()).collect());
        let clip = Clip::new(192, 128, Fps::new(12, 1).unwrap(), frames.collect()).unwrap();
        assert_eq!(encode_clip(&clip).unwrap().samples.len(), 2);
    }
}
