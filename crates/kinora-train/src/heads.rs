//! Classifiers of a scene's attributes over one feature vector, and their loss.

use crate::attributes::Attribute;
use burn::{
    module::Module,
    tensor::{Tensor, TensorData, activation::log_softmax},
};
use kinora_nn::{Init, Linear};

/// One linear layer for all attributes; each has its range of outputs.
#[derive(Module, Debug)]
pub struct Heads {
    linear: Linear,
}

impl Heads {
    /// Heads over features of `width`, all undecided.
    pub fn new(width: usize, init: &mut Init) -> Self {
        let classes = Attribute::ALL
            .iter()
            .map(|attribute| attribute.classes())
            .sum();
        Self {
            linear: Linear::zeros(width, classes, init),
        }
    }

    /// Scores `[B, classes]` of each attribute from features `[B, D]`.
    pub fn forward(&self, features: Tensor<2>) -> Vec<Tensor<2>> {
        let scores = self.linear.forward(features); // (B, classes of all)
        let mut start = 0;
        let mut range = |classes| {
            start += classes;
            scores.clone().narrow(1, start - classes, classes)
        };
        Attribute::ALL
            .iter()
            .map(|attribute| range(attribute.classes()))
            .collect()
    }

    /// Cross-entropy, the mean over the attributes in `which` and over the rows, each row weighing `shares[row]`.
    /// `classes[row]` lists the row's class for each of [`Attribute::ALL`].
    pub fn loss(
        &self,
        features: Tensor<2>,
        classes: &[Vec<usize>],
        shares: &[f32],
        which: &[Attribute],
    ) -> Tensor<1> {
        let device = features.device();
        let total = shares.iter().sum::<f32>().max(1.0) * which.len() as f32;
        let mut loss = Tensor::<1>::zeros([1], &device);
        for ((scores, attribute), index) in self
            .forward(features)
            .into_iter()
            .zip(Attribute::ALL)
            .zip(0..)
        {
            if !which.contains(&attribute) {
                continue;
            }
            let [rows, width] = scores.dims();
            let mut target = vec![0.0; rows * width];
            for (row, (classes, share)) in classes.iter().zip(shares).enumerate() {
                target[row * width + classes[index]] = share / total;
            }
            let target = Tensor::<2>::from_data(TensorData::new(target, [rows, width]), &device);
            loss = loss - (log_softmax(scores, 1) * target).sum();
        }
        loss
    }
}
