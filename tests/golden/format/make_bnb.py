#!/usr/bin/env python3
"""
Makes bnb/: the first layer of a small LLaMA whose matrices bitsandbytes quantized to NF4, as
transformers saves them, and expected.txt: a line "name hash" for each, FNV-1a (64 bits) of the f32 values
that bitsandbytes gives back.

    /opt/pv/bin/python make_bnb.py     (bitsandbytes 0.50.2, torch 2.8.0)

q, k, v, gate, up, down have double quantization; o has not. The width is 256, so that rows are whole super-blocks
of pith's own NF4; down's rows are 192 long, which are not. (Where rows are
no whole blocks of 64, bitsandbytes' kernels for the CPU give other values than its own layout means: not tested.)
"""

import json
import os
import shutil

import bitsandbytes.functional as F
import numpy as np
import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "bnb")
WIDTH, KV, FFN, VOCAB = 256, 64, 192, 8
P = "model.layers.0."
SHAPES = {
    P + "self_attn.q_proj": (WIDTH, WIDTH),
    P + "self_attn.k_proj": (KV, WIDTH),
    P + "self_attn.v_proj": (KV, WIDTH),
    P + "self_attn.o_proj": (WIDTH, WIDTH),
    P + "mlp.gate_proj": (FFN, WIDTH),
    P + "mlp.up_proj": (FFN, WIDTH),
    P + "mlp.down_proj": (WIDTH, FFN),
}


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) % 2**64
    return h


def main():
    torch.manual_seed(5)
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    tensors, lines = {}, []
    for name, shape in SHAPES.items():
        w = torch.randn(shape) * 0.05
        q, s = F.quantize_4bit(w, blocksize=64, compress_statistics="o_proj" not in name, quant_type="nf4")
        tensors[name + ".weight"] = q
        for key, value in s.as_dict(packed=True).items():
            tensors[f"{name}.weight.{key}"] = value.clone().contiguous()
        y = F.dequantize_4bit(q, s).numpy().astype("<f4")
        lines.append(f"{name} {fnv(y.tobytes()):016x}\n")
    for name in ("input_layernorm", "post_attention_layernorm"):
        tensors[P + name + ".weight"] = torch.ones(WIDTH)
    tensors["model.norm.weight"] = torch.ones(WIDTH)
    tensors["model.embed_tokens.weight"] = (torch.randn(VOCAB, WIDTH) * 0.05).half()
    save_file(tensors, os.path.join(OUT, "model.safetensors"), metadata={"format": "pt"})
    config = dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_size=WIDTH,
        intermediate_size=FFN,
        num_hidden_layers=1,
        num_attention_heads=8,
        num_key_value_heads=2,
        vocab_size=VOCAB,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        quantization_config=dict(
            quant_method="bitsandbytes",
            load_in_4bit=True,
            load_in_8bit=False,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype="float32",
        ),
    )
    with open(os.path.join(OUT, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    with open(os.path.join(OUT, "expected.txt"), "w") as f:
        f.write("".join(lines))
    for file in os.listdir(OUT):
        os.chmod(os.path.join(OUT, file), 0o644)


main()
