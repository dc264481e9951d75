//! A clip is brought to a size by leaving out or adding, and never stretched.

use kinora_media::{Clip, Fit, Fps, fit};

fn film() -> Fps {
    Fps::new(24_000, 1001).unwrap()
}

#[test]
fn a_clip_is_fitted_and_never_stretched() {
    // A white square on grey stays a square in the middle.
    let (width, height) = (640u32, 480u32);
    let pixel = |x: u32, y: u32| {
        let inside = x.abs_diff(320) < 60 && y.abs_diff(240) < 60;
        [if inside { 255 } else { 90 }; 3]
    };
    let frame = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| pixel(x, y)))
        .collect();
    let clip = Clip::new(width, height, film(), vec![frame]).unwrap();
    let square = |clip: &Clip| {
        let white = |x: u32, y: u32| clip.frames()[0][(y * clip.width() + x) as usize * 3] > 180;
        let (w, h) = (clip.width(), clip.height());
        let across = (0..w).filter(|&x| white(x, h / 2)).count();
        let down = (0..h).filter(|&y| white(w / 2, y)).count();
        (across, down)
    };
    for (how, width, height, words, side) in [
        (
            Fit::Crop,
            192,
            128,
            "cropped 640x480 to 192x128: 11 % of its height is left out",
            36,
        ),
        (
            Fit::Crop,
            128,
            192,
            "cropped 640x480 to 128x192: 50 % of its width is left out",
            48,
        ),
        (
            Fit::Pad,
            192,
            128,
            "padded 640x480 to 192x128: black left and right of the 171x128 picture",
            32,
        ),
        (
            Fit::Pad,
            128,
            192,
            "padded 640x480 to 128x192: black above and below of the 128x96 picture",
            24,
        ),
        (Fit::Pad, 320, 240, "scaled 640x480 to 320x240", 60),
        (Fit::Crop, 960, 720, "scaled 640x480 to 960x720", 179),
    ] {
        let (fitted, told) = fit(&clip, width, height, how).unwrap();
        assert_eq!(told.as_deref(), Some(words));
        assert_eq!(
            (fitted.width(), fitted.height(), fitted.fps()),
            (width, height, film())
        );
        let (across, down) = square(&fitted);
        assert!(
            across.abs_diff(side) <= 1 && down.abs_diff(side) <= 1,
            "{words}: {across}x{down}"
        );
        let corner = fitted.frames()[0][0];
        assert_eq!(
            corner,
            if words.starts_with("padded") { 0 } else { 90 },
            "{words}"
        );
    }
    assert_eq!(
        fit(&clip, 640, 480, Fit::Pad).unwrap(),
        (clip.clone(), None)
    );
    for (width, height) in [(0, 5), (5, 0), (Clip::MAX_SIDE + 1, 5)] {
        assert!(fit(&clip, width, height, Fit::Crop).is_err());
    }
    // Extremes neither panic nor take much memory.
    let thin = Clip::new(5000, 1, film(), vec![vec![9; 15_000]]).unwrap();
    for how in [Fit::Crop, Fit::Pad] {
        assert_eq!(fit(&thin, 3, 300, how).unwrap().0.height(), 300);
        assert_eq!(how.to_string().parse::<Fit>().unwrap(), how);
    }
    assert!(
        "stretch"
            .parse::<Fit>()
            .unwrap_err()
            .to_string()
            .contains("crop or pad")
    );
}
