"""Small Wan networks of random weights with what diffusers and transformers make of random inputs.

Writes the fixtures of crates/kinora-models/tests and kinora-diffusion/tests: pip install torch==2.10.0 diffusers==0.42.1 transformers safetensors gguf.
Each file holds a network's weights under their published names, its configuration in the header, and inputs and outputs
under "case.".
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from safetensors.torch import save_file
from transformers import UMT5Config, UMT5EncoderModel

HERE = Path(__file__).parent
CRATES = HERE.parent / "crates"
MODELS = CRATES / "kinora-models/tests/fixtures/wan"
SAMPLERS = CRATES / "kinora-diffusion/tests/fixtures"

# Names of the original release for those of diffusers; the two norms trade names.
ORIGINAL = [
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("attn1.to_q", "self_attn.q"),
    ("attn1.to_k", "self_attn.k"),
    ("attn1.to_v", "self_attn.v"),
    ("attn1.to_out.0", "self_attn.o"),
    ("attn1.norm_q", "self_attn.norm_q"),
    ("attn1.norm_k", "self_attn.norm_k"),
    ("attn2.to_q", "cross_attn.q"),
    ("attn2.to_k", "cross_attn.k"),
    ("attn2.to_v", "cross_attn.v"),
    ("attn2.to_out.0", "cross_attn.o"),
    ("attn2.norm_q", "cross_attn.norm_q"),
    ("attn2.norm_k", "cross_attn.norm_k"),
    ("ffn.net.0.proj", "ffn.0"),
    ("ffn.net.2", "ffn.2"),
    ("norm2", "norm3"),
    ("proj_out", "head.head"),
]


def randomise(model, seed):
    """Values at which every part of the network shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            gains = parameter.dim() == 1 or parameter.dim() > 1 and parameter[0].numel() == 1
            noise = torch.randn(parameter.shape, generator=generator)
            if gains:
                parameter.add_(0.1 * noise)
            else:
                fan = parameter[0].numel()
                parameter.copy_(noise / fan**0.5)
    return model.eval()


def keep(name, weights, config, case, folder=MODELS):
    tensors = {key: value.detach().clone().contiguous() for key, value in weights.items()}
    tensors |= {f"case.{key}": value.detach().clone().contiguous() for key, value in case.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"{name}.safetensors", metadata={"config": json.dumps(config)})
    print(name, sum(value.numel() for value in weights.values()), "weights")


def original(name):
    if name.startswith("scale_shift_table"):
        return "model.diffusion_model.head.modulation"
    for ours, theirs in ORIGINAL:
        name = name.replace(ours, theirs)
    return "model.diffusion_model." + name.replace("scale_shift_table", "modulation")


def transformer():
    config = dict(
        patch_size=[1, 2, 2],
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=4,
        out_channels=3,
        text_dim=12,
        freq_dim=16,
        ffn_dim=40,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        eps=1e-6,
        rope_max_seq_len=32,
    )
    model = randomise(WanTransformer3DModel(**config), 1)
    torch.manual_seed(2)
    latent = torch.randn(2, 4, 3, 4, 6)
    text = torch.randn(2, 7, 12)
    one = torch.tensor([917.0, 312.5])
    # Of each frame its own, as Wan 2.2 TI2V has it, spread over the tokens of the frame.
    each = torch.tensor([[0.0, 640.0, 640.0], [0.0, 250.0, 250.0]])
    with torch.no_grad():
        out = model(latent, one, text).sample
        out_each = model(latent, each.repeat_interleave(6, 1), text).sample
    case = dict(latent=latent, text=text, one=one, each=each, out=out, out_each=out_each)
    keep("transformer", model.state_dict(), config, case)
    renamed = {original(key): value for key, value in model.state_dict().items()}
    keep("transformer-original", renamed, config, case)


def text():
    config = dict(
        vocab_size=40,
        d_model=24,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=3,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
    )
    umt5 = UMT5Config(
        **config, feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=False
    )
    model = randomise(UMT5EncoderModel(umt5), 3)
    ids = torch.tensor([[5, 17, 3, 39, 8, 8, 21, 2, 30, 11, 6, 1] + [0] * 4])
    mask = (torch.arange(16) < 12).long()[None]
    with torch.no_grad():
        out = model(ids, attention_mask=mask).last_hidden_state[:, :12]
    weights = {k: v for k, v in model.state_dict().items() if k != "encoder.embed_tokens.weight"}
    keep("text", weights, config, dict(ids=ids[:, :12].float(), out=out))


def vae(name, seed, dim_mult, **more):
    config = dict(
        base_dim=3,
        z_dim=3,
        dim_mult=dim_mult,
        num_res_blocks=2,
        attn_scales=[],
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3],
        latents_std=[1.5, 2.0, 0.7],
        **more,
    )
    model = randomise(AutoencoderKLWan(**config), seed)
    torch.manual_seed(seed)
    side = 8 * config.get("patch_size", 1) or 8
    video = torch.rand(1, 3, 9, 2 * side, 3 * side) * 2 - 1
    with torch.no_grad():
        latent = model.encode(video).latent_dist.mode()
        noise = torch.randn(latent.shape)
        out = model.decode(noise * 0.5).sample
    keep(name, model.state_dict(), config, dict(video=video, latent=latent, code=noise * 0.5, out=out))


def unipc():
    """Trajectories of UniPC over a linear flow whose answer changes with the noise level."""
    torch.manual_seed(5)
    start = torch.randn(1, 2, 3, 4, 4)
    goal = torch.randn(start.shape)
    case = dict(start=start, goal=goal)
    for steps, shift in [(1, 3.0), (2, 3.0), (5, 5.0), (8, 3.0), (20, 8.0)]:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            num_train_timesteps=1000,
            flow_shift=shift,
        )
        scheduler.set_timesteps(steps)
        x = start.clone()
        for timestep in scheduler.timesteps:
            sigma = scheduler.sigmas[scheduler._step_index or 0]
            velocity = torch.tanh(x * 0.7 - goal * (1.0 + sigma)) + 0.3 * x
            x = scheduler.step(velocity, timestep, x, return_dict=False)[0]
        case[f"out.{steps}.{shift:.0f}"] = x
        case[f"sigmas.{steps}.{shift:.0f}"] = scheduler.sigmas.clone()
        case[f"timesteps.{steps}.{shift:.0f}"] = scheduler.timesteps.float()
    keep("unipc", {}, {}, case, SAMPLERS)


def tokenizer():
    """A Unigram model of a few pieces, with T5's end mark."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import T5TokenizerFast

    words = "a red fox runs through the snow at dusk blue car blurry".split()
    letters = "abcdefghijklmnopqrstuvwxyz.,"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    pieces += [("\u2581" + word, -2.0 - i / 10) for i, word in enumerate(words)]
    pieces += [("\u2581", -5.0)] + [(letter, -6.0 - i / 10) for i, letter in enumerate(letters)]
    core = Tokenizer(models.Unigram(pieces, unk_id=2))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    core.decoder = decoders.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return T5TokenizerFast(
        tokenizer_object=core, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", extra_ids=0
    )


def text_encoder(words):
    return UMT5EncoderModel(
        UMT5Config(
            vocab_size=len(words),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            relative_attention_num_buckets=8,
            relative_attention_max_distance=20,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            tie_word_embeddings=False,
        )
    )


def tiny_transformer(in_channels=3):
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=in_channels,
        out_channels=3,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )


def gguf(transformer):
    """The transformer alone as GGUF has it: names of the original release, patches in at most four dimensions."""
    from gguf import GGUFWriter

    writer = GGUFWriter(MODELS / "tiny.gguf", "wan")
    for name, value in transformer.state_dict().items():
        value = value.detach()
        if value.dim() == 5:
            value = value.flatten(2)
        name = original(name).removeprefix("model.diffusion_model.")
        writer.add_tensor(name, value.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def pipeline(name, size, frames, experts=1, guidance_2=None, image=False, **more):
    """A whole tiny run: a folder as published, starting noise, and the frames that diffusers makes."""
    import numpy
    import PIL.Image
    from diffusers import WanImageToVideoPipeline, WanPipeline

    words = tokenizer()
    autoencoder = AutoencoderKLWan(
        base_dim=3,
        z_dim=3,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3],
        latents_std=[1.5, 2.0, 0.7],
        **more,
    )
    networks = dict(
        tokenizer=words,
        text_encoder=randomise(text_encoder(words), 7),
        transformer=randomise(tiny_transformer(), 8),
        vae=randomise(autoencoder, 9),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )
    how = {}
    if experts == 2:
        networks["transformer_2"] = randomise(tiny_transformer(), 11)
        how["boundary_ratio"] = 0.875
    if image:
        how["expand_timesteps"] = True
    if name == "tiny":
        gguf(networks["transformer"])
    pipe = WanPipeline(**networks, **how)
    folder = MODELS / name
    pipe.save_pretrained(folder)
    (width, height), side = size, 16 if image else 8
    torch.manual_seed(10)
    latents = torch.randn(1, 3, 1 + (frames - 1) // 4, height // side, width // side)
    ask = dict(
        prompt="A red fox  runs through the snow.",
        negative_prompt="blurry",
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=4,
        guidance_scale=4.0,
        output_type="np",
    )
    if guidance_2:
        ask["guidance_scale_2"] = guidance_2
    noise = latents.permute(0, 2, 3, 4, 1).contiguous()
    made = {"frames": pipe(**ask, latents=latents.clone()).frames[0]}
    if image:
        ramp = numpy.linspace(0, 255, height * width * 3).reshape(height, width, 3)
        first = PIL.Image.fromarray(ramp.astype(numpy.uint8))
        first.save(MODELS / f"{name}-first.png")
        pipe = WanImageToVideoPipeline(
            **networks, expand_timesteps=True, image_encoder=None, image_processor=None
        )
        made["from_image"] = pipe(**ask, image=first, latents=latents.clone()).frames[0]
    pixels = {key: torch.from_numpy(numpy.round(value * 255)).float().contiguous() for key, value in made.items()}
    save_file({"latents": noise}, MODELS / f"{name}-noise.safetensors")
    save_file(pixels, MODELS / f"{name}-frames.safetensors")
    print(name, {key: (tuple(value.shape), value.std().item()) for key, value in pixels.items()})


def image_to_video(name, size, frames):
    """A whole tiny run of Wan 2.2 I2V A14B: what is given stands beside the latent."""
    import numpy
    import PIL.Image
    from diffusers import WanImageToVideoPipeline

    words = tokenizer()
    autoencoder = AutoencoderKLWan(
        base_dim=3,
        z_dim=3,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3],
        latents_std=[1.5, 2.0, 0.7],
    )
    pipe = WanImageToVideoPipeline(
        tokenizer=words,
        text_encoder=randomise(text_encoder(words), 7),
        transformer=randomise(tiny_transformer(3 + 4 + 3), 41),
        transformer_2=randomise(tiny_transformer(3 + 4 + 3), 42),
        vae=randomise(autoencoder, 9),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        image_encoder=None,
        image_processor=None,
        boundary_ratio=0.9,
    )
    pipe.save_pretrained(MODELS / name)
    width, height = size
    ramp = numpy.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    first = PIL.Image.fromarray(ramp.astype(numpy.uint8))
    last = PIL.Image.fromarray(ramp[::-1].astype(numpy.uint8))
    first.save(MODELS / f"{name}-first.png")
    last.save(MODELS / f"{name}-last.png")
    torch.manual_seed(43)
    latents = torch.randn(1, 3, 1 + (frames - 1) // 4, height // 8, width // 8)
    ask = dict(
        prompt="A red fox  runs through the snow.",
        negative_prompt="blurry",
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=4,
        guidance_scale=4.0,
        output_type="np",
    )
    made = {
        "first": pipe(**ask, image=first, latents=latents.clone()).frames[0],
        "both": pipe(**ask, image=first, last_image=last, latents=latents.clone()).frames[0],
    }
    pixels = {key: torch.from_numpy(numpy.round(value * 255)).half().contiguous() for key, value in made.items()}
    save_file({"latents": latents.permute(0, 2, 3, 4, 1).contiguous()}, MODELS / f"{name}-noise.safetensors")
    save_file(pixels, MODELS / f"{name}-frames.safetensors")
    print(name, {key: (tuple(value.shape), value.float().std().item()) for key, value in pixels.items()})


if __name__ == "__main__":
    print(torch.__version__, sys.version)
    transformer()
    text()
    vae("vae-2.1", 4, [1, 2, 4, 4])
    vae(
        "vae-2.2",
        6,
        [1, 2, 2, 2],
        decoder_base_dim=6,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )
    unipc()
    pipeline("tiny", (48, 32), 9)
    pipeline("tiny-a14b", (32, 32), 5, experts=2, guidance_2=3.0)
    pipeline(
        "tiny-ti2v",
        (64, 32),
        9,
        image=True,
        decoder_base_dim=3,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )
    image_to_video("tiny-i2v", (32, 32), 17)
