"""Compares the GGUF files of `kinora convert` with what the gguf package writes, byte by byte.

python reference/convert.py target/release/kinora: pip install gguf==0.19.0 safetensors numpy.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, quants
from safetensors.numpy import save_file


def weights():
    generator = numpy.random.default_rng(5)
    sizes = 10.0 ** generator.integers(-6, 5, (33, 1))  # within what 16 bits hold
    tensors = {
        "rows": generator.standard_normal((64, 256)),
        "sizes": generator.standard_normal((33, 96)) * sizes,
        "kernel": generator.standard_normal((4, 3, 1, 2, 2)),
        "vector": generator.standard_normal(64),
        "zeros": numpy.zeros((2, 64)),
    }
    return {name: values.astype(numpy.float32) for name, values in tensors.items()}


def compare(program, folder, kind):
    source, out = folder / "source.safetensors", folder / "out.gguf"
    tensors = weights()
    save_file(tensors, source)
    subprocess.run([program, "convert", source, "-o", out, "--to", kind.name], check=True, stdout=subprocess.DEVNULL)
    found = GGUFReader(out).tensors
    assert {tensor.name for tensor in found} == set(tensors)
    for tensor in found:
        wanted = tensors[tensor.name]
        assert tuple(reversed(tensor.shape.tolist())) == wanted.shape, tensor.name
        wanted = quants.quantize(wanted, tensor.tensor_type).view(numpy.uint8).reshape(-1)
        same = numpy.array_equal(tensor.data.view(numpy.uint8).reshape(-1), wanted)
        print(f"{kind.name}: {tensor.name} in {tensor.tensor_type.name}: {'the same' if same else 'DIFFERENT'}")
        if not same:
            sys.exit(1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for kind in [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q5_0, Kind.Q4_0]:
            compare(sys.argv[1], Path(folder), kind)
