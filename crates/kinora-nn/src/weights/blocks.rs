//! Numbers into blocks of ggml, as `quantize_row_*_ref` in ggml-quants.c does it: scales from the largest number, and
//! numbers to the nearest.

use half::f16;

/// The number of largest size.
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
    values.iter().fold(0.0, larger)
}

/// Writes the scale, and returns what numbers are multiplied with.
fn scaled(scale: f32, out: &mut Vec<u8>) -> f32 {
    out.extend(f16::from_f32(scale).to_le_bytes());
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// 32 numbers of 8 bits.
pub(super) fn q8_0(values: &[f32], out: &mut Vec<u8>) {
    let inverse = scaled(largest(values).abs() / 127.0, out);
    out.extend(values.iter().map(|v| (v * inverse).round() as i8 as u8));
}

/// Numbers of `bits` bits: the largest becomes the lowest, for there is one more below zero than above.
fn lower(values: &[f32], bits: u32, out: &mut Vec<u8>) -> Vec<u8> {
    let half = 2f32.powi(bits as i32 - 1);
    let inverse = scaled(largest(values) / -half, out);
    let most = 2.0 * half - 1.0;
    let number = |v: &f32| (v * inverse + half + 0.5).clamp(0.0, most) as u8;
    values.iter().map(number).collect()
}

/// The lower four bits of the first half beside those of the second.
fn paired(numbers: &[u8], out: &mut Vec<u8>) {
    let (first, second) = numbers.split_at(numbers.len() / 2);
    out.extend(
        first
            .iter()
            .zip(second)
            .map(|(a, b)| a & 15 | (b & 15) << 4),
    );
}

/// 32 numbers of 4 bits.
pub(super) fn q4_0(values: &[f32], out: &mut Vec<u8>) {
    let numbers = lower(values, 4, out);
    paired(&numbers, out);
}

/// 32 numbers of 5 bits, the fifth ones apart.
pub(super) fn q5_0(values: &[f32], out: &mut Vec<u8>) {
    let numbers = lower(values, 5, out);
    let fifth = |(i, n): (usize, &u8)| u32::from(n >> 4) << i;
    let high: u32 = numbers.iter().enumerate().map(fifth).sum();
    out.extend(high.to_le_bytes());
    paired(&numbers, out);
}
