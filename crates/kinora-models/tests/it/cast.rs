//! Properties of the networks that stage a scene.

use super::CAST;
use burn::tensor::{Device, Tensor};
use kinora_models::kinora1::cast::{Cast, Facts, LAYOUT, Layout, Mark, PORTRAIT, Sight};
use kinora_nn::{Init, layers::randomised};

fn cast() -> Cast {
    let fresh = Cast::new(&CAST, 10, &mut Init::new(1, &Device::flex()));
    let statistics = Tensor::cat(
        vec![
            Tensor::zeros([1, LAYOUT], &Device::flex()),
            Tensor::ones([1, LAYOUT], &Device::flex()),
        ],
        0,
    );
    let mut cast = randomised(fresh, 2);
    cast.blocking = cast.blocking.with_statistics(statistics);
    cast
}

fn facts() -> Facts {
    Facts {
        roles: vec![[2, 1, 3, 0], [0, 0, 1, 1]],
        scenery: [1, 0, 2, 1],
        shot: [2, 1, 0, 3],
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .try_into_vec_as()
        .expect("flex tensors are in memory")
}

#[test]
fn a_layout_is_what_it_was_after_it_was_a_vector() {
    let mark = Mark {
        place: [0.2, -0.1],
        side: 0.7,
        yaw: -2.0,
        above: 0.3,
        depth: 5.0,
        way: [0.4, 0.0],
        growth: 0.1,
        turn: -0.2,
    };
    let layout = Layout {
        camera: std::array::from_fn(|i| i as f32 / 10.0),
        roll: 0.2,
        marks: vec![mark; 2],
    };
    let (values, there) = layout.to_vector();
    let back = Layout::of_vector(&values, 2);
    assert_eq!(back.camera, layout.camera);
    for mark in back.marks {
        let pairs = [
            (mark.side, 0.7),
            (mark.yaw, -2.0),
            (mark.depth, 5.0),
            (mark.way[0], 0.4),
            (mark.turn, -0.2),
        ];
        assert!(
            pairs
                .iter()
                .all(|(got, wanted)| (got - wanted).abs() < 1e-5),
            "{mark:?}"
        );
    }
    // Of two actors in four places, half of the marks mean something.
    assert_eq!(there.iter().sum::<f32>() as usize, 13 + (LAYOUT - 13) / 2);
}

#[test]
fn the_same_seed_draws_the_same_layout_and_another_one_another() {
    let (cast, device) = (cast(), Device::flex());
    let draw = |seed| cast.blocking.draw(&facts(), 1.5, seed, &device);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert_eq!(draw(1).marks.len(), 2);
}

#[test]
fn portraits_do_not_hang_on_who_is_beside_them() {
    let (cast, device) = (cast(), Device::flex());
    let sight = |yaw| Sight {
        role: Some([2, 1, 3, 0]),
        scenery: [1, 0, 2, 1],
        yaw,
        above: 0.1,
        side: 0.5,
        time: 0.4,
        phase: 0.2,
        aspect: 1.5,
    };
    let both = floats(cast.portraits.forward(&[sight(0.0), sight(2.0)], &device));
    let one = floats(cast.portraits.forward(&[sight(2.0)], &device));
    assert_eq!(one.len(), PORTRAIT * PORTRAIT * 4);
    let second = &both[one.len()..];
    let scale = one.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    assert!(
        one.iter()
            .zip(second)
            .all(|(a, b)| (a - b).abs() < 1e-4 * scale)
    );
    assert!(both[..one.len()] != *second);
}

#[test]
fn captions_are_cast_alike_alone_and_beside_longer_ones() {
    let (cast, device) = (cast(), Device::flex());
    let captions = [vec![1, 2, 3], vec![4, 5, 6, 7, 8], vec![]];
    let together = cast.reader.cast(&captions, &device);
    for (caption, facts) in captions.iter().zip(&together) {
        let alone = cast.reader.cast(std::slice::from_ref(caption), &device);
        assert_eq!(alone[0], *facts);
    }
    assert!(together[2].roles.is_empty(), "no words, nobody");
}
