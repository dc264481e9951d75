//! Random numbers as pure functions of (seed, purpose, index), so that a resumed run draws what an unbroken one would.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What the numbers are for; two purposes never share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The seeds of scenes.
    Scene = 0,
    /// Which format and which clips make a batch.
    Order = 1,
    /// Wording of captions, and which are dropped.
    Caption = 2,
    /// Gaussian noise.
    Noise = 3,
    /// Noise levels.
    Level = 4,
    /// Which part of a clip is looked at.
    Crop = 5,
    /// How long the captions of a batch are.
    Length = 6,
    /// Scenes and captions that teach the text encoder alone.
    Naming = 7,
    /// Which part of a clip is given.
    Given = 8,
    /// Which samples are copies.
    Copies = 9,
    /// Scenes and captions that teach how words move the camera.
    Camera = 10,
    /// Scenes whose layout the cast learns from.
    Staging = 11,
    /// Scenes whose actors the cast learns to imagine.
    Portrait = 12,
}

/// The stream of one purpose at one index (a step, a clip, a pass).
pub(crate) fn stream(purpose: Purpose, index: u64) -> u64 {
    index << 4 | purpose as u64
}

/// The generator of one purpose at one index.
pub(crate) fn generator(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream(purpose, index));
    rng
}
