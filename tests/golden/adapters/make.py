#!/usr/bin/env python3
"""
Random LoRA adapters of some of the tiny models of tests/golden/models, as GGUF files, and the
logits that PEFT gives with them, in f32 with eager attention, unmerged.

    /opt/pv/bin/python make.py        (versions: requirements.txt)

Writes MODEL-NAME.gguf and expect.txt:

    case MODEL
    use FILE SCALE          once or more: their changes add up
    tokens ID ...
    logits POSITION X ...   for the last positions

and greedy.txt: what llama32-all.gguf answers to a text, greedily and by a clear margin

    prompt TEXT
    answer ID ...

What a converter does to the names, shapes and rows of PEFT's tensors is done here by hand: the
numbers of the GGUF form are llama.cpp's (convert_lora_to_gguf.py). Values are rounded to the type
that is written before PEFT gets them.
"""

import os
import zlib

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
N_TOKENS, KEEP = 21, 3

SPLIT = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
FUSED = {
    "qkv_proj": "attn_qkv",
    "o_proj": "attn_output",
    "gate_up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
ENDS = {"embed_tokens": "token_embd", "lm_head": "output"}

# model: architecture, names of matrices, adapters (name, targets, rank, alpha, type), cases
MODELS = {
    "llama32": ("llama", SPLIT, [("all", list(SPLIT), 4, 8, "f32"), ("qv", ["q_proj", "v_proj"], 3, 5, "f16")]),
    "qwen2": ("qwen2", SPLIT, [("all", list(SPLIT), 4, 8, "f16"), ("deep", list(SPLIT), 32, 16, "q8_0")]),
    "gemma2": ("gemma2", SPLIT, [("all", list(SPLIT), 5, 8, "f16"), ("embed", ["embed_tokens", "k_proj"], 2, 4, "f32")]),
    "phi3": ("phi3", FUSED, [("all", list(FUSED), 4, 8, "f16"), ("ends", list(ENDS), 2, 3, "f32")]),
}
CASES = {
    "llama32": [[("all", 1)], [("qv", 1.5)], [("all", 0.5), ("qv", -2)]],
    "qwen2": [[("all", 1)], [("deep", 1)]],
    "gemma2": [[("all", 1)], [("embed", 1)], [("embed", 2), ("all", 1)]],
    "phi3": [[("all", 1)], [("ends", 1)], [("all", -1), ("ends", 1)]],
}


def rng(*names):
    return np.random.Generator(np.random.PCG64(zlib.crc32("/".join(names).encode())))


def rounded(x, kind):
    """What comes back from a file of that type; q8_0 is for rows of whole blocks."""
    if kind == "f16":
        return x.astype(np.float16).astype(np.float32)
    if kind == "q8_0" and x.shape[1] % 32 == 0:
        return gguf.dequantize(gguf.quantize(x, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0)
    return x


def put(writer, name, x, kind):
    x = np.ascontiguousarray(x)
    if kind == "f16":
        writer.add_tensor(name, x.astype(np.float16))
    elif kind == "q8_0" and x.shape[1] % 32 == 0:
        q = gguf.quantize(x, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, q, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    else:
        writer.add_tensor(name, x)


def as_pairs(b, heads):
    """Rows of each head, two halves in transformers, as pairs."""
    return b.reshape(heads, 2, b.shape[0] // heads // 2, b.shape[1]).swapaxes(1, 2).reshape(b.shape)


def gguf_name(module, names):
    last = module.split(".")[-1]
    if last in ENDS:
        return ENDS[last] + ".weight"
    layer = module.split("layers.")[1].split(".")[0]
    return f"blk.{layer}.{names[last]}.weight"


def fill(model, model_name, names, adapter, config, arch):
    """Random values into PEFT's adapter, and the same into a GGUF file."""
    name, _, rank, alpha, kind = adapter
    file = f"{model_name}-{name}.gguf"
    writer = gguf.GGUFWriter(os.path.join(HERE, file), arch)
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", f"{model_name} {name}")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(alpha))
    for module, layer in model.named_modules():
        if not hasattr(layer, "lora_A"):
            continue
        embedding = name in layer.lora_embedding_A
        if not embedding and name not in layer.lora_A:
            continue
        short = module.removeprefix("base_model.model.")
        pa = layer.lora_embedding_A[name] if embedding else layer.lora_A[name].weight
        pb = layer.lora_embedding_B[name] if embedding else layer.lora_B[name].weight
        g = rng(model_name, name, short)
        a = (g.standard_normal(pa.shape) / np.sqrt(1 if embedding else pa.shape[1])).astype(np.float32)
        b = (0.4 * g.standard_normal(pb.shape) / np.sqrt(pb.shape[1])).astype(np.float32)
        if embedding:
            b *= 0.3
        a, b = rounded(a, kind), rounded(b, kind)
        with torch.no_grad():
            pa.copy_(torch.from_numpy(a))
            pb.copy_(torch.from_numpy(b))
        if arch == "llama" and short.endswith("q_proj"):
            b = as_pairs(b, config.num_attention_heads)
        if arch == "llama" and short.endswith("k_proj"):
            b = as_pairs(b, config.num_key_value_heads)
        base = gguf_name(short, names)
        put(writer, base + ".lora_a", a.T if embedding else a, kind)
        put(writer, base + ".lora_b", b, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.chmod(os.path.join(HERE, file), 0o644)
    return file


PROMPT, N_ANSWER, GAP = "the boat sails at noon", 12, 1e-2


def greedy(model, model_name):
    tok = Tokenizer.from_file(os.path.join(HERE, "..", "models", model_name, "tokenizer.json"))
    ids = tok.encode(PROMPT, add_special_tokens=False).ids
    n = len(ids)
    for _ in range(N_ANSWER):
        with torch.no_grad():
            row = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        top = torch.topk(row, 2)
        assert (top.values[0] - top.values[1]) / row.abs().max() > GAP, "choose another prompt"
        ids.append(int(top.indices[0]))
    with open(os.path.join(HERE, "greedy.txt"), "w") as f:
        f.write(f"prompt {PROMPT}\nanswer " + " ".join(map(str, ids[n:])) + "\n")


def main():
    out = []
    for model_name, (arch, names, adapters) in MODELS.items():
        base = AutoModelForCausalLM.from_pretrained(
            os.path.join(HERE, "..", "models", model_name), dtype=torch.float32, attn_implementation="eager"
        ).eval()
        config = base.config
        g = rng(model_name, "tokens")
        tokens = [int(t) for t in g.integers(3, config.vocab_size, N_TOKENS)]
        plain = base(input_ids=torch.tensor([tokens])).logits[0].detach()
        model = None
        for adapter in adapters:
            name, targets, rank, alpha, _ = adapter
            lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, lora_dropout=0.0)
            if model is None:
                model = get_peft_model(base, lora, adapter_name=name)
            else:
                model.add_adapter(name, lora)
        model.eval()
        files = {a[0]: fill(model, model_name, names, a, config, arch) for a in adapters}
        scales = {a[0]: a[3] / a[2] for a in adapters}
        for case in CASES[model_name]:
            model.base_model.set_adapter([name for name, _ in case])
            for layer in model.modules():
                for name, scale in case:
                    if isinstance(getattr(layer, "scaling", None), dict) and name in layer.scaling:
                        layer.scaling[name] = scales[name] * scale
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
            if model_name == "llama32" and case == [("all", 1)]:
                greedy(model, model_name)
            change = ((logits - plain).abs().amax() / plain.abs().amax()).item()
            print(model_name, case, f"changes logits by {change:.3f} of the largest")
            assert change > 0.05, "an adapter that is left out must show"
            out.append(f"case {model_name}\n")
            out += [f"use {files[name]} {scale:g}\n" for name, scale in case]
            out.append("tokens " + " ".join(map(str, tokens)) + "\n")
            for p in range(N_TOKENS - KEEP, N_TOKENS):
                out.append(f"logits {p} " + " ".join(f"{x:.9g}" for x in logits[p].tolist()) + "\n")
    with open(os.path.join(HERE, "expect.txt"), "w") as f:
        f.write("".join(out))


main()
