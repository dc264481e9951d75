//! Between RGB8 frames and the model's pixels in -1 to 1.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;

/// RGB8 values as the model takes them.
pub(crate) fn to_model(bytes: impl IntoIterator<Item = u8>) -> impl Iterator<Item = f32> {
    bytes.into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0)
}

/// The model's values as RGB8, rounded and clamped.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .map(|value| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8)
        .collect()
}

/// Raw frames as one video `[1, T, H, W, 3]`.
pub(crate) fn video(frames: &[u8], width: usize, height: usize, device: &Device) -> Tensor<5> {
    let count = frames.len() / (width * height * 3);
    let values: Vec<f32> = to_model(frames.iter().copied()).collect();
    Tensor::from_data(
        TensorData::new(values, [1, count, height, width, 3]),
        device,
    )
}

/// Frames spread evenly over raw frames, as pictures.
pub(crate) fn spread(frames: &[u8], width: usize, height: usize, count: usize) -> Vec<RgbImage> {
    let size = width * height * 3;
    let total = frames.len() / size;
    let count = count.min(total);
    (0..count)
        .map(|i| i * (total - 1) / (count - 1).max(1))
        .map(|i| frames[i * size..(i + 1) * size].to_vec())
        .map(|frame| {
            RgbImage::from_raw(width as u32, height as u32, frame).expect("a frame fills its size")
        })
        .collect()
}

/// The numbers of a float tensor, with or without autodiff.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .expect("Kinora's tensors are f32")
}
