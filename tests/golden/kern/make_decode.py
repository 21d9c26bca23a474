"""Makes decode.bin: random blocks of each format and the values that they decode to, as numpy and the
gguf package (the reference implementation of the GGUF project in Python) see them.

    /opt/pv/bin/python tests/golden/kern/make_decode.py     (numpy 2.4.6, gguf 0.19.0)

decode.bin, little endian, for each format: name 16 bytes (zero padded), u32 bytes of blocks, u32 values,
the blocks, the values as f32. Scales are overwritten with chosen f16 numbers (ordinary, negative, zero,
subnormal, largest), so that no block decodes to NaN; f16 and bf16 rows hold every class of number.
"""
import os
import struct

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20260101)

# format: offsets of the f16 scales in its blocks
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}
EDGES = [1.0, -0.37, 0.0, 6e-8, 3e-5, 60000.0]


def blocks_of(name):
    n_values, n_bytes = GGML_QUANT_SIZES[T[name]]
    n = 12 if n_values == 32 else 6
    blocks = rng.integers(0, 256, (n, n_bytes), dtype=np.uint8)
    for offset in SCALES[name]:
        d = rng.normal(0, 0.02, n)
        d[: len(EDGES)] = EDGES if offset == SCALES[name][0] else rng.permutation(EDGES)
        blocks[:, offset : offset + 2] = d.astype(np.float16).view(np.uint8).reshape(n, 2)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 2, 120, 127, 128, 129, 130, 200, 250, 126, 125]
    return blocks.reshape(1, -1)


with open(os.path.join(HERE, "decode.bin"), "wb") as out:
    for name in ["F16", "BF16", *SCALES]:
        if name in SCALES:
            raw = blocks_of(name)
            with np.errstate(over="ignore"):
                values = dequantize(raw, T[name])
        else:
            words = rng.integers(0, 65536, 240, dtype=np.uint16)
            edges = [0, 0x8000, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0xFC00, 0x3C00, 0xBC01, 0x7F80, 0xFF80, 0x80, 0x7F, 0x7E00, 0x7FC0]
            words = np.concatenate([words, np.array(edges, dtype=np.uint16)])
            raw = words.view(np.uint8).reshape(1, -1)
            values = words.view(np.float16).astype(np.float32) if name == "F16" else dequantize(raw, T.BF16)
        values = np.ascontiguousarray(values, dtype="<f4").reshape(-1)
        raw = raw.reshape(-1)
        out.write(name.lower().encode().ljust(16, b"\0"))
        out.write(struct.pack("<II", raw.size, values.size))
        out.write(raw.tobytes())
        out.write(values.tobytes())
