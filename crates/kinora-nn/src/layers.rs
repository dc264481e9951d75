//! Small layers with seeded initial values.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::weights::{Change, Store, Stored, WeightsView};
use crate::{
    Precision, depthwise_conv3d, layer_norm, linear_in, linear_stored, noise, rms_norm_heads,
};

/// Added to variances and mean squares.
const EPS: f32 = 1e-6;

/// A source of initial values on a device. Each call takes the next stream of the seed, so the
/// values depend on the order of the calls and on nothing else.
#[derive(Clone, Debug)]
pub struct Init {
    /// `None` gives zeros, for layers whose weights are read from a file.
    seed: Option<u64>,
    counter: u64,
    device: Device,
    precision: Precision,
    /// If weights of linear layers stay in their files: the places that are waiting for them.
    slots: Option<Slots>,
}

/// Places for weights that stay in their files, by the parameters in whose stead they are.
#[derive(Clone, Debug, Default)]
pub struct Slots(HashMap<ParamId, Slot>);

impl Slots {
    /// The place of a parameter's values.
    pub(crate) fn get(&self, id: ParamId) -> Option<&Slot> {
        self.0.get(&id)
    }
}

/// A place for a weight `[out, in]` that stays in its file.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    shape: [usize; 2],
    weight: Arc<OnceLock<Stored>>,
}

impl Slot {
    pub(crate) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Takes a tensor of a store; `None` if it can't be used in place.
    pub(crate) fn fill(
        &self,
        store: &Arc<Store>,
        tensor: &WeightsView<'_>,
        changes: Vec<Change>,
    ) -> Option<&Stored> {
        let weight = store.weight(tensor, self.shape, changes)?;
        self.weight.set(weight).ok()?;
        self.weight.get()
    }

    fn get(&self) -> &Stored {
        self.weight
            .get()
            .expect("the weights of a module with slots are loaded before it is used")
    }
}

impl Init {
    /// A source that starts at the first stream of `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            seed: Some(seed),
            counter: 0,
            device: device.clone(),
            precision: Precision::F32,
            slots: None,
        }
    }

    /// A source of zeros for all but the weights of linear layers and embeddings, for which it makes places: they stay in
    /// their files ([`crate::weights::load_stored`]).
    pub fn stored(device: &Device) -> Self {
        Self {
            slots: Some(Slots::default()),
            ..Self::zeros(device)
        }
    }

    /// The places that were made.
    pub(crate) fn slots(&self) -> Option<&Slots> {
        self.slots.as_ref()
    }

    /// The places that were made, and new ones from now on.
    pub fn take_slots(&mut self) -> Slots {
        self.slots.replace(Slots::default()).unwrap_or_default()
    }

    /// A source of zeros: the cheap start of a module that is about to be loaded.
    pub fn zeros(device: &Device) -> Self {
        Self {
            seed: None,
            counter: 0,
            device: device.clone(),
            precision: Precision::F32,
            slots: None,
        }
    }

    /// The device that values are made on.
    pub fn device(&self) -> Device {
        self.device.clone()
    }

    /// What linear layers made with it work in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same source; linear layers made with it work in `precision`.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Normal values of deviation `std`, none farther than two deviations from zero.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f32) -> Param<Tensor<D>> {
        let values = self.values(shape.iter().product(), |seed, stream, len| {
            noise::truncated_normal(seed, stream, len, 2.0)
        });
        self.parameter(values, shape, std)
    }

    /// An empty parameter and the place of its values, if weights stay in their files.
    fn slot(&mut self, shape: [usize; 2]) -> Option<(Param<Tensor<2>>, Slot)> {
        let slots = self.slots.as_mut()?;
        let slot = Slot {
            shape,
            weight: Arc::default(),
        };
        let empty = Param::from_tensor(Tensor::zeros([0, 0], &self.device));
        slots.0.insert(empty.id, slot.clone());
        Some((empty, slot))
    }

    /// A `[out, in]` weight, uniform within `sqrt(6 / (in + out))` (Glorot & Bengio, 2010).
    fn xavier(&mut self, outputs: usize, inputs: usize) -> Param<Tensor<2>> {
        let values = self.values(outputs * inputs, |seed, stream, len| {
            let unit = noise::uniform(seed, stream, len);
            unit.into_iter().map(|v| 2.0 * v - 1.0).collect()
        });
        let bound = (6.0 / (inputs + outputs) as f32).sqrt();
        self.parameter(values, [outputs, inputs], bound)
    }

    /// The same value everywhere.
    fn constant<const D: usize>(&self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::full(shape, value, &self.device))
    }

    fn values(&mut self, len: usize, draw: impl Fn(u64, u64, usize) -> Vec<f32>) -> Vec<f32> {
        self.counter += 1;
        self.seed
            .map_or_else(|| vec![0.0; len], |seed| draw(seed, self.counter - 1, len))
    }

    fn parameter<const D: usize>(
        &self,
        mut values: Vec<f32>,
        shape: [usize; D],
        scale: f32,
    ) -> Param<Tensor<D>> {
        if self.seed.is_some() {
            values.iter_mut().for_each(|v| *v *= scale);
        }
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }
}

/// The module with normal values of deviation 0.1 added to all its parameters, so that a test of
/// random weights reaches what starts at zero.
pub fn randomised<M: Module>(module: M, seed: u64) -> M {
    struct Add(u64, u64);
    impl ModuleMapper for Add {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.1 += 1;
            let (seed, stream) = (self.0, self.1);
            param.map(|x| {
                let noise = noise::normal(seed, stream, x.shape().num_elements());
                let noise = Tensor::from_data(TensorData::new(noise, x.dims()), &x.device());
                x + noise * 0.1
            })
        }
    }
    module.map(&mut Add(seed, 0))
}

/// An affine map of the last dimension.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`; empty if the weight stays in its file.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Of the products, forward and backward.
    #[module(skip)]
    pub precision: Precision,
    #[module(skip)]
    slot: Option<Slot>,
}

impl Linear {
    /// A layer with a Xavier weight and a bias of zeros.
    pub fn new(inputs: usize, outputs: usize, init: &mut Init) -> Self {
        let (weight, slot) = match init.slot([outputs, inputs]) {
            Some((weight, slot)) => (weight, Some(slot)),
            None => (init.xavier(outputs, inputs), None),
        };
        Self {
            weight,
            bias: Some(init.constant([outputs], 0.0)),
            precision: init.precision,
            slot,
        }
    }

    /// A layer with all values zero: the start of gates and of last layers.
    pub fn zeros(inputs: usize, outputs: usize, init: &mut Init) -> Self {
        Self {
            weight: init.constant([outputs, inputs], 0.0),
            bias: Some(init.constant([outputs], 0.0)),
            precision: init.precision,
            slot: None,
        }
    }

    /// A layer of these values, `[out, in]` and `[out]`.
    pub fn of(weight: Tensor<2>, bias: Tensor<1>, precision: Precision) -> Self {
        Self {
            weight: Param::from_tensor(weight),
            bias: Some(Param::from_tensor(bias)),
            precision,
            slot: None,
        }
    }

    /// The layer with its products in another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The layer without its bias.
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// `x` `[..., in]` to `[..., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        match &self.slot {
            Some(slot) => linear_stored(self.precision, x, slot.get(), bias),
            None => linear_in(self.precision, x, self.weight.val(), bias),
        }
    }
}

/// Rows of a table by their numbers.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, D]`; empty if the table stays in its file.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    slot: Option<Slot>,
}

impl Embedding {
    /// A table of normal values of deviation one.
    pub fn new(rows: usize, width: usize, init: &mut Init) -> Self {
        let (weight, slot) = match init.slot([rows, width]) {
            Some((weight, slot)) => (weight, Some(slot)),
            None => (init.normal([rows, width], 1.0), None),
        };
        Self { weight, slot }
    }

    /// Rows `ids` `[L, D]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn forward(&self, ids: &[u32], device: &Device) -> Tensor<2> {
        let Some(slot) = &self.slot else {
            let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
            let ids = Tensor::<1, Int>::from_data(TensorData::from(ids.as_slice()), device);
            return self.weight.val().select(0, ids);
        };
        let (table, width) = (slot.get(), slot.shape[1]);
        let row = |&id: &u32| table.rows(id as usize..id as usize + 1);
        let values: Vec<f32> = ids.iter().flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [ids.len(), width]), device)
    }
}

/// Layer norm over the last dimension with a learned weight and bias.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[C]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// `[C]`, zeros at first.
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// A norm of rows of `width`.
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            weight: init.constant([width], 1.0),
            bias: init.constant([width], 0.0),
        }
    }

    /// `x` `[..., C]` to the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, Some(self.weight.val()), Some(self.bias.val()), EPS)
    }
}

/// RMS norm of each attention head (arXiv:1910.07467, used on queries and keys).
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[Dh]`, ones at first.
    pub weight: Param<Tensor<1>>,
}

impl RmsNorm {
    /// A norm of heads of `width` channels.
    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            weight: init.constant([width], 1.0),
        }
    }

    /// `x` `[B, N, heads * Dh]` to the same shape.
    pub fn forward_heads(&self, x: Tensor<3>, heads: usize) -> Tensor<3> {
        rms_norm_heads(x, self.weight.val(), heads, EPS)
    }
}

/// A depthwise convolution over time, height and width: valid in time, zero-padded in space.
#[derive(Module, Debug)]
pub struct DepthwiseConv3d {
    /// `[kt, kh, kw, C]`.
    pub weight: Param<Tensor<4>>,
    /// `[C]`.
    pub bias: Param<Tensor<1>>,
}

impl DepthwiseConv3d {
    /// A convolution of `width` channels with a kernel of that extent in time, height and width.
    pub fn new(width: usize, [t, h, w]: [usize; 3], init: &mut Init) -> Self {
        let std = 1.0 / ((t * h * w) as f32).sqrt();
        Self {
            weight: init.normal([t, h, w, width], std),
            bias: init.constant([width], 0.0),
        }
    }

    /// `x` `[B, T + kt - 1, H, W, C]` to `[B, T, H, W, C]`.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        depthwise_conv3d(x, self.weight.val(), self.bias.val())
    }
}
