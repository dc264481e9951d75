//! What may be left out of the work on a clip, for a result that is a little different.

use crate::plan::number;
use crate::{ModelFiles, PlanError};
use kinora_models::Family;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Work that is left out. It is part of a clip's recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortcuts {
    /// The share of the steps in which guidance acts, of 0 to 1; `None` is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_span: Option<Range<f64>>,
    /// The change of what a transformer's first block adds, in shares of it, below which a step reuses what its other blocks
    /// added before; with `None`, none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_cache: Option<f64>,
}

impl Shortcuts {
    /// Nothing is left out.
    pub const NONE: Self = Self {
        guidance_span: None,
        step_cache: None,
    };

    /// Checks them against their ranges and what `model` can do.
    ///
    /// # Errors
    /// Says what is wrong and what is allowed.
    pub fn check(&self, model: &ModelFiles) -> Result<(), PlanError> {
        if let Some(Range { start, end }) = self.guidance_span {
            let start = number("the start of the guidance's span", start, 0.0, 1.0)?;
            number("the end of the guidance's span", end, start, 1.0)?;
        }
        if let Some(change) = self.step_cache {
            number("the step cache's change", change, 0.0, 1.0)?;
            if model.about.family != Family::Wan {
                return Err(PlanError::NoStepCache(model.about.name.clone()));
            }
        }
        Ok(())
    }
}
