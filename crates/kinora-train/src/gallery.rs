//! Contact sheets of prompts: what a model makes of them, to be looked at.

use crate::TrainError;
use kinora_engine::{Conditioning, Device, Job, Model, Plan, Room, Shortcuts, generate};
use kinora_media::SheetRow;
use std::sync::atomic::AtomicBool;

/// Frames of each clip on the sheet.
const FRAMES: usize = 5;

/// Paints each plan; a row a clip, under its prompt.
///
/// # Errors
/// When painting fails or `stop` is set.
pub fn gallery(
    model: &Model,
    plans: &[Plan],
    stop: &AtomicBool,
) -> Result<Vec<SheetRow>, TrainError> {
    let device = Device::flex();
    plans
        .iter()
        .map(|plan| {
            let job = Job {
                plan,
                model,
                device: &device,
                conditioning: &Conditioning::default(),
                start: None,
                save_latents: None,
                shortcuts: &Shortcuts::NONE,
                room: Room::ALL,
                previews: false,
                cancel: stop,
            };
            Ok(SheetRow {
                label: plan.prompt.clone(),
                frames: generate(&job, |_| ())?.spread(FRAMES),
            })
        })
        .collect()
}
