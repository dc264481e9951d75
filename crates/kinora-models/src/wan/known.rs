//! The published checkpoints: what they are called, and how the reference runs them.
//!
//! Reference: the configurations of Wan2.1 and Wan2.2 (`wan/configs`), and their READMEs for the 1.3B.

use super::config::TransformerConfig;
use super::networks::Config;
use crate::kinora1::Defaults;

/// A published checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// What it is called.
    pub name: &'static str,
    /// Width of the transformer's tokens.
    pub width: usize,
    /// Channels of its latents, and of what is stacked on them.
    pub in_channels: usize,
    /// Shift of the sigma schedule.
    pub shift: f32,
    /// The noise level below which the second transformer takes over, if there are two.
    pub boundary: Option<f64>,
    /// Whether each frame has a timestep of its own.
    pub expand_timesteps: bool,
    /// Sampler steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance: f32,
    /// Pixels across and down.
    pub size: [usize; 2],
    /// Frames, and how many of them a second has.
    pub frames: (usize, u32),
}

/// Fields that most have in common.
const WAN_2_1: Known = Known {
    name: "2.1 T2V 14B",
    width: 5120,
    in_channels: 16,
    shift: 5.0,
    boundary: None,
    expand_timesteps: false,
    steps: 50,
    guidance: 5.0,
    size: [832, 480],
    frames: (81, 16),
};

/// All of them.
pub const KNOWN: [Known; 6] = [
    Known {
        name: "2.1 T2V 1.3B",
        width: 1536,
        shift: 8.0,
        ..WAN_2_1
    },
    WAN_2_1,
    Known {
        name: "2.1 I2V 14B",
        in_channels: 36,
        shift: 3.0,
        ..WAN_2_1
    },
    Known {
        name: "2.2 T2V A14B",
        shift: 12.0,
        boundary: Some(0.875),
        steps: 40,
        guidance: 4.0,
        ..WAN_2_1
    },
    Known {
        name: "2.2 I2V A14B",
        in_channels: 36,
        boundary: Some(0.9),
        steps: 40,
        guidance: 3.5,
        ..WAN_2_1
    },
    Known {
        name: "2.2 TI2V 5B",
        width: 3072,
        in_channels: 48,
        expand_timesteps: true,
        size: [1280, 704],
        frames: (121, 24),
        ..WAN_2_1
    },
];

/// The published checkpoint that a transformer is of, or of an unknown size, that which it is most like.
pub fn nearest(transformer: &TransformerConfig, two_transformers: bool) -> &'static Known {
    let alike = |known: &&Known| known.boundary.is_some() == two_transformers;
    let same = |known: &&Known| {
        (known.width, known.in_channels) == (transformer.width(), transformer.in_channels)
    };
    let stacked = |known: &&Known| {
        (known.in_channels == 36) == (transformer.in_channels > transformer.out_channels)
    };
    let all = || KNOWN.iter().filter(alike);
    let found = all().find(same).or_else(|| all().find(stacked));
    found.unwrap_or(&KNOWN[0])
}

/// What models of this width of tokens are called, as in "2.1 T2V 14B, 2.2 T2V A14B".
pub(super) fn named(width: usize) -> Option<String> {
    let names = KNOWN.iter().filter(|known| known.width == width);
    let names: Vec<&str> = names.map(|known| known.name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

impl Config {
    /// What the reference does with such a checkpoint.
    pub fn defaults(&self) -> Defaults {
        let two = self.boundary.is_some();
        let known = match self.expand_timesteps {
            true => KNOWN.iter().find(|known| known.expand_timesteps),
            false => None,
        };
        let known = known.unwrap_or_else(|| nearest(&self.transformer, two));
        Defaults {
            width: known.size[0],
            height: known.size[1],
            frames: known.frames.0,
            fps: known.frames.1,
            steps: known.steps,
            guidance: known.guidance,
            sampler: "unipc".to_owned(),
            shift: self.flow_shift,
            temperature: 1.0,
            candidates: 1,
        }
    }
}

/// Means and deviations of the latents of the autoencoder with so many channels: 16 of Wan 2.1, 48 of 2.2.
pub(super) fn latents(channels: usize) -> Option<(&'static [f32], &'static [f32])> {
    match channels {
        16 => Some((&MEAN_2_1, &STD_2_1)),
        48 => Some((&MEAN_2_2, &STD_2_2)),
        _ => None,
    }
}

const MEAN_2_1: [f32; 16] = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517,
    -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
];
const STD_2_1: [f32; 16] = [
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
    1.6382, 1.1253, 2.8251, 1.9160,
];
const MEAN_2_2: [f32; 48] = [
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813,
    0.0891, 0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108,
    -0.2158, 0.2502, -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313,
    -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944,
    0.3573, -0.0548, -0.1681, -0.0667,
];
const STD_2_2: [f32; 48] = [
    0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901,
    0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
    0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944,
    0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
];
