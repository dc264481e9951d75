//! How numbers are kept in weight files: plain floats, 8-bit floats, and the blocks of ggml.

use super::{Dtype, WeightsError, blocks};
use half::{bf16, f16};

/// The number format of a tensor in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A plain float.
    Plain(Dtype),
    /// 8-bit float with four bits of exponent and no infinity (arXiv:2209.05433).
    F8E4M3,
    /// 8-bit float with five bits of exponent: the upper half of a 16-bit one.
    F8E5M2,
    /// 32 numbers of 4 bits with a scale.
    Q4_0,
    /// 32 numbers of 4 bits with a scale and an offset.
    Q4_1,
    /// 32 numbers of 5 bits with a scale.
    Q5_0,
    /// 32 numbers of 5 bits with a scale and an offset.
    Q5_1,
    /// 32 numbers of 8 bits with a scale.
    Q8_0,
    /// 256 numbers of 4 bits, each 32 with a scale and an offset of 6 bits.
    Q4K,
    /// 256 numbers of 5 bits, each 32 with a scale and an offset of 6 bits.
    Q5K,
    /// 256 numbers of 6 bits, each 16 with a scale of 8 bits.
    Q6K,
    /// Whole bytes: files that are kept as tensors.
    U8,
}

impl Encoding {
    /// Its name in headers of safetensors.
    pub(super) fn from_safetensors(name: &str) -> Option<Self> {
        match name {
            "F8_E4M3" => Some(Self::F8E4M3),
            "F8_E5M2" => Some(Self::F8E5M2),
            "U8" => Some(Self::U8),
            name => Dtype::from_name(name).map(Self::Plain),
        }
    }

    /// Formats that can be written, finest first.
    pub const WRITABLE: [Self; 6] = [
        Self::Plain(Dtype::F32),
        Self::Plain(Dtype::F16),
        Self::Plain(Dtype::Bf16),
        Self::Q8_0,
        Self::Q5_0,
        Self::Q4_0,
    ];

    /// The format of this number in GGUF.
    pub(super) fn from_ggml(number: u32) -> Option<Self> {
        let read_only = [
            Self::Q4_1,
            Self::Q5_1,
            Self::Q4K,
            Self::Q5K,
            Self::Q6K,
            Self::U8,
        ];
        let mut all = Self::WRITABLE.into_iter().chain(read_only);
        all.find(|encoding| encoding.ggml() == Some(number))
    }

    /// Its number in GGUF (`ggml_type` of ggml.h).
    pub(super) fn ggml(self) -> Option<u32> {
        Some(match self {
            Self::Plain(Dtype::F32) => 0,
            Self::Plain(Dtype::F16) => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::U8 => 24, // ggml's whole bytes have a sign, which makes no difference to a file
            Self::Plain(Dtype::Bf16) => 30,
            Self::F8E4M3 | Self::F8E5M2 => return None,
        })
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain(dtype) => dtype.name(),
            Self::F8E4M3 => "F8_E4M3",
            Self::F8E5M2 => "F8_E5M2",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::U8 => "U8",
        }
    }

    /// Numbers of a block, and its bytes.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::Plain(dtype) => (1, dtype.size()),
            Self::F8E4M3 | Self::F8E5M2 | Self::U8 => (1, 1),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of `elements` numbers; `None` if they do not fill blocks, or no address could count them.
    pub(super) fn bytes(self, elements: usize) -> Option<usize> {
        let (numbers, bytes) = self.block();
        let whole = elements.is_multiple_of(numbers);
        whole
            .then(|| (elements / numbers).checked_mul(bytes))
            .flatten()
    }

    /// Appends numbers that fill blocks. Of formats that are not [`Encoding::WRITABLE`] nothing is.
    pub(super) fn encode(self, values: &[f32], out: &mut Vec<u8>) {
        let mut blocks = |encode: fn(&[f32], &mut Vec<u8>)| {
            let whole = values.chunks_exact(self.block().0);
            whole.for_each(|values| encode(values, out));
        };
        match self {
            Self::Plain(dtype) => dtype.encode(values, out),
            Self::Q8_0 => blocks(blocks::q8_0),
            Self::Q5_0 => blocks(blocks::q5_0),
            Self::Q4_0 => blocks(blocks::q4_0),
            _ => {}
        }
    }

    /// Checks that the numbers of the tensor `name` can be written: plain floats hold what is not finite, blocks do not.
    pub(super) fn check(self, name: &str, values: &[f32]) -> Result<(), WeightsError> {
        let plain = matches!(self, Self::Plain(_));
        let greatest = self.greatest();
        let fits = |v: f32| {
            if v.is_finite() {
                v.abs() <= greatest
            } else {
                plain
            }
        };
        match values.iter().find(|&&v| !fits(v)) {
            None => Ok(()),
            Some(&value) => Err(WeightsError::OutOfRange {
                name: name.to_owned(),
                value,
                encoding: self.name(),
            }),
        }
    }

    /// The greatest finite number; of blocks, by their scale.
    fn greatest(self) -> f32 {
        let scale = f16::MAX.to_f32();
        match self {
            Self::Plain(dtype) => dtype.greatest(),
            Self::Q8_0 => 127.0 * scale,
            Self::Q5_0 => 16.0 * scale,
            Self::Q4_0 => 8.0 * scale,
            _ => 0.0,
        }
    }

    /// The numbers of whole blocks.
    pub(super) fn decode(self, data: &[u8]) -> Vec<f32> {
        let (numbers, bytes) = self.block();
        let mut values = vec![0.0; data.len() / bytes * numbers];
        self.decode_into(data, &mut values);
        values
    }

    /// The numbers of as many whole blocks as `out` has room for.
    pub(super) fn decode_into(self, data: &[u8], out: &mut [f32]) {
        match self {
            Self::Plain(Dtype::F32) => each(data, out, f32::from_le_bytes),
            Self::Plain(Dtype::F16) => each(data, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Plain(Dtype::Bf16) => each(data, out, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F8E4M3 => each(data, out, |[b]| e4m3(b)),
            Self::U8 => each(data, out, |[b]| f32::from(b)),
            Self::F8E5M2 => each(data, out, |[b]| f16::from_bits(u16::from(b) << 8).to_f32()),
            Self::Q4_0 => self.blocks(data, out, q4_0),
            Self::Q4_1 => self.blocks(data, out, q4_1),
            Self::Q5_0 => self.blocks(data, out, q5_0),
            Self::Q5_1 => self.blocks(data, out, q5_1),
            Self::Q8_0 => self.blocks(data, out, q8_0),
            Self::Q4K => self.blocks(data, out, q4_k),
            Self::Q5K => self.blocks(data, out, q5_k),
            Self::Q6K => self.blocks(data, out, q6_k),
        }
    }

    fn blocks(self, data: &[u8], out: &mut [f32], decode: fn(&[u8], &mut [f32])) {
        let (numbers, bytes) = self.block();
        let blocks = data.chunks_exact(bytes).zip(out.chunks_exact_mut(numbers));
        blocks.for_each(|(block, out)| decode(block, out));
    }
}

fn each<const N: usize>(data: &[u8], out: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    let numbers = data.as_chunks::<N>().0.iter().zip(out);
    numbers.for_each(|(bytes, out)| *out = decode(*bytes));
}

/// Writes `values` into the next numbers of `out`.
fn fill(out: &mut [f32], values: impl Iterator<Item = f32>) {
    out.iter_mut()
        .zip(values)
        .for_each(|(out, value)| *out = value);
}

/// What llama.cpp calls a file whose matrices are in this format (`llama_ftype` of llama.h).
pub(super) fn gguf_file_type(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Plain(Dtype::F32) => 0,
        Encoding::Plain(Dtype::F16) => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q8_0 => 7,
        Encoding::Q5_0 => 8,
        Encoding::Plain(Dtype::Bf16) => 32,
        _ => 1024, // guessed from the tensors
    }
}

fn e4m3(bits: u8) -> f32 {
    let sign = if bits & 0x80 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 3 & 15), f32::from(bits & 7) / 8.0);
    match (exponent, bits & 7) {
        (15, 7) => f32::NAN,
        (0, _) => sign * fraction * 2f32.powi(-6),
        _ => sign * (1.0 + fraction) * 2f32.powi(exponent - 7),
    }
}

/// The 16-bit float at `at`.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

// The layouts of `block_q*` in ggml-common.h, as `dequantize_row_q*` in ggml-quants.c reads them.

fn q4_0(block: &[u8], out: &mut [f32]) {
    let (scale, quants) = (half(block, 0), &block[2..]);
    let (low, high) = out.split_at_mut(16);
    fill(
        low,
        quants.iter().map(|q| scale * (f32::from(q & 15) - 8.0)),
    );
    fill(
        high,
        quants.iter().map(|q| scale * (f32::from(q >> 4) - 8.0)),
    );
}

fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least, quants) = (half(block, 0), half(block, 2), &block[4..]);
    let (low, high) = out.split_at_mut(16);
    fill(
        low,
        quants.iter().map(|q| scale * f32::from(q & 15) + least),
    );
    fill(
        high,
        quants.iter().map(|q| scale * f32::from(q >> 4) + least),
    );
}

/// 32 numbers of 5 bits: four of each in 16 bytes, the fifths in the four bytes before them.
fn five_bits(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let quants = &bytes[4..20];
    (0..32).map(move |i| {
        let four = quants[i % 16] >> (i / 16 * 4) & 15;
        f32::from(four | ((high >> i & 1) << 4) as u8)
    })
}

fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    fill(out, five_bits(&block[2..]).map(|q| scale * (q - 16.0)));
}

fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    fill(out, five_bits(&block[4..]).map(|q| scale * q + least));
}

fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    fill(out, block[2..].iter().map(|&q| scale * f32::from(q as i8)));
}

/// Scale and offset of the `index`-th 32 numbers, out of twelve bytes of 6-bit numbers.
fn scale_and_offset(packed: &[u8], index: usize) -> (f32, f32) {
    let (scale, offset) = if index < 4 {
        (packed[index] & 63, packed[index + 4] & 63)
    } else {
        (
            packed[index + 4] & 15 | packed[index - 4] >> 6 << 4,
            packed[index + 4] >> 4 | packed[index] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(offset))
}

fn q4_k(block: &[u8], out: &mut [f32]) {
    let (d, least, packed) = (half(block, 0), half(block, 2), &block[4..16]);
    for (pair, quants) in block[16..].chunks_exact(32).enumerate() {
        for (index, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (scale, offset) = scale_and_offset(packed, index);
            let numbers = quants.iter().map(|q| f32::from(q >> shift & 15));
            fill(
                &mut out[index * 32..][..32],
                numbers.map(|q| d * scale * q - least * offset),
            );
        }
    }
}

fn q5_k(block: &[u8], out: &mut [f32]) {
    let (d, least, packed) = (half(block, 0), half(block, 2), &block[4..16]);
    let high = &block[16..48];
    for (pair, quants) in block[48..].chunks_exact(32).enumerate() {
        for (index, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (scale, offset) = scale_and_offset(packed, index);
            let numbers = quants.iter().zip(high).map(|(q, h)| {
                let q = q >> shift & 15 | (h >> index & 1) << 4;
                d * scale * f32::from(q) - least * offset
            });
            fill(&mut out[index * 32..][..32], numbers);
        }
    }
}

fn q6_k(block: &[u8], out: &mut [f32]) {
    let (low, high, scales, d) = (
        &block[..128],
        &block[128..192],
        &block[192..208],
        half(block, 208),
    );
    for part in 0..2 {
        let (low, high) = (&low[part * 64..][..64], &high[part * 32..][..32]);
        for quarter in 0..4 {
            let scale = |i: usize| f32::from(scales[part * 8 + quarter * 2 + i / 16] as i8);
            let numbers = (0..32).map(|i| {
                let four = low[quarter % 2 * 32 + i] >> (quarter / 2 * 4) & 15;
                let two = high[i] >> (quarter * 2) & 3;
                d * scale(i) * (f32::from(four | two << 4) - 32.0)
            });
            fill(&mut out[part * 128 + quarter * 32..][..32], numbers);
        }
    }
}
