"""Shows files that pith quantized to llama.cpp: every type opens, states its type, and predicts what the original does.

    python tests/golden/quant/check_llama_cpp.py PITH MODEL [OTHER]     (llama-cpp-python 0.3.36, numpy)

MODEL: a GGUF file of floats with rows that 256 divides, so that every type is met; OTHER: one more. Prints the cosine
of the logits with those of the original; fails below the least of the type. Not part of CI.
"""
import ctypes
import os
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np

TYPES = {
    "q2_k_s": 0.5, "q2_k": 0.5, "q3_k_s": 0.8, "q3_k_m": 0.8, "q3_k_l": 0.8, "iq4_xs": 0.95, "iq4_nl": 0.95,
    "q4_0": 0.95, "q4_k_s": 0.95, "q4_k_m": 0.95, "q4_1": 0.95, "mxfp4": 0.9, "q5_0": 0.98, "q5_k_s": 0.98,
    "q5_k_m": 0.98, "q5_1": 0.98, "q6_k": 0.99, "q8_0": 0.999, "bf16": 0.999, "f16": 0.999, "f32": 0.999,
}


@llama_cpp.llama_log_callback
def silent(level, text, user):
    pass


def logits(path):
    m = llama_cpp.Llama(path, n_ctx=64, n_threads=2, logits_all=True, verbose=False)
    m.eval([3, 10, 20, 30, 40, 50, 60, 70])
    rows = np.array(m.scores[:8], np.float64)
    m.close()
    return rows


llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
pith, bad = sys.argv[1], 0
for model in sys.argv[2:]:
    base = logits(model)
    with tempfile.TemporaryDirectory() as folder:
        for kind, least in TYPES.items():
            out = os.path.join(folder, kind + ".gguf")
            subprocess.run([pith, "quantize", model, out, kind], check=True, capture_output=True)
            x = logits(out)
            cos = float((x * base).sum() / np.sqrt((x * x).sum() * (base * base).sum()))
            bad += not cos >= least
            print(f"{os.path.basename(model)} {kind:7} {cos:.5f}{'' if cos >= least else '  BELOW ' + str(least)}")
sys.exit(bad > 0)
