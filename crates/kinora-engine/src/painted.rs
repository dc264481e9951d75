//! A clip that is painted and not decoded yet, in a file from which it can be finished.

use crate::conditioning::{Conditioning, Picture};
use crate::latents::{self, LATENTS, LatentsError, SIGMA, invalid};
use crate::{Latents, Plan, Recipe};
use burn::tensor::Device;
use kinora_nn::weights::{self, Dtype, Encoding, Weights, WeightsView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Keys of the metadata, and tensors besides the latents.
const RECIPE: &str = "recipe";
const CUT: &str = "cut";
/// The frames of which something is given, and those of them that are held in part.
const GIVEN: &str = "given";
const HOLD: &str = "hold";

/// Which part of a painted clip is the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Its frames.
    pub frames: Range<usize>,
    /// Pixels across, from the left.
    pub width: u32,
    /// Pixels down, from the top.
    pub height: u32,
}

impl Cut {
    /// All of a clip.
    pub fn whole(plan: &Plan) -> Self {
        Self {
            frames: 0..plan.frames as usize,
            width: plan.width,
            height: plan.height,
        }
    }

    fn is_of(&self, plan: &Plan) -> bool {
        let frames = !self.frames.is_empty() && self.frames.end <= plan.frames as usize;
        frames && (1..=plan.width).contains(&self.width) && (1..=plan.height).contains(&self.height)
    }
}

/// Finished latents, and all that is needed to finish their clip: what is given in it comes back as it was.
#[derive(Clone, Debug)]
pub struct Painted {
    /// The file it was read from.
    pub path: PathBuf,
    /// The clip's recipe.
    pub recipe: Recipe,
    /// Which part of it is the result.
    pub cut: Cut,
    /// Of noise level 0.
    pub latents: Latents,
    /// What is given; prompts and a base have done their part.
    pub conditioning: Conditioning,
}

/// Where painted latents are kept until their clip is written, and what is said there besides.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// The file.
    pub path: &'a Path,
    /// The clip's recipe.
    pub recipe: &'a Recipe,
    /// Which part of it is the result.
    pub cut: &'a Cut,
}

impl Keep<'_> {
    /// Writes a safetensors file: the tensor `latents`; noise level, recipe and cut in the metadata; given pictures as bytes.
    ///
    /// # Errors
    /// When the file can't be written; nothing is left then.
    pub(crate) fn save(
        &self,
        latents: &Latents,
        given: &[Option<Picture>],
    ) -> Result<(), LatentsError> {
        let given = || {
            given
                .iter()
                .enumerate()
                .filter_map(|(i, p)| Some((i, p.as_ref()?)))
        };
        let holds = || given().filter_map(|(i, picture)| Some((i, picture.hold.as_deref()?)));
        let plan = &self.recipe.plan;
        let (height, width) = (plan.height as usize, plan.width as usize);
        let values = latents.values.to_data();
        let values: Vec<f32> = values.iter().collect();
        let values: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let pictures: Vec<u8> = given()
            .flat_map(|(_, p)| p.pixels.iter().copied())
            .collect();
        let masks: Vec<u8> = holds().flat_map(|(_, hold)| hold.iter().copied()).collect();
        let view = |encoding, shape: &[usize], data| WeightsView {
            encoding,
            shape: shape.to_vec(),
            data,
            scale: 1.0,
        };
        let mut tensors = BTreeMap::from([(
            LATENTS.to_owned(),
            view(
                Encoding::Plain(Dtype::F32),
                &latents.values.dims(),
                values.as_slice(),
            ),
        )]);
        let mut metadata = BTreeMap::from([
            (SIGMA.to_owned(), latents.sigma.to_string()),
            (RECIPE.to_owned(), self.recipe.to_json().to_string()),
            (CUT.to_owned(), json(self.cut)),
        ]);
        let places: Vec<usize> = given().map(|(i, _)| i).collect();
        if !places.is_empty() {
            let shape = [places.len(), height, width, 3];
            tensors.insert(GIVEN.to_owned(), view(Encoding::U8, &shape, &pictures));
            metadata.insert(GIVEN.to_owned(), json(&places));
        }
        let places: Vec<usize> = holds().map(|(i, _)| i).collect();
        if !places.is_empty() {
            let shape = [places.len(), height, width];
            tensors.insert(HOLD.to_owned(), view(Encoding::U8, &shape, &masks));
            metadata.insert(HOLD.to_owned(), json(&places));
        }
        weights::write(&Weights { metadata, tensors }, self.path).map_err(LatentsError::Write)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

impl Painted {
    /// Reads the file of a clip whose latents were kept. Sizes are checked when the clip is finished.
    ///
    /// # Errors
    /// When the file is damaged, or holds latents without a recipe or that are not finished.
    pub fn load(path: &Path, device: &Device) -> Result<Self, LatentsError> {
        let file = latents::open(path)?;
        let refuse = |reason: String| invalid(path, reason);
        let weights = weights::read(&file).map_err(|e| refuse(e.to_string()))?;
        let latents = Latents::of(&weights, path, device)?;
        if latents.sigma != 0.0 {
            let reason = format!(
                "its noise level is {}, so it is not painted yet; give it to kinora generate --init-latents",
                latents.sigma
            );
            return Err(refuse(reason));
        }
        let Some(recipe) = said::<Recipe>(&weights, RECIPE, path)? else {
            let reason = "it does not say which clip it is of; give it to kinora generate --init-latents with the clip's settings";
            return Err(refuse(reason.to_owned()));
        };
        let cut = said(&weights, CUT, path)?.unwrap_or_else(|| Cut::whole(&recipe.plan));
        if !cut.is_of(&recipe.plan) {
            return Err(refuse("its cut is not inside its clip".to_owned()));
        }
        let mut given = Vec::new();
        for (frame, pixels) in pictures(&weights, GIVEN, &recipe, path)? {
            given.resize(given.len().max(frame + 1), None);
            given[frame] = Some(Picture::held(pixels));
        }
        for (frame, mask) in pictures(&weights, HOLD, &recipe, path)? {
            match given.get_mut(frame) {
                Some(Some(picture)) => picture.hold = Some(mask),
                _ => {
                    return Err(refuse(format!(
                        "it holds a mask at frame {frame} and no picture"
                    )));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            cut,
            recipe,
            latents,
            conditioning: Conditioning {
                given,
                ..Conditioning::default()
            },
        })
    }
}

/// What the metadata say under `key`.
fn said<T: DeserializeOwned>(
    weights: &Weights<'_>,
    key: &str,
    path: &Path,
) -> Result<Option<T>, LatentsError> {
    let text = weights.metadata.get(key);
    let value = text.map(|text| serde_json::from_str(text)).transpose();
    value.map_err(|error| invalid(path, format!("its {key} can't be read: {error}")))
}

/// The bytes of the tensor `name`, picture by picture, with the frames they belong to.
fn pictures(
    weights: &Weights<'_>,
    name: &str,
    recipe: &Recipe,
    path: &Path,
) -> Result<Vec<(usize, Vec<u8>)>, LatentsError> {
    let places: Vec<usize> = said(weights, name, path)?.unwrap_or_default();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |reason: &str| Err(invalid(path, format!("its {name} {reason}")));
    let Some(tensor) = weights.tensors.get(name) else {
        return refuse("are missing");
    };
    if tensor.encoding != Encoding::U8 || tensor.shape.first() != Some(&places.len()) {
        return refuse("do not fit its metadata");
    }
    let frames = recipe.plan.frames as usize;
    if places.iter().any(|&place| place >= frames) {
        return refuse(&format!("are beyond the clip's {frames} frames"));
    }
    let each = tensor.data.len() / places.len();
    if each == 0 {
        return refuse("are empty");
    }
    let parts = tensor.data.chunks_exact(each).map(<[u8]>::to_vec);
    Ok(places.into_iter().zip(parts).collect())
}
