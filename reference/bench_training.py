"""Training speed in PyTorch of the model in crates/kinora-nn/benches/training_step.rs."""

import argparse
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, WIDTH, HEADS, TOKENS, BATCH, STEPS = 10, 320, 8, 168, 16, 6


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.qkv = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        h = self.norm1(x)
        q, k, v = (
            linear(h).unflatten(2, (HEADS, -1)).transpose(1, 2) for linear in self.qkv
        )
        a = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(a.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    bf16 = parser.parse_args().bf16
    torch.manual_seed(0)
    model = nn.Sequential(
        *(Block() for _ in range(LAYERS)),
        nn.LayerNorm(WIDTH, eps=1e-6),
        nn.Linear(WIDTH, WIDTH),
    )
    x = torch.randn(BATCH, TOKENS, WIDTH)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    seconds = []
    for step in range(STEPS + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.mse_loss(model(x).float(), x)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step >= 2:
            seconds.append(time.perf_counter() - start)
    median = sorted(seconds)[len(seconds) // 2]
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"PyTorch {torch.__version__}, {'bf16 autocast' if bf16 else 'f32'}, {parameters} "
        f"parameters: {BATCH / median:.2f} samples/s ({median:.3f} s a step, median of {STEPS})"
    )


if __name__ == "__main__":
    main()
