//! What a sequence parameter set says: H.264, 7.3.2.1.1 and annex E.

use crate::color::Color;

/// The part of a sequence parameter set that decides who can decode a stream,
/// and what may stand beside it in one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sps {
    /// 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u32,
    /// Bits of luma and of chroma.
    pub depths: [u32; 2],
    /// False when frames may be two fields.
    pub progressive: bool,
    /// Width and height of a pixel; 1:1 where nothing is said.
    pub aspect: (u32, u32),
    pub color: Color,
}

impl Sps {
    /// Reads a unit with its header byte, without start code; `None` when it
    /// ends early or is of no known form.
    pub(crate) fn parse(unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit.get(1..)?);
        let profile = bits.take(8)?;
        bits.take(16)?; // Constraints and level.
        bits.golomb()?; // Its own number.
        let (mut chroma, mut depths) = (1, [8, 8]);
        const WITH_CHROMA: [u32; 13] =
            [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
        if WITH_CHROMA.contains(&profile) {
            chroma = bits.golomb()?;
            if chroma == 3 {
                bits.take(1)?; // Planes coded apart.
            }
            depths = [bits.golomb()?, bits.golomb()?];
            if chroma > 3 || depths[0] > 6 || depths[1] > 6 {
                return None;
            }
            depths = depths.map(|above| 8 + above);
            bits.take(1)?; // Lossless bypass.
            if bits.flag()? {
                for list in 0..if chroma == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        bits.golomb()?; // Bits of frame_num.
        match bits.golomb()? {
            0 => drop(bits.golomb()?),
            1 => {
                bits.take(1)?;
                bits.golomb()?;
                bits.golomb()?;
                for _ in 0..bits.golomb()?.min(255) {
                    bits.golomb()?;
                }
            }
            _ => {}
        }
        bits.golomb()?; // Reference frames.
        bits.take(1)?;
        bits.golomb()?; // Width and height in macroblocks.
        bits.golomb()?;
        let progressive = bits.flag()?;
        if !progressive {
            bits.take(1)?;
        }
        bits.take(1)?;
        if bits.flag()? {
            for _ in 0..4 {
                bits.golomb()?; // Cropping.
            }
        }
        let (aspect, color) = if bits.flag()? {
            bits.usability()?
        } else {
            ((1, 1), Color::UNSAID)
        };
        Some(Self {
            chroma,
            depths,
            progressive,
            aspect,
            color,
        })
    }

    /// What makes this a stream for another decoder than the built-in one.
    pub(crate) fn foreign(&self) -> Option<&'static str> {
        if self.depths != [8, 8] {
            Some("H.264 video of more than 8 bits")
        } else if self.chroma != 1 {
            Some("H.264 video whose colours are not 4:2:0")
        } else if !self.progressive {
            Some("interlaced H.264 video")
        } else {
            None
        }
    }
}

/// The same parameter set under the name of the Scalable Baseline profile.
///
/// OpenH264 hands out frames of that profile as they are decoded. Those of the
/// others it puts in an order it guesses, wrongly where the low bits of the
/// picture order count wrap, and asking it for each frame makes it run out of
/// them. The profile's name decides nothing else in it. Parameter sets that
/// can't be read are given back as they are, for the decoder to refuse.
pub(crate) fn in_order_of_decoding(unit: &[u8]) -> Vec<u8> {
    const SCALABLE_BASELINE: u8 = 83;
    let renamed = || match unit.get(1)? {
        // High, and its scalable twin, are written alike.
        86 | 100 => Some([&unit[..1], &[SCALABLE_BASELINE], &unit[2..]].concat()),
        // Main and Extended say nothing of 4:2:0 in 8 bits, which goes without saying.
        77 | 88 => {
            let mut bits = Bits::new(&unit[1..]);
            bits.bytes[0] = SCALABLE_BASELINE;
            bits.take(24)?;
            bits.golomb()?;
            bits.insert(0b010_1100, 7);
            Some([&unit[..1], &bits.escaped()].concat())
        }
        _ => None,
    };
    renamed().unwrap_or_else(|| unit.to_vec())
}

/// Bits of a unit, without the bytes that keep start codes out of it.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(escaped: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(escaped.len());
        let mut zeros = 0;
        for &byte in escaped {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Self { bytes, at: 0 }
    }

    /// At most 32 bits, the first of them the highest.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.at += 1;
        }
        Some(value)
    }

    /// Puts the lowest `count` bits of `value` in here.
    fn insert(&mut self, value: u32, count: u32) {
        let (head, end) = (self.at, self.bytes.len() * 8);
        let rest: Vec<u32> = (head..end).map_while(|_| self.take(1)).collect();
        let new = (0..count).rev().map(|bit| value >> bit & 1);
        self.bytes
            .resize(self.bytes.len() + count.div_ceil(8) as usize, 0);
        for (at, bit) in (head..).zip(new.chain(rest).chain([0; 8])) {
            if let Some(byte) = self.bytes.get_mut(at / 8) {
                let mask = 0x80 >> (at % 8);
                *byte = *byte & !mask | if bit == 1 { mask } else { 0 };
            }
        }
        if self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
    }

    /// The bytes with what keeps start codes out of them.
    fn escaped(&self) -> Vec<u8> {
        let mut escaped = Vec::with_capacity(self.bytes.len());
        let mut zeros = 0;
        for &byte in &self.bytes {
            if zeros >= 2 && byte <= 3 {
                escaped.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            escaped.push(byte);
        }
        escaped
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// Exp-Golomb, 9.1; the signed codes have the same lengths.
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    fn skip_scaling_list(&mut self, len: usize) -> Option<()> {
        let (mut last, mut next) = (8i64, 8i64);
        for _ in 0..len {
            if next != 0 {
                let code = i64::from(self.golomb()?);
                let delta = if code % 2 == 1 {
                    code / 2 + 1
                } else {
                    -code / 2
                };
                next = (last + delta).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
        Some(())
    }

    /// The beginning of the usability information, E.1.1.
    fn usability(&mut self) -> Option<((u32, u32), Color)> {
        // Table E-1.
        const ASPECTS: [(u32, u32); 17] = [
            (1, 1),
            (1, 1),
            (12, 11),
            (10, 11),
            (16, 11),
            (40, 33),
            (24, 11),
            (20, 11),
            (32, 11),
            (80, 33),
            (18, 11),
            (15, 11),
            (64, 33),
            (160, 99),
            (4, 3),
            (3, 2),
            (2, 1),
        ];
        let mut aspect = (1, 1);
        if self.flag()? {
            aspect = match self.take(8)? as usize {
                255 => (self.take(16)?, self.take(16)?),
                code => ASPECTS.get(code).copied().unwrap_or((1, 1)),
            };
        }
        if self.flag()? {
            self.take(1)?;
        }
        let mut color = Color::UNSAID;
        if self.flag()? {
            self.take(3)?;
            color.full = self.flag()?;
            if self.flag()? {
                color.primaries = self.take(8)? as u8;
                color.transfer = self.take(8)? as u8;
                color.matrix = self.take(8)? as u8;
            }
        }
        Some((aspect, color))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_parameter_set_says_the_same() {
        // By x264: 1280x720, and 182x118 with cropping and an emulation byte.
        let sets: [&[u8]; 2] = [
            &[
                0x67, 0x4d, 0x40, 0x1f, 0xe8, 0x80, 0x28, 0x02, 0xdd, 0x80, 0xb5, 0x01, 0x01, 0x01,
                0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x03, 0xc6, 0x0c, 0x44, 0x80,
            ],
            &[
                0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
                0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
            ],
        ];
        for set in sets {
            let renamed = in_order_of_decoding(set);
            assert_eq!(renamed[1], 83);
            assert_eq!(Sps::parse(&renamed), Some(Sps::parse(set).unwrap()));
            for len in 0..set.len() {
                in_order_of_decoding(&set[..len]);
                Sps::parse(&set[..len]);
            }
        }
    }
}
