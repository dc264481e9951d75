"""Small LoRA files in each naming, with what the transformer of the fixtures makes of its inputs with them.

Writes fixtures of crates/kinora-models/tests, from those of wan.py: pip install torch==2.10.0 diffusers==0.42.1 peft
transformers safetensors.
"""

import json
from pathlib import Path

import torch
from diffusers import WanPipeline, WanTransformer3DModel
from diffusers.loaders.lora_pipeline import WanLoraLoaderMixin
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from wan import tokenizer

MODELS = Path(__file__).parent.parent / "crates/kinora-models/tests/fixtures/wan"
WEIGHT = 0.7
RANK = 2


def layers(config):
    """Layers by their original names, with outputs and inputs."""
    width, hidden = config["num_attention_heads"] * config["attention_head_dim"], config["ffn_dim"]
    found = {}
    for block in range(config["num_layers"]):
        for attention in ["self_attn", "cross_attn"]:
            for layer in "qkvo":
                found[f"blocks.{block}.{attention}.{layer}"] = (width, width)
        found[f"blocks.{block}.ffn.0"] = (hidden, width)
        found[f"blocks.{block}.ffn.2"] = (width, hidden)
    return found


def more(config):
    width = config["num_attention_heads"] * config["attention_head_dim"]
    return {
        "time_projection.1": (6 * width, width),
        "text_embedding.0": (width, config["text_dim"]),
        "text_embedding.2": (width, width),
    }


def factors(sizes, down, up, generator, strength=1.0):
    """Random factors of each layer, under the names that `down` and `up` make of it."""
    made = {}
    for name, (outputs, inputs) in sizes.items():
        made[down(name)] = torch.randn(RANK, inputs, generator=generator) / inputs**0.5
        made[up(name)] = torch.randn(outputs, RANK, generator=generator) * strength
    return made


DIFFUSERS = [("self_attn", "attn1"), ("cross_attn", "attn2"), ("ffn.0", "ffn.net.0.proj"), ("ffn.2", "ffn.net.2")]


def diffusers_name(name):
    for theirs, ours in DIFFUSERS:
        name = name.replace(theirs, ours)
    head, last = name.rsplit(".", 1)
    last = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}.get(last, last)
    return f"transformer.{head}.{last}"


def files(config):
    generator = torch.Generator().manual_seed(21)
    sizes = layers(config)
    peft = factors(
        sizes,
        lambda name: f"{diffusers_name(name)}.lora_A.weight",
        lambda name: f"{diffusers_name(name)}.lora_B.weight",
        generator,
    )
    told = {"transformer.r": RANK, "transformer.lora_alpha": 3, "transformer.target_modules": ["to_q", "to_k", "to_v", "to_out.0", "net.0.proj", "net.2"]}
    yield "peft", peft, {"format": "pt", "lora_adapter_metadata": json.dumps(told)}

    down = lambda name: f"diffusion_model.{name}.lora_down.weight"
    up = lambda name: f"diffusion_model.{name}.lora_up.weight"
    comfy = factors(sizes, down, up, generator)
    comfy |= {f"diffusion_model.{name}.alpha": torch.tensor(3.0) for name in sizes}
    yield "comfy", comfy, {}

    under = lambda name: "lora_unet_" + name.replace(".", "_")
    kohya = factors(
        sizes,
        lambda name: f"{under(name)}.lora_down.weight",
        lambda name: f"{under(name)}.lora_up.weight",
        generator,
    )
    kohya |= {f"{under(name)}.alpha": torch.tensor(1.0) for name in sizes}
    yield "kohya", kohya, {"ss_network_module": "networks.lora_wan"}

    lightx2v = factors(sizes | more(config), down, up, generator, 0.5)
    for name, (outputs, _) in (sizes | more(config)).items():
        lightx2v[f"diffusion_model.{name}.diff_b"] = torch.randn(outputs, generator=generator) * 0.1
    width = config["num_attention_heads"] * config["attention_head_dim"]
    outputs = config["out_channels"] * 4
    lightx2v["diffusion_model.head.head.diff"] = torch.randn(outputs, width, generator=generator) / width**0.5
    lightx2v["diffusion_model.head.head.diff_b"] = torch.randn(outputs, generator=generator)
    yield "lightx2v", lightx2v, {}


def whole(config, weights):
    """Differences of norms and modulation, which diffusers leaves out, and the weights that they give."""
    generator = torch.Generator().manual_seed(22)
    width = config["num_attention_heads"] * config["attention_head_dim"]
    made, changed = {}, {key: value.clone() for key, value in weights.items()}
    for theirs, ours, shape in [
        ("blocks.0.norm3.diff", "blocks.0.norm2.weight", (width,)),
        ("blocks.0.norm3.diff_b", "blocks.0.norm2.bias", (width,)),
        ("blocks.1.self_attn.norm_q.diff", "blocks.1.attn1.norm_q.weight", (width,)),
        ("blocks.1.diff_m", "blocks.1.scale_shift_table", (1, 6, width)),
        ("head.diff_m", "scale_shift_table", (1, 2, width)),
        ("patch_embedding.diff", "patch_embedding.weight", weights["patch_embedding.weight"].shape),
    ]:
        made[f"diffusion_model.{theirs}"] = torch.randn(shape, generator=generator) * 0.3
        changed[ours] += WEIGHT * made[f"diffusion_model.{theirs}"]
    return made, changed


def transformer():
    path = MODELS / "transformer.safetensors"
    config = json.loads(safe_open(path, "pt").metadata()["config"])
    stored = load_file(path)
    weights = {key: value for key, value in stored.items() if not key.startswith("case.")}
    case = {key[5:]: value for key, value in stored.items() if key.startswith("case.")}

    def fresh(weights):
        model = WanTransformer3DModel(**config)
        model.load_state_dict(weights)
        return model.eval()

    def run(model):
        with torch.no_grad():
            return model(case["latent"], case["one"], case["text"]).sample

    outs = {}
    for name, made, metadata in files(config):
        made = {key: value.contiguous() for key, value in made.items()}
        save_file(made, MODELS / f"lora-{name}.safetensors", metadata=metadata or None)
        model = fresh(weights)
        told = json.loads(metadata.get("lora_adapter_metadata", "null"))
        renamed = WanLoraLoaderMixin.lora_state_dict(dict(made))
        model.load_lora_adapter(renamed, prefix="transformer", adapter_name="one", metadata=told)
        model.set_adapters("one", WEIGHT)
        outs[name] = run(model)
    made, changed = whole(config, weights)
    save_file(made, MODELS / "lora-whole.safetensors")
    outs["whole"] = run(fresh(changed))
    for name, out in outs.items():
        print(name, ((out - case["out"]).norm() / case["out"].norm()).item())
    save_file({key: value.contiguous() for key, value in outs.items()}, MODELS / "lora-outputs.safetensors")


def pipeline():
    """The whole run of wan.py's `tiny` with two LoRAs."""
    import numpy

    folder = MODELS / "tiny"
    config = json.loads((folder / "transformer/config.json").read_text())
    generator = torch.Generator().manual_seed(23)
    pipe = WanPipeline.from_pretrained(folder, tokenizer=tokenizer())
    for name in ["film", "night"]:
        made = factors(
            layers(config),
            lambda name: f"diffusion_model.{name}.lora_down.weight",
            lambda name: f"diffusion_model.{name}.lora_up.weight",
            generator,
            0.5,
        )
        save_file(made, MODELS / f"{name}.safetensors")
        pipe.load_lora_weights(dict(made), adapter_name=name)
    pipe.set_adapters(["film", "night"], [0.5, -1.5])
    noise = load_file(MODELS / "tiny-noise.safetensors")["latents"]
    frames = pipe(
        prompt="A red fox  runs through the snow.",
        negative_prompt="blurry",
        height=32,
        width=48,
        num_frames=9,
        num_inference_steps=4,
        guidance_scale=4.0,
        output_type="np",
        latents=noise.permute(0, 4, 1, 2, 3).contiguous(),
    ).frames[0]
    pixels = torch.from_numpy(numpy.round(frames * 255)).float()
    plain = load_file(MODELS / "tiny-frames.safetensors")["frames"]
    print("frames differ by", (pixels - plain).abs().mean().item())
    save_file({"frames": pixels.to(torch.float16).contiguous()}, MODELS / "tiny-loras-frames.safetensors")


if __name__ == "__main__":
    transformer()
    pipeline()
