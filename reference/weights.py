"""Weight files in the number formats that people have, with the values that the reference programs read from them.

Writes the fixtures of crates/kinora-nn/tests: pip install torch==2.10.0 gguf==0.19.0 safetensors numpy.
"""

from pathlib import Path

import numpy
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFWriter, quants
from safetensors.torch import save_file

FOLDER = Path(__file__).parent.parent / "crates/kinora-nn/tests/fixtures"


def blocks(kind, rows, columns, generator):
    """Random numbers in a format; of those that the package can't write, random blocks with sane scales."""
    try:
        values = generator.standard_normal((rows, columns)).astype(numpy.float32)
        return quants.quantize(values, kind)
    except NotImplementedError:
        numbers, size = {Kind.Q4_K: (256, 144), Kind.Q5_K: (256, 176), Kind.Q6_K: (256, 210)}[kind]
        data = generator.integers(0, 256, (rows, columns // numbers, size), dtype=numpy.uint8)
        scale = generator.uniform(0.001, 0.1, data.shape[:2]).astype(numpy.float16)
        places = [208] if kind == Kind.Q6_K else [0, 2]
        for place in places:
            data[..., place : place + 2] = scale[..., None].view(numpy.uint8)
        return data.reshape(rows, -1)


def gguf():
    generator = numpy.random.default_rng(1)
    writer = GGUFWriter(FOLDER / "formats.gguf", "wan")
    writer.add_string("general.name", "formats")
    writer.add_array("some.words", ["a", "red", "fox"])
    expected = {}
    for kind in [
        *[Kind.Q4_0, Kind.Q5_0, Kind.Q8_0, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K],
        *[Kind.Q4_1, Kind.Q5_1],
    ]:
        data = blocks(kind, 2, 256, generator)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = torch.from_numpy(quants.dequantize(data, kind).copy())
    plain = generator.standard_normal((3, 5)).astype(numpy.float32)
    writer.add_tensor("F32", plain)
    writer.add_tensor("F16", plain.astype(numpy.float16))
    expected["F32"] = torch.from_numpy(plain)
    expected["F16"] = torch.from_numpy(plain.astype(numpy.float16).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, FOLDER / "formats.safetensors")


def fp8():
    """All 8-bit floats, and a layer with a scale beside it as ComfyUI keeps them."""
    torch.manual_seed(2)
    bits = torch.arange(256, dtype=torch.uint8)
    four, five = bits.view(torch.float8_e4m3fn), bits.clone().view(torch.float8_e5m2)
    weight = torch.randn(4, 6)
    scale = weight.abs().max() / 448
    kept = (weight / scale).to(torch.float8_e4m3fn)
    tensors = {
        "e4m3": four,
        "e5m2": five,
        "layer.weight": kept,
        "layer.scale_weight": scale.reshape(1),
        "layer.scale_input": torch.ones(1),
        "scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn),
    }
    save_file(tensors, FOLDER / "fp8.safetensors")
    expected = {
        "e4m3": four.float().nan_to_num(nan=-1.0),
        "e5m2": five.float().nan_to_num(nan=-1.0, posinf=1e6, neginf=-1e6),
        "layer.weight": kept.float() * scale,
    }
    save_file(expected, FOLDER / "fp8-expected.safetensors")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    gguf()
    fp8()
