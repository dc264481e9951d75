//! Casts a scene from its words.

use super::{CastConfig, Facts, MOST};
use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData, module::embedding};
use kinora_nn::{Init, LayerNorm, Linear, attention, gelu};

/// Features of a word, and of a few words in a row and of a question.
const WORD: usize = 40;
const WIDTH: usize = 64;
/// Words in a row: "a knight in green armour".
const WORDS: usize = 5;
const HEADS: usize = 4;
/// Questions: who is each actor, and what is the scene.
const QUESTIONS: usize = MOST + 1;
/// How often each question is put; what one has found helps the others.
const ROUNDS: usize = 3;
/// How sure the reader has to be that somebody of whom it knows the subject is there, and of what is not the usual.
const SURE: f32 = 0.5;
/// The class of what is usual: no emotion, daylight, clear air, a plain look, eye level, a camera at rest.
const USUAL: usize = 0;

/// Puts questions to phrases (the convolutions of Kim 2014, arXiv:1408.5882, and the queries of DETR, arXiv:2005.12872). It has
/// words of its own, for what modulates a painter need not say who is which colour.
#[derive(Module, Debug)]
pub struct Reader {
    words: Param<Tensor<2>>,
    phrase: Linear,
    questions: Param<Tensor<2>>,
    norm: LayerNorm,
    /// What the questions ask each other, and the phrases.
    ask: [Look; 2],
    up: Linear,
    down: Linear,
    role: Linear,
    scene: Linear,
    #[module(skip)]
    config: CastConfig,
}

/// One kind of attention.
#[derive(Module, Debug)]
struct Look {
    q: Linear,
    k: Linear,
    v: Linear,
}

/// What the reader thinks, each as scores `[B, classes]`.
pub struct Scores {
    /// Of each actor: subject, of which there is one more for nobody, colour, action and emotion.
    pub roles: Vec<[Tensor<2>; 4]>,
    /// Setting, light, weather, look, relation, shot size, angle and camera move.
    pub scene: [Tensor<2>; 8],
}

impl Reader {
    /// Fresh weights over a `vocabulary` of so many words.
    pub fn new(config: &CastConfig, vocabulary: usize, init: &mut Init) -> Self {
        let look = |init: &mut Init| Look {
            q: Linear::new(WIDTH, WIDTH, init),
            k: Linear::new(WIDTH, WIDTH, init),
            v: Linear::new(WIDTH, WIDTH, init),
        };
        Self {
            words: init.normal([vocabulary, WORD], 0.5),
            phrase: Linear::new(WORDS * WORD, WIDTH, init),
            questions: init.normal([QUESTIONS, WIDTH], 0.5),
            norm: LayerNorm::new(WIDTH, init),
            ask: [look(init), look(init)],
            up: Linear::new(WIDTH, 2 * WIDTH, init),
            down: Linear::new(2 * WIDTH, WIDTH, init),
            role: Linear::new(WIDTH, 1 + config.of_role(), init),
            scene: Linear::new(WIDTH, config.of_scene(), init),
            config: *config,
        }
    }

    /// Reads a batch of captions as token ids.
    ///
    /// # Panics
    /// If an id is not below the vocabulary; the tokenizer gives no such id.
    pub fn forward(&self, captions: &[Vec<u32>], device: &Device) -> Scores {
        let b = captions.len();
        let lengths: Vec<usize> = captions.iter().map(Vec::len).collect();
        let phrases = self.phrases(captions, device); // (B, L, 64)
        let mut x = self.questions.val().unsqueeze::<3>().repeat_dim(0, b); // (B, 5, 64)
        for _ in 0..ROUNDS {
            let [others, words] = &self.ask;
            let y = self.norm.forward(x.clone());
            x = x + others.at(y.clone(), y, None);
            let y = self.norm.forward(x.clone());
            x = x + words.at(y, phrases.clone(), Some(lengths.clone()));
            let y = self.up.forward(self.norm.forward(x.clone()));
            x = x + self.down.forward(gelu(y));
        }
        let x = self.norm.forward(x);
        let of = |question: usize| x.clone().narrow(1, question, 1).squeeze_dim::<2>(1);
        let [subjects, colours, actions, emotions] = self.config.role;
        let sizes = [subjects + 1, colours, actions, emotions];
        let [a, b, c, d] = self.config.scenery;
        let [e, f, g, h] = self.config.shot;
        Scores {
            roles: (0..MOST)
                .map(|actor| parts(self.role.forward(of(actor)), sizes))
                .collect(),
            scene: parts(self.scene.forward(of(MOST)), [a, b, c, d, e, f, g, h]),
        }
    }

    /// A few words in a row at each place of captions, and where that is, `[B, L, 64]`.
    fn phrases(&self, captions: &[Vec<u32>], device: &Device) -> Tensor<3> {
        let b = captions.len();
        let l = captions.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let (mut ids, mut present, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for caption in captions {
            let token = |at: usize| caption.get(at).copied();
            ids.extend((0..l).map(|at| token(at).unwrap_or(0) as i32));
            present.extend((0..l).map(|at| f32::from(u8::from(token(at).is_some()))));
        }
        for at in 0..l {
            let wave = |feature: usize| {
                let turns = at as f32 / 2f32.powf(1.0 + feature as f32 / 10.0);
                if feature.is_multiple_of(2) {
                    turns.sin()
                } else {
                    turns.cos()
                }
            };
            places.extend((0..WIDTH).map(wave));
        }
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [b, l]), device);
        let present = Tensor::<3>::from_data(TensorData::new(present, [b, l, 1]), device);
        let places = Tensor::<3>::from_data(TensorData::new(places, [1, l, WIDTH]), device);
        let words = embedding(self.words.val(), ids) * present; // (B, L, 40)
        let beyond = Tensor::zeros([b, WORDS / 2, WORD], device);
        let words = Tensor::cat(vec![beyond.clone(), words, beyond], 1); // (B, 2+L+2, 40)
        let next = (0..WORDS).map(|word| words.clone().narrow(1, word, l));
        gelu(self.phrase.forward(Tensor::cat(next.collect(), 2))) + places
    }

    /// Casts the scene of each caption: the likeliest of everything, but no actors where the reader knows none in the words, and
    /// what is usual of mood, light, weather, look, angle and move where they don't say.
    pub fn cast(&self, captions: &[Vec<u32>], device: &Device) -> Vec<Facts> {
        let scores = self.forward(captions, device);
        let likeliest = |scores: &Tensor<2>| -> Vec<(usize, f32)> {
            let [_, classes] = scores.dims();
            let shares = softmax(scores.clone(), 1);
            let shares: Vec<f32> = shares
                .try_into_vec_as()
                .expect("flex tensors are in memory");
            let best = |row: &[f32]| {
                let best = (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                best.map_or((0, 0.0), |class| (class, row[class]))
            };
            shares.chunks_exact(classes).map(best).collect()
        };
        let scene = scores.scene.each_ref().map(likeliest);
        let roles: Vec<_> = (scores.roles.iter())
            .map(|role| role.each_ref().map(likeliest))
            .collect();
        let nobody = self.config.role[0];
        let facts = |row: usize| {
            let there = roles.iter().filter(|role| {
                let (subject, sure) = role[0][row];
                subject != nobody && sure > SURE && !captions[row].is_empty()
            });
            let likeliest = |told: &Vec<(usize, f32)>| told[row].0;
            let usual = |told: &Vec<(usize, f32)>| match told[row] {
                (class, sure) if sure > SURE => class,
                _ => USUAL,
            };
            let role = |[subject, colour, action, emotion]: &[Vec<(usize, f32)>; 4]| {
                [
                    likeliest(subject),
                    likeliest(colour),
                    likeliest(action),
                    usual(emotion),
                ]
            };
            let [
                setting,
                light,
                weather,
                look,
                relation,
                size,
                angle,
                camera_move,
            ] = &scene;
            Facts {
                roles: there.map(role).collect(),
                scenery: [
                    likeliest(setting),
                    usual(light),
                    usual(weather),
                    usual(look),
                ],
                shot: [
                    likeliest(relation),
                    likeliest(size),
                    usual(angle),
                    usual(camera_move),
                ],
            }
        };
        (0..captions.len()).map(facts).collect()
    }
}

impl Look {
    /// What `x` `[B, N, 64]` finds at `y` `[B, M, 64]`, of which so many rows are there.
    fn at(&self, x: Tensor<3>, y: Tensor<3>, lengths: Option<Vec<usize>>) -> Tensor<3> {
        let (k, v) = (self.k.forward(y.clone()), self.v.forward(y));
        attention(self.q.forward(x), k, v, HEADS, lengths)
    }
}

/// Columns of `x` in ranges of these lengths.
fn parts<const N: usize>(x: Tensor<2>, lengths: [usize; N]) -> [Tensor<2>; N] {
    let mut start = 0;
    lengths.map(|length| {
        start += length;
        x.clone().narrow(1, start - length, length)
    })
}
