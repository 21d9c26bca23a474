"""Makes nf4.bin: a tensor quantized by bitsandbytes to NF4 with double quantization.

    python tests/golden/kern/make_nf4.py     (bitsandbytes 0.50.2, torch 2.8.0)

The tensor has 260 blocks of 64, so that two nested scales are in use; its values come from a generator that
the test repeats: state = state * 6364136223846793005 + 1442695040888963407 (mod 2^64), u = (state >> 40) *
2^-23 - 1, x = (u * u) * u * 0.1 in f32, from state 7. nf4.bin, little endian: f32 offset, 2 nested scales,
260 bytes of scale codes, 8320 bytes of nibbles, 256 decoded f32 of the first and 256 of the last blocks.
"""
import os

import bitsandbytes.functional as F
import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
N = 260 * 64
state, x = 7, np.zeros(N, np.float32)
for i in range(N):
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    u = np.float32((state >> 40) * 2.0**-23 - 1)
    x[i] = u * u * u * np.float32(0.1)
q, s = F.quantize_4bit(torch.from_numpy(x), blocksize=64, compress_statistics=True, quant_type="nf4")
y = F.dequantize_4bit(q, s).numpy().reshape(-1)
assert s.state2.absmax.numel() == 2 and s.state2.blocksize == 256
with open(os.path.join(HERE, "nf4.bin"), "wb") as out:
    out.write(np.float32(s.offset.item()).tobytes())
    out.write(s.state2.absmax.numpy().astype("<f4").tobytes())
    out.write(s.absmax.numpy().tobytes())
    out.write(q.numpy().tobytes())
    out.write(y[:256].astype("<f4").tobytes())
    out.write(y[-256:].astype("<f4").tobytes())
