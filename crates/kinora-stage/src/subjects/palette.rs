//! Colours and materials, and the small differences between one person or animal and the next.

use super::rig::v;
use crate::part::Material;
use crate::vocabulary::Colour;
use glam::Vec3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The linear RGB of a palette colour, each well apart from the other eleven.
pub fn albedo(colour: Colour) -> Vec3 {
    match colour {
        Colour::Red => v(0.68, 0.02, 0.02),
        Colour::Orange => v(0.92, 0.24, 0.01),
        Colour::Yellow => v(0.93, 0.68, 0.03),
        Colour::Green => v(0.05, 0.40, 0.04),
        Colour::Teal => v(0.01, 0.38, 0.40),
        Colour::Blue => v(0.02, 0.09, 0.66),
        Colour::Purple => v(0.24, 0.03, 0.48),
        Colour::Pink => v(0.95, 0.28, 0.50),
        Colour::Brown => v(0.16, 0.06, 0.02),
        Colour::White => v(0.88, 0.88, 0.86),
        Colour::Black => v(0.012, 0.012, 0.014),
        Colour::Gray => v(0.22, 0.22, 0.23),
    }
}

pub(super) const INK: Vec3 = Vec3::new(0.01, 0.01, 0.012);
pub(super) const WHITE: Vec3 = Vec3::new(0.9, 0.9, 0.88);
pub(super) const IVORY: Vec3 = Vec3::new(0.80, 0.70, 0.50);
pub(super) const STEEL: Vec3 = Vec3::new(0.45, 0.47, 0.50);
pub(super) const GOLD: Vec3 = Vec3::new(0.90, 0.55, 0.08);
pub(super) const NAVY: Vec3 = Vec3::new(0.02, 0.025, 0.05);
pub(super) const RUBBER: Vec3 = Vec3::new(0.02, 0.02, 0.02);
pub(super) const GLASS: Vec3 = Vec3::new(0.25, 0.45, 0.60);
pub(super) const WOOD: Vec3 = Vec3::new(0.22, 0.10, 0.04);
pub(super) const BEAK: Vec3 = Vec3::new(0.95, 0.38, 0.02);
pub(super) const MOUTH: Vec3 = Vec3::new(0.45, 0.02, 0.03);
pub(super) const BLUSH: Vec3 = Vec3::new(0.85, 0.22, 0.18);
pub(super) const TEAR: Vec3 = Vec3::new(0.20, 0.55, 0.95);
pub(super) const FLAME: Vec3 = Vec3::new(1.0, 0.42, 0.06);

/// A matt surface.
pub(super) fn matt(albedo: Vec3) -> Material {
    shiny(albedo, 0.08)
}

/// A surface with a highlight of strength `gloss`.
pub(super) fn shiny(albedo: Vec3, gloss: f32) -> Material {
    Material {
        albedo,
        emission: Vec3::ZERO,
        gloss,
        opacity: 1.0,
    }
}

/// A surface that sends out `strength` times its colour.
pub(super) fn glowing(albedo: Vec3, strength: f32) -> Material {
    Material {
        emission: (albedo * strength).min(Vec3::ONE),
        ..matt(albedo)
    }
}

/// `a` at 0, `b` at 1.
pub(super) fn mix(a: Vec3, b: Vec3, share: f32) -> Vec3 {
    a.lerp(b, share)
}

/// A lighter tone of a colour, for bellies and muzzles; dark coats brighten most, so that faces stay readable.
pub(super) fn pale(colour: Vec3) -> Vec3 {
    mix(colour, IVORY, 0.62)
}

/// What tells one individual from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// Where in its cycle a gait starts, 0 to 1.
    pub phase: f32,
    /// Height against the usual, 0.96 to 1.04.
    pub tall: f32,
    /// Width against the usual, 0.94 to 1.06.
    pub wide: f32,
    /// Linear RGB of the skin.
    pub skin: Vec3,
    /// Linear RGB of the hair.
    pub hair: Vec3,
    /// A choice among two, for whatever a subject has two of.
    pub variant: bool,
}

impl Traits {
    /// The traits that belong to a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let skins = [
            v(0.80, 0.48, 0.34),
            v(0.66, 0.37, 0.23),
            v(0.45, 0.22, 0.12),
            v(0.29, 0.135, 0.075),
            v(0.19, 0.085, 0.05),
        ];
        let hairs = [
            v(0.02, 0.015, 0.012),
            v(0.07, 0.03, 0.015),
            v(0.20, 0.08, 0.03),
            v(0.60, 0.36, 0.10),
        ];
        Self {
            phase: rng.random(),
            tall: rng.random_range(0.96..1.04),
            wide: rng.random_range(0.94..1.06),
            skin: skins[rng.random_range(0..skins.len())],
            hair: hairs[rng.random_range(0..hairs.len())],
            variant: rng.random(),
        }
    }
}
