"""The autoencoders of the original release on small random weights, and the tokenizer of the fixtures as SentencePiece.

Writes fixtures of crates/kinora-models/tests: python original.py WAN2.1 WAN2.2, with checkouts of
https://github.com/Wan-Video/Wan2.1 and https://github.com/Wan-Video/Wan2.2.
pip install torch==2.10.0 einops safetensors sentencepiece tokenizers transformers protobuf.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

MODELS = Path(__file__).parent.parent / "crates/kinora-models/tests/fixtures/wan"


def module(path):
    """A file of a checkout, without the packages around it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def randomise(model, seed):
    """Values at which every part of the network shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1 or parameter[0].numel() == 1 and parameter.dim() < 5:
                parameter.add_(0.1 * noise)
            else:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
    return model.eval()


def vae(name, model, seed, side):
    randomise(model, seed)
    torch.manual_seed(seed)
    video = torch.rand(1, 3, 9, 2 * side, 3 * side) * 2 - 1
    with torch.no_grad():
        latent = model.encode(video, [0.0, 1.0])
        code = torch.randn(latent.shape) * 0.5
        out = model.decode(code, [0.0, 1.0]).clamp(-1, 1)
    config = dict(latents_mean=[0.0] * latent.shape[1], latents_std=[1.0] * latent.shape[1])
    tensors = {key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}
    tensors |= {f"case.{key}": value.contiguous() for key, value in dict(video=video, latent=latent, code=code, out=out).items()}
    save_file(tensors, MODELS / f"{name}.safetensors", metadata={"config": json.dumps(config)})
    print(name, sum(value.numel() for value in model.parameters()), out.std().item())


def pieces():
    """The vocabulary of the fixtures' tokenizer.json as a SentencePiece model, which makes letters small by its table."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto
    from tokenizers import Tokenizer

    folder = Path(tempfile.mkdtemp())
    rules = [(f"{ord(letter):X}", f"{ord(letter.lower()):X}") for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    rules += [("FB01", "66 69"), ("A0", "20")]
    (folder / "rules.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rules))
    (folder / "words.txt").write_text("a red fox runs through the snow at dusk\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "words.txt"),
        model_prefix=str(folder / "words"),
        vocab_size=24,
        hard_vocab_limit=False,
        normalization_rule_tsv=str(folder / "rules.tsv"),
        minloglevel=2,
    )
    trained = proto.ModelProto()
    trained.ParseFromString((folder / "words.model").read_bytes())

    text = (MODELS / "tiny/tokenizer/tokenizer.json").read_text()
    model = proto.ModelProto()
    kinds = {"<pad>": 3, "</s>": 3, "<unk>": 2}
    for piece, score in json.loads(text)["model"]["vocab"]:
        model.pieces.add(piece=piece, score=score, type=kinds.get(piece, 1))
    model.trainer_spec.model_type = 1
    model.trainer_spec.unk_id = 2
    model.normalizer_spec.precompiled_charsmap = trained.normalizer_spec.precompiled_charsmap
    data = model.SerializeToString()
    (MODELS / "spiece.model").write_bytes(data)

    prompts = [
        "A red fox  runs through the snow.",
        "Blue car, blurry at DUSK",
        "zebra \u00e9t\u00e9 17 \U0001f98a",
        "\ufb01re\u00a0fox",
        "the</s>fox <pad> runs",
        "",
    ]
    from transformers import T5Tokenizer

    made = T5Tokenizer(
        vocab=[(piece.piece, piece.score) for piece in model.pieces],
        _spm_precompiled_charsmap=model.normalizer_spec.precompiled_charsmap,
        extra_ids=0,
    )
    ids = {prompt: made(prompt)["input_ids"] for prompt in prompts}
    fast = Tokenizer.from_str(text)
    print({prompt: (ids[prompt], fast.encode(prompt).ids == ids[prompt]) for prompt in prompts})
    (MODELS / "spiece-ids.json").write_text(json.dumps(ids, indent=1) + "\n")
    print("spiece.model", len(data), "bytes")


if __name__ == "__main__":
    first, second = (Path(path) for path in sys.argv[1:3])
    small = dict(z_dim=2, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[False, True, True])
    vae("vae-2.1-original", module(first / "wan/modules/vae.py").WanVAE_(dim=4, **small), 31, 8)
    vae("vae-2.2-original", module(second / "wan/modules/vae2_2.py").WanVAE_(dim=3, dec_dim=4, **small), 32, 16)
    pieces()
