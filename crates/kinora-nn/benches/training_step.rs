//! Training speed of a plain transformer: 10 layers of width 320 (12.4 M parameters), 168 tokens,
//! batch 16, AdamW. With the argument `bf16`, linear layers round their inputs. `reference/bench_training.py` measures the same model in PyTorch.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kinora_nn::optim::{AdamW, AdamWConfig, Grads};
use kinora_nn::{Init, LayerNorm, Linear, Precision, attention, gelu};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LAYERS: usize = 10;
const WIDTH: usize = 320;
const HEADS: usize = 8;
const TOKENS: usize = 168;
const BATCH: usize = 16;
const STEPS: usize = 6;

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: [Linear; 3],
    proj: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(init: &mut Init) -> Self {
        Self {
            norm1: LayerNorm::new(WIDTH, init),
            qkv: [(); 3].map(|()| Linear::new(WIDTH, WIDTH, init)),
            proj: Linear::new(WIDTH, WIDTH, init),
            norm2: LayerNorm::new(WIDTH, init),
            up: Linear::new(WIDTH, 4 * WIDTH, init),
            down: Linear::new(4 * WIDTH, WIDTH, init),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let h = self.norm1.forward(x.clone());
        let [q, k, v] = self.qkv.each_ref().map(|linear| linear.forward(h.clone()));
        let x = x + self.proj.forward(attention(q, k, v, HEADS, None));
        let h = gelu(self.up.forward(self.norm2.forward(x.clone())));
        x + self.down.forward(h)
    }
}

#[derive(Module, Debug)]
struct Model {
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

fn main() {
    let precision = match std::env::args().any(|arg| arg == "bf16") {
        true => Precision::Bf16,
        false => Precision::F32,
    };
    let device = Device::flex().autodiff();
    let mut init = Init::new(0, &device).with_precision(precision);
    let mut model = Model {
        blocks: (0..LAYERS).map(|_| Block::new(&mut init)).collect(),
        norm: LayerNorm::new(WIDTH, &mut init),
        head: Linear::new(WIDTH, WIDTH, &mut init),
    };
    let x: Tensor<3> = init.normal([BATCH, TOKENS, WIDTH], 1.0).val().detach();
    let mut optimiser = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-8,
        weight_decay: 0.01,
    });
    let mut seconds = Vec::new();
    for step in 0..STEPS + 2 {
        let start = Instant::now();
        let h = model.blocks.iter().fold(x.clone(), |h, b| b.forward(h));
        let error = model.head.forward(model.norm.forward(h)) - x.clone();
        let loss = (error.clone() * error).mean();
        let forward = start.elapsed();
        let mut grads = loss.backward();
        let backward = start.elapsed() - forward;
        let grads = Grads::take(&model, &mut grads);
        let scale = (1.0 / grads.norm()).min(1.0);
        model = optimiser.step(model, &grads, 1e-3, scale);
        let whole = start.elapsed();
        println!(
            "step {step}: loss {:.5}, forward {forward:.0?}, backward {backward:.0?}, update {:.0?}",
            loss.into_scalar::<f32>(),
            whole - forward - backward
        );
        if step >= 2 {
            seconds.push(whole.as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    println!(
        "{precision:?}, {} parameters: {:.2} samples/s ({median:.3} s a step, median of {STEPS})",
        model.num_params(),
        BATCH as f64 / median
    );
}
