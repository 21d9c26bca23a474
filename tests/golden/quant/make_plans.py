"""Makes plans.txt: the type that llama.cpp's quantizer gives each tensor, by mixture and shape of model.

    python tests/golden/quant/make_plans.py     (llama-cpp-python 0.3.36, gguf 0.19.0)

The models have the layers, heads and rows that rules ask about and are small otherwise; their values are 0.
plans.txt: "model NAME architecture layers heads kv_heads", then for each matrix "tensor NAME columns rows", then
"mixture NAME" and the types of all matrices in that order (vectors stay f32), TYPE*HOW_MANY.
"""
import ctypes
import itertools
import os
import tempfile

import gguf
import llama_cpp
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FTYPES = {
    "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12, "q3_k_l": 13,
    "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30,
    "bf16": 32, "f16": 1, "f32": 0,
}
#        arch, layers, width, heads, kv heads, head size, ffn, tied, fused
MODELS = {
    "llama-1b": ("llama", 16, 256, 32, 8, 8, 512, True, False),
    "llama-8b": ("llama", 32, 256, 32, 8, 8, 512, False, False),
    "llama2-7b": ("llama", 32, 256, 32, 32, 8, 512, False, False),
    "qwen2.5-0.5b": ("qwen2", 24, 896, 14, 2, 64, 256, True, False),
    "qwen2.5-3b": ("qwen2", 36, 256, 16, 2, 16, 512, True, False),
    "qwen3-4b": ("qwen3", 36, 256, 32, 8, 16, 512, True, False),
    "gemma2-2b": ("gemma2", 26, 256, 8, 4, 32, 512, True, False),
    "gemma3-1b": ("gemma3", 26, 1152, 4, 1, 256, 6912 // 8, True, False),
    "phi3-mini": ("phi3", 32, 256, 32, 32, 8, 512, False, True),
    "llama-70b": ("llama", 80, 256, 64, 8, 8, 256, False, False),
    "odd": ("llama", 12, 80, 4, 2, 20, 100, True, False),
}


def write(path, shape):
    arch, layers, width, heads, kv, head, ffn, tied, fused = shape
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(64)
    w.add_embedding_length(width)
    w.add_feed_forward_length(ffn)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_key_length(head)
    w.add_value_length(head)
    w.add_rope_dimension_count(head)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(64)
    w.add_sliding_window(32)
    tensors = []

    def add(name, *dims):
        w.add_tensor(name, np.zeros(dims, np.float32 if len(dims) == 1 else np.float16))
        tensors.append((name, dims))

    add("token_embd.weight", 64, width)
    add("output_norm.weight", width)
    if not tied:
        add("output.weight", 64, width)
    for i in range(layers):
        b = f"blk.{i}."
        add(b + "attn_norm.weight", width)
        if fused:
            add(b + "attn_qkv.weight", (heads + 2 * kv) * head, width)
        else:
            add(b + "attn_q.weight", heads * head, width)
            add(b + "attn_k.weight", kv * head, width)
            add(b + "attn_v.weight", kv * head, width)
        if arch == "qwen2":
            add(b + "attn_q.bias", heads * head)
        add(b + "attn_output.weight", width, heads * head)
        add(b + "ffn_norm.weight", width)
        if not fused:
            add(b + "ffn_gate.weight", ffn, width)
        add(b + "ffn_up.weight", ffn * (2 if fused else 1), width)
        add(b + "ffn_down.weight", width, ffn)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return tensors


@llama_cpp.llama_log_callback
def silent(level, text, user):
    pass


llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
with tempfile.TemporaryDirectory() as folder, open(os.path.join(HERE, "plans.txt"), "w") as out:
    source, target = os.path.join(folder, "in.gguf"), os.path.join(folder, "out.gguf")
    for name, shape in MODELS.items():
        matrices = [t for t in write(source, shape) if len(t[1]) > 1]
        print("model", name, shape[0], shape[1], shape[3], shape[4], file=out)
        for t, dims in matrices:
            print("tensor", t, *reversed(dims), file=out)
        for mixture, ftype in FTYPES.items():
            params = llama_cpp.llama_model_quantize_default_params()
            params.ftype = ftype
            params.nthread = 1
            if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) != 0:
                print("refused", name, mixture)
                continue
            types = {t.name: t.tensor_type.name.lower() for t in gguf.GGUFReader(target).tensors}
            runs = [(t, len(list(g))) for t, g in itertools.groupby(types[t] for t, _ in matrices)]
            print("mixture", mixture, *[f"{t}*{n}" for t, n in runs], file=out, flush=True)
