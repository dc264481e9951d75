//! The gaffer: sky, key light, fill, near lights and air for each light and weather, in set units.
//!
//! Each light has a palette of its own, plain even in a close-up: white day, navy night, orange golden hour, blue dusk,
//! magenta against cyan, and one warm flame in the dark. A fill keeps the actors readable in all of them.

use super::props::{Props, glow, matt};
use crate::set::Cover;
use crate::set::{Beam, DirectionalLight, Disc, Fall, Fog, Ground, Hemisphere, PointLight, Sky};
use crate::vocabulary::{Light, Setting, Weather};
use glam::{Vec3, vec3};

/// All of a set but its parts and its ground.
pub(super) struct Mood {
    pub sky: Sky,
    pub key: DirectionalLight,
    pub ambient: Hemisphere,
    pub lights: Vec<PointLight>,
    pub fog: Fog,
    pub fall: Fall,
}

impl Mood {
    /// The mood of a light under the open sky in clear air. `side` is -1 or 1: where the sun or moon stands.
    pub fn open_air(light: Light, side: f32) -> Self {
        let hemisphere = |above, below| Hemisphere { above, below };
        let key = |x: f32, y, z, colour, shadow| DirectionalLight {
            direction: vec3(side * x, y, z).normalize(),
            colour,
            shadow,
        };
        let sky = |zenith, horizon, disc, stars, clouds, cloud_colour| Sky {
            zenith,
            horizon,
            nadir: horizon * 0.5,
            disc,
            stars,
            clouds,
            cloud_colour,
        };
        let (sky, key, ambient) = match light {
            Light::Day => (
                sky(
                    vec3(0.10, 0.30, 0.78),
                    vec3(0.58, 0.76, 0.95),
                    None,
                    0.0,
                    0.35,
                    vec3(0.95, 0.96, 1.0),
                ),
                key(0.55, 0.85, 0.55, vec3(0.95, 0.90, 0.80), 0.75),
                hemisphere(vec3(0.36, 0.42, 0.50), vec3(0.20, 0.18, 0.15)),
            ),
            Light::Night => (
                sky(
                    vec3(0.002, 0.005, 0.022),
                    vec3(0.010, 0.020, 0.070),
                    disc(side * 0.40, 0.20, vec3(1.5, 1.6, 1.75), 0.04, 0.3),
                    0.7,
                    0.12,
                    vec3(0.02, 0.03, 0.07),
                ),
                key(0.85, 0.75, -0.15, vec3(0.22, 0.28, 0.44), 0.65),
                hemisphere(vec3(0.040, 0.056, 0.125), vec3(0.020, 0.026, 0.055)),
            ),
            Light::GoldenHour => (
                sky(
                    vec3(0.24, 0.24, 0.42),
                    vec3(1.0, 0.46, 0.12),
                    disc(side * 0.46, 0.13, vec3(2.2, 1.45, 0.55), 0.055, 0.9),
                    0.0,
                    0.3,
                    vec3(1.0, 0.50, 0.28),
                ),
                key(1.0, 0.32, 0.10, vec3(1.20, 0.60, 0.20), 0.7),
                hemisphere(vec3(0.36, 0.25, 0.24), vec3(0.24, 0.14, 0.08)),
            ),
            Light::BlueHour => (
                sky(
                    vec3(0.015, 0.06, 0.36),
                    vec3(0.21, 0.31, 0.80),
                    None,
                    0.1,
                    0.25,
                    vec3(0.42, 0.34, 0.60),
                ),
                key(0.4, 0.9, 0.5, vec3(0.16, 0.24, 0.46), 0.25),
                hemisphere(vec3(0.14, 0.24, 0.66), vec3(0.07, 0.10, 0.28)),
            ),
            Light::Neon => (
                sky(
                    vec3(0.015, 0.006, 0.045),
                    vec3(0.13, 0.025, 0.19),
                    None,
                    0.1,
                    0.2,
                    vec3(0.12, 0.03, 0.18),
                ),
                key(0.5, 0.8, 0.3, vec3(0.14, 0.07, 0.22), 0.3),
                hemisphere(vec3(0.12, 0.07, 0.20), vec3(0.09, 0.03, 0.12)),
            ),
            Light::CandleLight => (
                sky(
                    vec3(0.006, 0.005, 0.008),
                    vec3(0.020, 0.013, 0.010),
                    None,
                    0.25,
                    0.0,
                    Vec3::ZERO,
                ),
                key(0.4, 0.8, 0.4, vec3(0.05, 0.03, 0.018), 0.3),
                hemisphere(vec3(0.088, 0.058, 0.037), vec3(0.055, 0.035, 0.022)),
            ),
        };
        let fog = Fog {
            colour: sky.horizon,
            density: if light == Light::Day { 0.004 } else { 0.006 },
        };
        Self {
            sky,
            key,
            ambient,
            lights: near_lights(light, side),
            fog,
            fall: Fall::None,
        }
    }

    /// Turns the open-air mood into that of the setting.
    pub fn of(light: Light, setting: Setting, side: f32) -> Self {
        let mut mood = Self::open_air(light, side);
        match setting {
            Setting::Room => mood.roof(vec3(0.42, 0.38, 0.32), 0.9),
            Setting::Cave => {
                mood.roof(vec3(0.020, 0.016, 0.014), 0.75);
                mood.fog = Fog {
                    colour: mood.ambient.above * 0.35,
                    density: 0.02,
                };
            }
            Setting::Stage => {
                mood.roof(vec3(0.012, 0.006, 0.006), 0.45);
                mood.lights.extend(spotlights(light));
            }
            Setting::Space => mood.space(light, side),
            Setting::Underwater => mood.underwater(light),
            // Street lamps, so that only neon light paints the actors magenta and cyan.
            Setting::NeonStreet if matches!(light, Light::Night | Light::BlueHour) => {
                mood.lights = [-1.0, 1.0]
                    .map(|side| {
                        lamp(
                            vec3(side * 2.6, 3.4, 1.0),
                            vec3(0.30, 0.22, 0.12),
                            13.0,
                            0.0,
                        )
                    })
                    .into();
            }
            _ => {}
        }
        mood
    }

    /// Indoors: above is `ceiling` as the light shows it, and the light of the sky comes in at `share`.
    fn roof(&mut self, ceiling: Vec3, share: f32) {
        let above = ceiling * (self.ambient.above * 1.6 + self.key.colour * 0.25);
        self.sky = Sky {
            zenith: above,
            horizon: above,
            nadir: above,
            disc: None,
            stars: 0.0,
            clouds: 0.0,
            cloud_colour: Vec3::ZERO,
        };
        self.key.colour *= share;
        self.key.direction = (self.key.direction + vec3(0.0, 0.45, 0.75)).normalize();
        self.ambient.above *= share;
        self.ambient.below = self.ambient.below * share + self.ambient.above * 0.35;
        self.fog.density = 0.0;
    }

    /// Black sky full of stars; the hour survives as the colour of a nebula and of the sun.
    fn space(&mut self, light: Light, side: f32) {
        let nebula = match light {
            Light::Day => vec3(0.012, 0.020, 0.045),
            Light::Night => vec3(0.004, 0.005, 0.016),
            Light::GoldenHour => vec3(0.26, 0.085, 0.012),
            Light::BlueHour => vec3(0.02, 0.07, 0.30),
            Light::Neon => vec3(0.24, 0.015, 0.26),
            Light::CandleLight => vec3(0.010, 0.006, 0.004),
        };
        let disc = match light {
            Light::Day => disc(-side * 0.12, 0.20, vec3(2.2, 2.1, 1.9), 0.04, 0.8),
            Light::GoldenHour => self.sky.disc,
            _ => None,
        };
        self.sky = Sky {
            zenith: nebula * 0.25,
            horizon: nebula,
            nadir: nebula * 0.4,
            disc,
            stars: 1.0,
            clouds: if nebula.max_element() > 0.2 {
                0.35
            } else {
                0.0
            },
            cloud_colour: nebula * 1.5,
        };
        self.ambient.below = self.ambient.above * 0.6;
        if light == Light::Night {
            self.key.colour *= 1.9;
        }
        self.fog.density = 0.0;
    }

    /// Bright above, deep below, and all that is far drowns in the water's colour.
    fn underwater(&mut self, light: Light) {
        let (surface, deep) = match light {
            Light::Day => (vec3(0.30, 0.85, 0.95), vec3(0.02, 0.27, 0.42)),
            Light::Night => (vec3(0.02, 0.06, 0.16), vec3(0.003, 0.015, 0.055)),
            Light::GoldenHour => (vec3(1.0, 0.68, 0.22), vec3(0.19, 0.25, 0.16)),
            Light::BlueHour => (vec3(0.10, 0.20, 0.75), vec3(0.012, 0.04, 0.27)),
            Light::Neon => (vec3(0.22, 0.04, 0.34), vec3(0.05, 0.012, 0.13)),
            Light::CandleLight => (vec3(0.03, 0.03, 0.025), vec3(0.008, 0.014, 0.016)),
        };
        self.sky = Sky {
            zenith: surface,
            horizon: deep,
            nadir: deep * 0.5,
            disc: None,
            stars: 0.0,
            clouds: 0.0,
            cloud_colour: Vec3::ZERO,
        };
        self.key.direction = vec3(self.key.direction.x * 0.3, 1.0, 0.35).normalize();
        self.key.colour *= vec3(0.6, 0.95, 1.0);
        self.ambient.above = self.ambient.above * vec3(0.7, 1.0, 1.05) + deep * 0.3;
        self.ambient.below += deep * 0.3;
        self.fog = Fog {
            colour: deep,
            density: 0.042,
        };
        self.fall = Fall::Bubbles;
    }

    /// What the weather does to the light and the air.
    pub fn weather(&mut self, weather: Weather, light: Light) {
        let brightness = self.sky.horizon.dot(vec3(0.25, 0.6, 0.15));
        // A low sun would paint everything orange through thick air, even snow.
        let tint = if light == Light::GoldenHour {
            0.22
        } else {
            0.36
        };
        let overcast = self.sky.horizon * tint + Vec3::splat(brightness * (0.84 - tint));
        // Under a roof and at night the air shows what light there is.
        let overcast = overcast.max(self.ambient.above * 0.55);
        let (veil, sun, density) = match weather {
            Weather::Clear => return,
            Weather::Fog => (0.92, 0.45, 0.055),
            Weather::Rain => (0.75, 0.5, 0.022),
            Weather::Snow => (0.6, 0.65, 0.016),
        };
        let dim = if weather == Weather::Rain { 0.6 } else { 0.9 };
        self.sky.horizon = self.sky.horizon.lerp(overcast, veil) * dim;
        self.sky.zenith = self.sky.zenith.lerp(overcast, veil) * dim;
        self.sky.disc = None;
        self.sky.stars = 0.0;
        self.sky.clouds = if weather == Weather::Fog { 0.0 } else { 0.6 };
        self.sky.cloud_colour = overcast * dim * 0.75;
        // What the sun loses comes back from the whole sky.
        let lost = self.key.colour * (1.0 - sun) * 0.4;
        self.key.colour *= sun;
        self.key.shadow *= sun;
        let diffuse = self.ambient.above + lost;
        self.ambient.above = diffuse.lerp(Vec3::splat(diffuse.element_sum() / 3.0), 0.25);
        self.fog = Fog {
            colour: self.sky.horizon,
            density,
        };
        self.fall = match weather {
            Weather::Rain => Fall::Rain,
            Weather::Snow => Fall::Snow,
            Weather::Clear | Weather::Fog => Fall::None,
        };
    }

    /// How the weather changes the ground.
    pub fn soak(weather: Weather, ground: &mut Ground) {
        match weather {
            Weather::Clear | Weather::Fog => {}
            Weather::Rain => {
                ground.wet = ground.wet.max(0.55);
                ground.albedo *= 0.75;
            }
            Weather::Snow if ground.cover == Cover::Water => {}
            Weather::Snow => {
                ground.cover = Cover::Snow;
                ground.albedo = vec3(0.74, 0.78, 0.84);
                ground.wet = 0.0;
            }
        }
    }

    /// Near lights burn lower over ground as bright as snow, which would else drown in them.
    pub fn spare(&mut self, ground: &Ground) {
        if ground.albedo.min_element() > 0.6 {
            self.lights.iter_mut().for_each(|lamp| lamp.colour *= 0.55);
        }
    }

    /// From set units to metres, `scale` metres each, for a shot whose frame is `frame` metres high at the actors:
    /// however far the camera is, the air leaves them readable.
    pub fn scale(&mut self, scale: f32, frame: f32) {
        for lamp in &mut self.lights {
            lamp.position *= scale;
            lamp.reach *= scale;
        }
        self.fog.density = (self.fog.density / scale).min(0.24 / frame);
    }
}

/// The visible sun or moon, `x` to the side and `y` up for each unit of depth.
fn disc(x: f32, y: f32, colour: Vec3, radius: f32, halo: f32) -> Option<Disc> {
    Some(Disc {
        direction: vec3(x, y, -1.0).normalize(),
        colour,
        radius,
        halo,
    })
}

fn lamp(position: Vec3, colour: Vec3, reach: f32, flicker: f32) -> PointLight {
    PointLight {
        position,
        colour,
        reach,
        flicker,
        beam: None,
    }
}

/// The near lights about the actors.
fn near_lights(light: Light, side: f32) -> Vec<PointLight> {
    match light {
        Light::Day | Light::GoldenHour | Light::BlueHour => Vec::new(),
        // A faint front fill, as film crews do, so that faces show against the moon.
        Light::Night => vec![lamp(
            vec3(-side * 3.0, 3.5, 5.0),
            vec3(0.10, 0.12, 0.18),
            14.0,
            0.0,
        )],
        Light::Neon => vec![
            lamp(
                vec3(-side * 4.4, 3.2, 1.8),
                vec3(0.80, 0.04, 0.46),
                14.0,
                0.0,
            ),
            lamp(
                vec3(side * 4.4, 3.2, 1.4),
                vec3(0.025, 0.50, 0.72),
                14.0,
                0.0,
            ),
        ],
        Light::CandleLight => vec![lamp(
            vec3(side * 1.9, 2.1, 1.7),
            vec3(0.80, 0.39, 0.12),
            8.5,
            0.5,
        )],
    }
}

/// The beams on a theatre's boards: one from each side of the balcony, in the colour of the light.
fn spotlights(light: Light) -> [PointLight; 2] {
    let (left, right) = match light {
        Light::Day => (vec3(1.1, 1.0, 0.85), vec3(0.9, 0.9, 0.85)),
        Light::Night => (vec3(0.30, 0.40, 0.80), vec3(0.10, 0.14, 0.35)),
        Light::GoldenHour => (vec3(1.2, 0.60, 0.18), vec3(0.8, 0.42, 0.12)),
        Light::BlueHour => (vec3(0.12, 0.25, 0.85), vec3(0.18, 0.30, 0.75)),
        Light::Neon => (vec3(0.95, 0.06, 0.65), vec3(0.05, 0.65, 0.95)),
        Light::CandleLight => (vec3(0.30, 0.16, 0.06), vec3(0.15, 0.08, 0.03)),
    };
    [(-1.0, left), (1.0, right)].map(|(side, colour)| {
        let position = vec3(side * 3.0, 6.5, 4.5);
        let direction = (vec3(0.0, 0.4, -0.6) - position).normalize();
        PointLight {
            position,
            colour,
            reach: 16.0,
            flicker: 0.0,
            beam: Some(Beam {
                direction,
                half_angle: 0.34,
            }),
        }
    })
}

/// What is seen of near lights among the props: neon tubes, or lanterns with a flame.
pub(super) fn fixtures(props: &mut Props, light: Light) {
    match light {
        Light::Neon => {
            for (side, tube) in [(-1.0, vec3(1.4, 0.06, 0.75)), (1.0, vec3(0.05, 0.95, 1.3))] {
                for (x, z) in [(2.3, -3.2), (4.0, -4.4), (6.2, -6.0)] {
                    let foot = vec3(side * x, 0.15, z);
                    props.rod(foot, foot + Vec3::Y * 2.4, 0.055, glow(tube));
                }
            }
        }
        Light::CandleLight => {
            for spot in props.strew_aside(6, 1.2, 4.0, -2.7, -4.2) {
                let height = props.range(0.3, 0.7);
                props.rod(spot, spot + Vec3::Y * height, 0.075, matt(0.75, 0.68, 0.52));
                let flame = spot + Vec3::Y * (height + 0.12);
                props.ball(flame, vec3(0.05, 0.12, 0.05), glow(vec3(1.6, 0.85, 0.25)));
            }
        }
        Light::Day | Light::Night | Light::GoldenHour | Light::BlueHour => {}
    }
}
