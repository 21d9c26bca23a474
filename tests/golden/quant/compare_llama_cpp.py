"""Quantizes a model with pith and with llama.cpp and prints what each loses, as pith measures it.

    PITH_CPU=avx512 python tests/golden/quant/compare_llama_cpp.py PITH MODEL.gguf TEXT [TYPE ...]

Needs llama-cpp-python (0.3.36). MODEL: f32 or f16. docs/quantizing.md has the tables of the last run. Not part of CI.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile

import llama_cpp

FTYPES = {
    "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12, "q3_k_l": 13,
    "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30,
}


@llama_cpp.llama_log_callback
def silent(level, text, user):
    pass


def by_pith(model, out, kind):
    subprocess.run([pith, "quantize", model, out, kind], check=True, capture_output=True)


def by_llama_cpp(model, out, kind):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = FTYPES[kind]
    if llama_cpp.llama_model_quantize(model.encode(), out.encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"llama.cpp refuses {kind}")


llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
pith, model, text = sys.argv[1:4]
print("type     by         bits  perplexity  KL mean   KL 99 %   same top")
for kind in sys.argv[4:] or FTYPES:
    for name, quantize in (("pith", by_pith), ("llama.cpp", by_llama_cpp)):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out.gguf")
            quantize(model, out, kind)
            run = subprocess.run([pith, "quantize", out, "--compare", model, "-f", text, "--json"], check=True,
                                 capture_output=True)
        d = json.loads(run.stdout)
        print(f"{kind:8} {name:9} {d['model']['bits']:5.2f} {d['model']['perplexity']:11.4f} {d['kl']['mean']:9.6f} "
              f"{d['kl']['p99']:9.6f} {100 * d['same_top']:7.2f} %", flush=True)
