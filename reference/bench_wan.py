"""Wan in diffusers and umT5 in transformers, of the sizes in crates/kinora-models/benches/wan.rs and with random weights."""

import argparse
import resource
import time

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

RUNS = 3
SHORT, LONG = (4, 40, 56), (5, 60, 104)


def timed(name, dtype, runs, work):
    with torch.no_grad():
        work()
        seconds = []
        for _ in range(runs):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    seconds.sort()
    print(f"{name:<28} {str(dtype)[6:]:<8} {seconds[runs // 2]:8.3f} s", flush=True)


def transformer(name, dtype, layers, grid, runs):
    model = WanTransformer3DModel(
        num_attention_heads=12,
        attention_head_dim=128,
        ffn_dim=8960,
        num_layers=layers,
    ).to(dtype)
    latent = torch.randn(1, 16, *grid, dtype=dtype)
    text = torch.randn(1, 512, 4096, dtype=dtype)
    timestep = torch.tensor([500])
    timed(name, dtype, runs, lambda: model(latent, timestep, text))


def text(dtype):
    config = UMT5Config(
        vocab_size=512,
        d_model=4096,
        d_kv=64,
        d_ff=10240,
        num_layers=1,
        num_heads=64,
        feed_forward_proj="gated-gelu",
    )
    model = UMT5EncoderModel(config).to(dtype).eval()
    ids = torch.arange(512)[None]
    timed("umT5 block, 512 tokens", dtype, RUNS, lambda: model(ids))


def vae(dtype):
    model = AutoencoderKLWan().to(dtype).eval()
    latent = torch.randn(1, 16, 2, 60, 104, dtype=dtype)
    timed("decode, 5 frames 832x480", dtype, 1, lambda: model.decode(latent))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{'the process at its peak':<28} {str(dtype)[6:]:<8} {peak:8.2f} GB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", help="f32, bf16, block, block-long, text, vae, step")
    asked = parser.parse_args().parts
    dtypes = {"f32": torch.float32, "bf16": torch.bfloat16}
    chosen = [dtype for name, dtype in dtypes.items() if name in asked] or dtypes.values()
    asked = [name for name in asked if name not in dtypes]
    wants = lambda name: name in asked if asked else name != "step"
    torch.manual_seed(0)
    for dtype in chosen:
        if wants("block"):
            transformer("block, 2,240 tokens", dtype, 1, SHORT, RUNS)
        if wants("block-long"):
            transformer("block, 7,800 tokens", dtype, 1, LONG, RUNS)
        if wants("step"):
            transformer("step, 2,240 tokens", dtype, 30, SHORT, 1)
        if wants("text"):
            text(dtype)
        if wants("vae"):
            vae(dtype)


if __name__ == "__main__":
    main()
