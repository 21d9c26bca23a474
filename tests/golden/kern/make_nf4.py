"""Makes nf4.bin: a tensor quantized by bitsandbytes to NF4 with double quantization.

    python tests/golden/kern/make_nf4.py     (bitsandbytes 0.50.2, torch 2.8.0)

The tensor has 260 blocks of 64, so that two nested scales are in use; its values come from a generator that
the test repeats: state = state * 6364136223846793005 + 1442695040888963407 (mod 2^64), u = (state >> 40) *
2^-23 - 1, x = (u * u) * u * 0.1 in f32, from state 7. nf4.bin, little endian: f32 offset, 2 nested scales,
260 bytes of scale codes, 8320 bytes of nibbles, 256 decoded f32 of the first and 256 of the last blocks.

nf4_means.txt: what torch gives as the mean of n values u = (state >> 40) * 2^-24 of the same generator, from state
11, on one thread: a line "n bits" each, bits of the f32 in hexadecimal. That is how bitsandbytes takes the offset.
"""
import os

import bitsandbytes.functional as F
import numpy as np
import torch

torch.set_num_threads(1)
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

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 31, 32, 33, 64, 65, 100, 255, 257, 512, 1000, 1024, 2048, 4096, 4099, 16384]
SIZES += [32768, 40000, 65536, 100003, 131072]
state, x = 11, np.zeros(max(SIZES), np.float32)
for i in range(len(x)):
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    x[i] = (state >> 40) * 2.0**-24
with open(os.path.join(HERE, "nf4_means.txt"), "w") as out:
    for n in SIZES:
        mean = torch.from_numpy(x[:n].copy()).mean().numpy()
        out.write(f"{n} {int(mean.view(np.uint32)):08x}\n")
