//! Low-rank additions to a transformer's weights (LoRA, arXiv:2106.09685): `W + weight * alpha / rank * B A`.
//!
//! Names are those of diffusers and PEFT (`transformer.blocks.0.attn1.to_q.lora_A.weight`), of ComfyUI and lightx2v
//! (`diffusion_model.blocks.0.self_attn.q.lora_down.weight`, with whole differences as `.diff`, `.diff_b` and `.diff_m`), and
//! of kohya's scripts (`lora_unet_blocks_0_self_attn_q.lora_down.weight`). Reference: `lora_conversion_utils.py` of
//! diffusers 0.42.1, which leaves out the differences of norms; ComfyUI takes them, as is done here.

mod names;

use super::known;
use super::names::of_transformer;
use super::networks::WanError;
use kinora_nn::weights::{Change as Added, Mapped, Weights, WeightsError, WeightsView, read};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use names::{Part, parse};
pub use names::{expert_of, few_steps};

/// Which of two transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expert {
    /// Of high noise levels, the first.
    High,
    /// Of low noise levels, the second.
    Low,
}

/// A file that is added to a transformer.
#[derive(Debug)]
pub struct LoraFile {
    /// What it is called in errors.
    pub name: String,
    /// Its bytes.
    pub file: Mapped,
    /// How much of it is added.
    pub weight: f32,
    /// To which transformer, or to all.
    pub expert: Option<Expert>,
}

/// Why a LoRA can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file is damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Another way to add to weights.
    #[error("it is a {0}, which is not known; LoRA and whole differences are")]
    Kind(&'static str),
    /// A tensor that no layer of a Wan transformer has.
    #[error("its tensor {name} belongs to no layer of this transformer{seems}")]
    Unknown {
        /// The tensor.
        name: String,
        /// Which model it seems to be for.
        seems: String,
    },
    /// One of two factors.
    #[error("its layer {0} has one of two factors; download it again")]
    Half(String),
    /// A layer of another size.
    #[error("its layer {layer} is {found:?} and the transformer's {wanted:?}{seems}")]
    Shape {
        /// The layer.
        layer: String,
        /// Extents in the LoRA.
        found: Vec<usize>,
        /// Extents in the transformer.
        wanted: Vec<usize>,
        /// Which model it seems to be for.
        seems: String,
    },
    /// Numbers that are none.
    #[error("its layer {0} holds values that are not finite; download it again")]
    NotFinite(String),
    /// Nothing would come of it.
    #[error("it changes nothing: it holds no LoRA, or zeros alone")]
    Nothing,
}

/// What is added to one weight.
#[derive(Clone, Debug)]
enum Change<'a> {
    /// `scale * up down`, `up` `[out, r]` and `down` `[r, in]`.
    Product {
        up: WeightsView<'a>,
        down: WeightsView<'a>,
        scale: f32,
    },
    /// `scale * delta`.
    Whole { delta: WeightsView<'a>, scale: f32 },
}

/// A LoRA by the names of the transformer's weights here.
#[derive(Clone, Debug)]
pub struct Lora<'a> {
    /// What is added to each weight, beside the layer's name in the file.
    changes: BTreeMap<String, (String, Vec<Change<'a>>)>,
    /// The file's tensors.
    names: Vec<String>,
    /// Largest rank of its products.
    rank: usize,
}

/// The tensors of a layer.
#[derive(Default)]
struct Layer<'a> {
    down: Option<WeightsView<'a>>,
    up: Option<WeightsView<'a>>,
    alpha: Option<f32>,
    /// What a whole difference is of, and whether it is scaled as the product is.
    whole: Vec<(&'static str, bool, WeightsView<'a>)>,
}

/// Parts of names of other ways to add to weights.
const OTHER_KINDS: [(&str, &str); 4] = [
    ("lokr_", "LoKr"),
    ("hada_", "LoHa"),
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
];
/// Parts of names of other models' layers.
const OTHER_MODELS: [(&str, &str); 9] = [
    ("k_img", "Wan 2.1 image-to-video"),
    ("img_emb", "Wan 2.1 image-to-video"),
    (
        "add_k_proj",
        "Wan 2.1 image-to-video, or a model of two streams",
    ),
    ("double_blocks", "HunyuanVideo or FLUX"),
    ("single_transformer_blocks", "FLUX"),
    ("joint_transformer_blocks", "Stable Diffusion 3"),
    (
        "transformer_blocks",
        "LTX-Video or another model of diffusers",
    ),
    ("down_blocks", "Stable Diffusion"),
    ("lora_te", "a text encoder"),
];

impl<'a> Lora<'a> {
    /// The LoRA in a file, by its header; its numbers are looked at when it is merged.
    ///
    /// # Errors
    /// When it is another kind of file, holds layers that no Wan transformer has, or half a product.
    pub fn read(bytes: &'a [u8]) -> Result<Self, LoraError> {
        let Weights { metadata, tensors } = read(bytes)?;
        let names: Vec<String> = tensors.keys().cloned().collect();
        let other = |(mark, kind): &(&str, &'static str)| {
            names
                .iter()
                .any(|name| name.contains(mark))
                .then_some(*kind)
        };
        if let Some(kind) = OTHER_KINDS.iter().find_map(other) {
            return Err(LoraError::Kind(kind));
        }
        let mut layers: BTreeMap<String, Layer<'a>> = BTreeMap::new();
        for (name, tensor) in tensors {
            let Some((layer, part)) = parse(&name) else {
                let seems = seems(&names, None);
                return Err(LoraError::Unknown { name, seems });
            };
            let layer = layers.entry(layer).or_default();
            match part {
                Part::Alpha => layer.alpha = tensor.to_f32().first().copied(),
                Part::Down => layer.down = Some(tensor),
                Part::Up => layer.up = Some(tensor),
                Part::Whole { of, scaled } => layer.whole.push((of, scaled, tensor)),
            }
        }
        let adapter = Adapter::new(&metadata);
        let mut lora = Self {
            changes: BTreeMap::new(),
            names,
            rank: 0,
        };
        for (name, layer) in layers {
            lora.add(&name, layer, &adapter)?;
        }
        Ok(lora)
    }

    fn add(&mut self, name: &str, layer: Layer<'a>, adapter: &Adapter) -> Result<(), LoraError> {
        // Shapes are compared with the transformer's afterwards.
        let ours =
            |of: &str| of_transformer(&format!("{name}.{of}"), &[1, 1]).map(|(name, _)| name);
        if ours("weight").is_none() && ours("modulation").is_none() {
            return Err(LoraError::Unknown {
                name: name.to_owned(),
                seems: seems(&self.names, None),
            });
        }
        let product = match (layer.up, layer.down) {
            (Some(up), Some(down)) => Some((up, down)),
            (None, None) => None,
            _ => return Err(LoraError::Half(name.to_owned())),
        };
        let rank = product
            .as_ref()
            .and_then(|(_, down)| down.shape.first().copied());
        let scale = rank.map_or(1.0, |rank| adapter.scale(name, layer.alpha, rank));
        self.rank = self.rank.max(rank.unwrap_or(0));
        let product = product.map(|(up, down)| ("weight", Change::Product { up, down, scale }));
        let whole = layer.whole.into_iter().map(|(of, scaled, delta)| {
            let scale = if scaled { scale } else { 1.0 };
            (of, Change::Whole { delta, scale })
        });
        for (of, change) in product.into_iter().chain(whole) {
            let Some(ours) = ours(of) else {
                return Err(LoraError::Unknown {
                    name: format!("{name}.{of}"),
                    seems: seems(&self.names, None),
                });
            };
            let entry = self
                .changes
                .entry(ours)
                .or_insert_with(|| (name.to_owned(), Vec::new()));
            entry.1.push(change);
        }
        Ok(())
    }

    /// Largest rank of its products; 0 if it holds whole differences alone.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Width of the transformer that it is for, as far as it can be told.
    pub fn width(&self) -> Option<usize> {
        let query = |(name, (_, changes)): (&String, &(String, Vec<Change<'_>>))| {
            let of_width = name.ends_with("attention.q.weight") || name.ends_with("cross.q.weight");
            changes
                .iter()
                .filter(|_| of_width)
                .find_map(|change| match change {
                    Change::Product { up, .. } => up.shape.first().copied(),
                    Change::Whole { delta, .. } => delta.shape.first().copied(),
                })
        };
        self.changes.iter().find_map(query)
    }

    /// What models of its width are called.
    pub fn models(&self) -> Option<String> {
        self.width().and_then(known::named)
    }

    /// Checks it against the weights of a transformer, and its numbers.
    ///
    /// # Errors
    /// Names the first layer that does not fit or holds numbers that are none; when nothing would change.
    fn check(&self, weights: &BTreeMap<String, Vec<usize>>) -> Result<(), LoraError> {
        let mut acts = false;
        for (name, (layer, changes)) in &self.changes {
            let seems = || seems(&self.names, self.width());
            let Some(wanted) = weights.get(name) else {
                return Err(LoraError::Unknown {
                    name: layer.clone(),
                    seems: seems(),
                });
            };
            for change in changes {
                let (fits, found) = change.fits(wanted);
                if !fits {
                    return Err(LoraError::Shape {
                        layer: layer.clone(),
                        found,
                        wanted: wanted.clone(),
                        seems: seems(),
                    });
                }
                if !change.is_finite() {
                    return Err(LoraError::NotFinite(layer.clone()));
                }
                acts |= !change.is_zero();
            }
        }
        if acts {
            Ok(())
        } else {
            Err(LoraError::Nothing)
        }
    }
}

impl Change<'_> {
    fn is_finite(&self) -> bool {
        let finite = |view: &WeightsView<'_>| view.to_f32().iter().all(|v| v.is_finite());
        match self {
            Self::Product { up, down, scale } => finite(up) && finite(down) && scale.is_finite(),
            Self::Whole { delta, scale } => finite(delta) && scale.is_finite(),
        }
    }

    fn is_zero(&self) -> bool {
        let zero = |view: &WeightsView<'_>| view.to_f32().iter().all(|v| *v == 0.0);
        match self {
            Self::Product { up, down, scale } => *scale == 0.0 || zero(up) || zero(down),
            Self::Whole { delta, .. } => zero(delta),
        }
    }

    /// Whether it can be added to a weight of the shape `wanted`, and its own shape.
    fn fits(&self, wanted: &[usize]) -> (bool, Vec<usize>) {
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        match self {
            Self::Whole { delta, .. } => (size(&delta.shape) == size(wanted), delta.shape.clone()),
            Self::Product { up, down, .. } => {
                let ends = |view: &WeightsView<'_>| {
                    let first = view.shape.first().copied().unwrap_or(0);
                    [first, view.shape.iter().skip(1).product()]
                };
                let ([outputs, rank], [again, inputs]) = (ends(up), ends(down));
                let fits = rank > 0 && rank == again && wanted == [outputs, inputs];
                (fits, vec![outputs, inputs])
            }
        }
    }

    /// It, scaled.
    fn scaled(&self, weight: f32) -> Added {
        let scaled = |view: &WeightsView<'_>, scale: f32| -> Vec<f32> {
            view.to_f32().iter().map(|value| value * scale).collect()
        };
        match self {
            Self::Whole { delta, scale } => Added::Whole(scaled(delta, weight * scale)),
            Self::Product { up, down, scale } => Added::Product {
                up: scaled(up, weight * scale),
                down: down.to_f32(),
                rank: down.shape[0],
            },
        }
    }
}

/// What is added to one transformer, checked against it.
#[derive(Debug)]
pub struct Merge<'a>(Vec<(Lora<'a>, f32)>);

impl<'a> Merge<'a> {
    /// Those of `files` that are for the transformer `expert`, whose weights have these shapes.
    ///
    /// # Errors
    /// When one is none, or for another model.
    pub fn new(
        files: &'a [LoraFile],
        expert: Expert,
        weights: &BTreeMap<String, Vec<usize>>,
    ) -> Result<Self, WanError> {
        let meant = files
            .iter()
            .filter(|file| file.expert.is_none_or(|only| only == expert));
        let read = meant.map(|file| {
            let lora = Lora::read(&file.file).and_then(|lora| {
                lora.check(weights)?;
                Ok(lora)
            });
            match lora {
                Ok(lora) => Ok((lora, file.weight)),
                Err(source) => Err(WanError::Lora {
                    file: file.name.clone(),
                    source: Box::new(source),
                }),
            }
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    /// What is added to the weight `name`.
    pub fn of(&self, name: &str) -> Vec<Added> {
        let changes = |(lora, weight): &(Lora<'a>, f32)| {
            let own = lora.changes.get(name).map(|(_, changes)| changes);
            let own = own.into_iter().flatten();
            own.map(|change| change.scaled(*weight)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(changes).collect()
    }
}

/// What PEFT says of its factors in the header, if it wrote the file.
struct Adapter(Value);

impl Adapter {
    fn new(metadata: &BTreeMap<String, String>) -> Self {
        let text = metadata.get("lora_adapter_metadata");
        Self(
            text.and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
        )
    }

    fn get(&self, key: &str) -> &Value {
        &self.0[format!("transformer.{key}")]
    }

    /// What a product of `rank` is multiplied with: alpha over the rank, and one where nothing tells alpha.
    fn scale(&self, layer: &str, alpha: Option<f32>, rank: usize) -> f32 {
        let own = self.get("alpha_pattern").as_object().into_iter().flatten();
        let own = own
            .filter(|(name, _)| layer.ends_with(name.as_str()))
            .map(|(_, alpha)| alpha);
        let told = own.chain([self.get("lora_alpha")]).find_map(Value::as_f64);
        let Some(alpha) = alpha.or(told.map(|alpha| alpha as f32)) else {
            return 1.0;
        };
        match self.get("use_rslora").as_bool() {
            Some(true) => alpha / (rank as f32).sqrt(),
            _ => alpha / rank as f32,
        }
    }
}

/// "; it seems to be for ...", as far as names and the width tell.
fn seems(names: &[String], width: Option<usize>) -> String {
    let mark = |(mark, model): &(&str, &'static str)| {
        names
            .iter()
            .any(|name| name.contains(mark))
            .then(|| (*model).to_owned())
    };
    let of_width = |width: usize| match known::named(width) {
        Some(models) => format!("Wan {models}"),
        None => format!("a transformer {width} wide"),
    };
    let model = OTHER_MODELS.iter().find_map(mark).or(width.map(of_width));
    model.map_or_else(String::new, |model| format!("; it seems to be for {model}"))
}
