"""Folders with the headers of published Wan checkpoints and no numbers, to plan with.

    python reference/published_sizes.py /tmp/sizes
    kinora generate "a red fox" --model /tmp/sizes/wan2.1-t2v-1.3b --max-memory 6GB --plan

Files are sparse: they have their published sizes and take no room on the disk. All weights are zeros, so what they
paint is grey. Tokenizers are those of the tests' fixtures. Needs Python alone.
"""

import json
import shutil
import struct
import sys
from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "crates/kinora-models/tests/fixtures/wan"
SIZES = {"BF16": 2, "F32": 4}


def write(path, tensors, dtype):
    """A safetensors file of zeros."""
    header, at = {}, 0
    for name, shape in tensors.items():
        numbers = 1
        for extent in shape:
            numbers *= extent
        end = at + numbers * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def affine(tensors, name, out, *rest):
    tensors[f"{name}.weight"] = [out, *rest]
    tensors[f"{name}.bias"] = [out]


def transformer(width, ffn, layers, channels, out, text=4096, freq=256):
    tensors = {"scale_shift_table": [1, 2, width]}
    embed = "condition_embedder."
    affine(tensors, f"{embed}text_embedder.linear_1", width, text)
    affine(tensors, f"{embed}text_embedder.linear_2", width, width)
    affine(tensors, f"{embed}time_embedder.linear_1", width, freq)
    affine(tensors, f"{embed}time_embedder.linear_2", width, width)
    affine(tensors, f"{embed}time_proj", 6 * width, width)
    affine(tensors, "patch_embedding", width, channels, 1, 2, 2)
    affine(tensors, "proj_out", 4 * out, width)
    for layer in range(layers):
        block = f"blocks.{layer}."
        tensors[f"{block}scale_shift_table"] = [1, 6, width]
        affine(tensors, f"{block}ffn.net.0.proj", ffn, width)
        affine(tensors, f"{block}ffn.net.2", width, ffn)
        affine(tensors, f"{block}norm2", width)
        for attention in ("attn1", "attn2"):
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                affine(tensors, f"{block}{attention}.{part}", width, width)
            for part in ("norm_q", "norm_k"):
                tensors[f"{block}{attention}.{part}.weight"] = [width]
    return tensors


def text_encoder(width=4096, ffn=10240, layers=24, heads=64, tokens=256384):
    tensors = {"shared.weight": [tokens, width], "encoder.final_layer_norm.weight": [width]}
    for layer in range(layers):
        block = f"encoder.block.{layer}.layer."
        for part in "qkvo":
            tensors[f"{block}0.SelfAttention.{part}.weight"] = [width, width]
        tensors[f"{block}0.SelfAttention.relative_attention_bias.weight"] = [32, heads]
        tensors[f"{block}0.layer_norm.weight"] = [width]
        tensors[f"{block}1.DenseReluDense.wi_0.weight"] = [ffn, width]
        tensors[f"{block}1.DenseReluDense.wi_1.weight"] = [ffn, width]
        tensors[f"{block}1.DenseReluDense.wo.weight"] = [width, ffn]
        tensors[f"{block}1.layer_norm.weight"] = [width]
    return tensors


def resnet(tensors, name, inputs, outputs):
    tensors[f"{name}.norm1.gamma"] = [inputs, 1, 1, 1]
    affine(tensors, f"{name}.conv1", outputs, inputs, 3, 3, 3)
    tensors[f"{name}.norm2.gamma"] = [outputs, 1, 1, 1]
    affine(tensors, f"{name}.conv2", outputs, outputs, 3, 3, 3)
    if inputs != outputs:
        affine(tensors, f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def middle(tensors, name, width):
    resnet(tensors, f"{name}.resnets.0", width, width)
    resnet(tensors, f"{name}.resnets.1", width, width)
    tensors[f"{name}.attentions.0.norm.gamma"] = [width, 1, 1]
    affine(tensors, f"{name}.attentions.0.to_qkv", 3 * width, width, 1, 1)
    affine(tensors, f"{name}.attentions.0.proj", width, width, 1, 1)


def vae(base, decoder, z, residual, pixels):
    tensors, mults, time = {}, [1, 2, 4, 4], [False, True, True]
    affine(tensors, "quant_conv", 2 * z, 2 * z, 1, 1, 1)
    affine(tensors, "post_quant_conv", z, z, 1, 1, 1)
    affine(tensors, "encoder.conv_in", base, pixels, 3, 3, 3)
    width, index = base, 0
    for level, mult in enumerate(mults):
        for block in range(2):
            flat = f"encoder.down_blocks.{index}"
            nested = f"encoder.down_blocks.{level}.resnets.{block}"
            resnet(tensors, nested if residual else flat, width, mult * base)
            width, index = mult * base, index + 1
        if level < 3:
            down = f"encoder.down_blocks.{level}.downsampler" if residual else f"encoder.down_blocks.{index}"
            affine(tensors, f"{down}.resample.1", width, width, 3, 3)
            if time[level]:
                affine(tensors, f"{down}.time_conv", width, width, 3, 1, 1)
            index += 1
    middle(tensors, "encoder.mid_block", width)
    tensors["encoder.norm_out.gamma"] = [width, 1, 1, 1]
    affine(tensors, "encoder.conv_out", 2 * z, width, 3, 3, 3)

    width = mults[-1] * decoder
    affine(tensors, "decoder.conv_in", width, z, 3, 3, 3)
    middle(tensors, "decoder.mid_block", width)
    for level, mult in enumerate(reversed(mults)):
        out = mult * decoder
        for block in range(3):
            resnet(tensors, f"decoder.up_blocks.{level}.resnets.{block}", width, out)
            width = out
        if level < 3:
            up = f"decoder.up_blocks.{level}." + ("upsampler" if residual else "upsamplers.0")
            half = out if residual else out // 2
            affine(tensors, f"{up}.resample.1", half, out, 3, 3)
            if time[2 - level]:
                affine(tensors, f"{up}.time_conv", 2 * out, out, 3, 1, 1)
            width = half
    tensors["decoder.norm_out.gamma"] = [width, 1, 1, 1]
    affine(tensors, "decoder.conv_out", pixels, width, 3, 3, 3)
    return tensors


def folder(root, name, like, width, ffn, layers, z, channels, vae_base, decoder, flow_shift):
    """A checkpoint in the layout of diffusers, with the settings of the fixture `like`."""
    target, source = root / name, FIXTURES / like
    target.mkdir(parents=True, exist_ok=True)
    residual = decoder != vae_base
    for part in ("tokenizer", "scheduler"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)
    shutil.copy(source / "model_index.json", target)
    scheduler = target / "scheduler/scheduler_config.json"
    settings = json.loads(scheduler.read_text())
    scheduler.write_text(json.dumps({**settings, "flow_shift": flow_shift}))
    weights = transformer(width, ffn, layers, channels, z)
    parts = [part for part in ("transformer", "transformer_2") if (source / part).is_dir()]
    for part in parts:
        write(target / part / "diffusion_pytorch_model.safetensors", weights, "BF16")
        settings = json.loads((source / part / "config.json").read_text())
        settings.update(
            attention_head_dim=128, num_attention_heads=width // 128, ffn_dim=ffn, num_layers=layers,
            in_channels=channels, out_channels=z, text_dim=4096, freq_dim=256, rope_max_seq_len=1024,
        )
        (target / part / "config.json").write_text(json.dumps(settings))
    write(target / "text_encoder/model.safetensors", text_encoder(), "BF16")
    settings = json.loads((source / "text_encoder/config.json").read_text())
    settings.update(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, vocab_size=256384,
        relative_attention_num_buckets=32, relative_attention_max_distance=128,
    )
    (target / "text_encoder/config.json").write_text(json.dumps(settings))
    pixels = 12 if residual else 3
    write(
        target / "vae/diffusion_pytorch_model.safetensors",
        vae(vae_base, decoder, z, residual, pixels),
        "F32",
    )
    settings = json.loads((source / "vae/config.json").read_text())
    settings.update(
        base_dim=vae_base, decoder_base_dim=decoder if residual else None, dim_mult=[1, 2, 4, 4], z_dim=z,
        num_res_blocks=2, latents_mean=[0.0] * z, latents_std=[1.0] * z,
    )
    (target / "vae/config.json").write_text(json.dumps(settings))


def main():
    root = Path(sys.argv[1])
    folder(root, "wan2.1-t2v-1.3b", "tiny", 1536, 8960, 30, 16, 16, 96, 96, 8.0)
    folder(root, "wan2.1-t2v-14b", "tiny", 5120, 13824, 40, 16, 16, 96, 96, 5.0)
    folder(root, "wan2.2-t2v-a14b", "tiny-a14b", 5120, 13824, 40, 16, 16, 96, 96, 12.0)
    folder(root, "wan2.2-ti2v-5b", "tiny-ti2v", 3072, 14336, 30, 48, 48, 160, 256, 5.0)


if __name__ == "__main__":
    main()
