//! Weights that stay in their files give the numbers of weights in memory.

use crate::check::relative_error;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::weights::{Change, Dtype, Mapped, Store, WeightsError, load, load_stored, save};
use kinora_nn::{Embedding, Init, Linear, Precision, noise};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

#[derive(Module, Debug)]
struct Model {
    table: Embedding,
    wide: Linear,
    narrow: Linear,
}

impl Model {
    /// Wider than the columns that are decoded at once.
    fn new(init: &mut Init) -> Self {
        Self {
            table: Embedding::new(11, 70, init),
            wide: Linear::new(70, 600, init),
            narrow: Linear::new(600, 50, init).without_bias(),
        }
    }

    fn run(&self, x: Tensor<3>) -> Vec<f32> {
        let seen = self.table.forward(&[7, 0, 7], &x.device());
        let y = self.narrow.forward(self.wide.forward(x));
        let mut values: Vec<f32> = y.try_into_vec_as().unwrap();
        values.extend(seen.try_into_vec_as::<f32>().unwrap());
        values
    }
}

fn saved(folder: &Path, dtype: Dtype) -> std::path::PathBuf {
    let path = folder.join("weights.safetensors");
    let model = Model::new(&mut Init::new(5, &Device::flex()));
    save(&model, &BTreeMap::new(), &path, dtype).unwrap();
    path
}

fn same(name: &str, shape: &[usize]) -> Option<(String, Vec<usize>)> {
    Some((name.to_owned(), shape.to_vec()))
}

fn stored(path: &Path, precision: Precision) -> (Model, Arc<Store>) {
    let mut init = Init::stored(&Device::flex()).with_precision(precision);
    let model = Model::new(&mut init);
    let store = Store::new(vec![Mapped::open(path).unwrap()]);
    let model = load_stored(model, &init.take_slots(), &store, same, |_| Vec::new()).unwrap();
    (model, store)
}

#[test]
fn stored_weights_are_those_in_memory_to_the_bit() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let x = TensorData::new(noise::normal(1, 0, 2 * 60 * 70), [2, 60, 70]);
    let x = Tensor::<3>::from_data(x, &device);
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
        let path = saved(folder.path(), dtype);
        for precision in Precision::ALL {
            let mut init = Init::zeros(&device).with_precision(precision);
            let bytes = std::fs::read(&path).unwrap();
            let dense = load(Model::new(&mut init), &bytes).unwrap().run(x.clone());
            let (model, store) = stored(&path, precision);
            assert_eq!(dense, model.run(x.clone()), "{dtype:?}, {precision:?}");
            // With memory for one of the weights, for none, and after a rest.
            for most in [70_000, 0, u64::MAX] {
                store.limit(most);
                store.rest();
                assert_eq!(dense, model.run(x.clone()), "{most} bytes may stay");
                assert_eq!(dense, model.run(x.clone()), "{most} bytes may stay");
            }
        }
    }
}

#[test]
fn gradients_flow_through_stored_weights() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), Dtype::F32);
    let grad = |model: &Model| {
        let x = TensorData::new(noise::normal(2, 0, 4 * 70), [1, 4, 70]);
        let x = Tensor::<3>::from_data(x, &device).require_grad();
        let y = model.narrow.forward(model.wide.forward(x.clone()));
        let mut grads = (y.clone() * y).sum().backward();
        let grad = x.grad_remove(&mut grads).unwrap();
        grad.try_into_vec_as::<f32>().unwrap()
    };
    let mut init = Init::stored(&device);
    let model = Model::new(&mut init);
    let store = Store::new(vec![Mapped::open(&path).unwrap()]);
    let model = load_stored(model, &init.take_slots(), &store, same, |_| Vec::new()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let dense = load(Model::new(&mut Init::zeros(&device)), &bytes).unwrap();
    assert_eq!(grad(&model), grad(&dense));
}

#[test]
fn what_is_added_to_a_stored_weight_is_added_wherever_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), Dtype::F32);
    let x = TensorData::new(noise::normal(1, 0, 60 * 70), [1, 60, 70]);
    let x = Tensor::<3>::from_data(x, &Device::flex());
    let (up, down) = (noise::normal(3, 0, 600 * 4), noise::normal(3, 1, 4 * 70));
    let whole = noise::normal(3, 2, 600 * 70);
    let changes = |name: &str| match name {
        "wide.weight" => vec![
            Change::Product {
                up: up.clone(),
                down: down.clone(),
                rank: 4,
            },
            Change::Whole(whole.clone()),
        ],
        _ => Vec::new(),
    };
    let mut init = Init::stored(&Device::flex());
    let model = Model::new(&mut init);
    let store = Store::new(vec![Mapped::open(&path).unwrap()]);
    let model = load_stored(model, &init.take_slots(), &store, same, changes).unwrap();

    let device = Device::flex();
    let bytes = std::fs::read(&path).unwrap();
    let mut merged = load(Model::new(&mut Init::zeros(&device)), &bytes).unwrap();
    let matrix = |values: &Vec<f32>, shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values.clone(), shape), &device)
    };
    let delta = matrix(&up, [600, 4]).matmul(matrix(&down, [4, 70])) + matrix(&whole, [600, 70]);
    merged.wide.weight = Param::from_tensor(merged.wide.weight.val() + delta);
    let error = relative_error(&model.run(x.clone()), &merged.run(x));
    assert!(error < 1e-6, "{error:.1e}");
}

#[test]
fn a_stored_weight_of_another_shape_is_named() {
    #[derive(Module, Debug)]
    struct Other {
        table: Embedding,
        wide: Linear,
        narrow: Linear,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), Dtype::F16);
    let mut init = Init::stored(&Device::flex());
    let other = Other {
        table: Embedding::new(11, 70, &mut init),
        wide: Linear::new(70, 601, &mut init),
        narrow: Linear::new(600, 50, &mut init),
    };
    let store = Store::new(vec![Mapped::open(&path).unwrap()]);
    let error = load_stored(other, &init.take_slots(), &store, same, |_| Vec::new()).unwrap_err();
    let WeightsError::Mismatch(mismatch) = error else {
        panic!("{error}");
    };
    assert_eq!(mismatch.missing, ["narrow.bias"]);
    let names: Vec<&str> = mismatch.shapes.iter().map(|(name, ..)| &**name).collect();
    assert_eq!(names, ["wide.weight", "wide.bias"]);
}
