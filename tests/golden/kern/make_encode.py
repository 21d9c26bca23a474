"""Makes encode.bin and encode.txt: weights-like data, and the error that ggml's own quantizers make on it.

    python tests/golden/kern/make_encode.py LIBGGML     (numpy 2.4.6)

LIBGGML is the shared library of llama.cpp with ggml_quantize_chunk and ggml_get_type_traits: libggml-base.so
of llama-cpp-python 0.3.36. encode.bin: two sets of 32 x 256 f32, normal and Student t with 3 degrees of
freedom (outliers), then 256 positive importances. encode.txt: set, format, root of the mean squared
error without importance, and of the importance-weighted one with it.
"""
import ctypes
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, N = 32, 256
FORMATS = {
    "q8_0": 8, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "iq4_nl": 20, "mxfp4": 39,
    "q2_k": 10, "q3_k": 11, "q4_k": 12, "q5_k": 13, "q6_k": 14, "iq4_xs": 23,
}

lib = ctypes.CDLL(sys.argv[1], mode=os.RTLD_LAZY)
lib.ggml_quantize_chunk.restype = ctypes.c_size_t
lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                    ctypes.c_int64, ctypes.c_void_p]


def pointer(a):
    return None if a is None else a.ctypes.data_as(ctypes.c_void_p)


def coded(name, x, importance):
    from gguf import GGMLQuantizationType as T
    from gguf.quants import dequantize

    packed = np.zeros(x.size * 8, np.uint8)
    n = lib.ggml_quantize_chunk(FORMATS[name], pointer(x), pointer(packed), 0, ROWS, N, pointer(importance))
    return dequantize(packed[:n].reshape(ROWS, -1), T[name.upper()])


rng = np.random.default_rng(20260102)
sets = {"normal": rng.normal(0, 0.02, (ROWS, N)), "t3": rng.standard_t(3, (ROWS, N)) * 0.02}
importance = (rng.gamma(1, 1, N) + 0.01).astype(np.float32)
with open(os.path.join(HERE, "encode.bin"), "wb") as data, open(os.path.join(HERE, "encode.txt"), "w") as text:
    for name, x in sets.items():
        x = x.astype("<f4")
        data.write(x.tobytes())
        for fmt in FORMATS:
            e = (coded(fmt, x, None).astype(np.float64) - x) ** 2
            w = (coded(fmt, x, importance).astype(np.float64) - x) ** 2 * importance
            text.write(f"{name} {fmt} {np.sqrt(e.mean()):.7g} {np.sqrt(w.mean()):.7g}\n")
    data.write(importance.tobytes())
