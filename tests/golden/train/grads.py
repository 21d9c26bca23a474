#!/usr/bin/env python3
"""
Gradients of the tiny models of tests/golden/models by PyTorch and PEFT in f32, for
tests/golden/test_grads.c.

    /opt/pv/bin/python grads.py > grads.txt        (versions: requirements.txt)

For each model three segments, each run by itself; the loss is the mean of -log p over the learned
tokens of all. First all weights are trained, then (by PEFT) pairs on all linear layers, whose values
the formula of `fill` gives to both programs. A line per model:

    model NAME KIND(full|lora|dora|rslora) LOSS

and one per tensor: its GGUF name, what it is (w, a, b, m), the length of its gradient, and SAMPLES
of its values, evenly spread.
"""

import os
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "models")
sys.path.insert(0, MODELS)
import make  # noqa: E402
from specs import SPECS, text_model  # noqa: E402

SAMPLES = 12
SEGMENTS = (60, 13, 37)
RANK, ALPHA = 4, 6.0

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def gguf_name(name, gemma):
    """Parameter in the module to tensor of the file."""
    stem, kind = name.rsplit(".", 1)
    stem = stem.split("base_model.model.")[-1]
    if "embed_tokens" in stem:
        return "token_embd.weight"
    if stem.endswith("lm_head"):
        return "output.weight"
    if "layers." not in stem:
        return "output_norm.weight"
    layer, rest = stem.split("layers.")[-1].split(".", 1)
    if rest == "post_attention_layernorm":
        rest = "post_attention_norm" if gemma else "ffn_norm"
    return f"blk.{layer}.{NAMES.get(rest, rest)}.{kind}"


def fill(index, n, size):
    """Values that C makes too: a multiplicative hash of tensor and place, as numbers around 0."""
    i = np.arange(n, dtype=np.uint64)
    h = (i * np.uint64(2654435761) + np.uint64(index) * np.uint64(40503) + np.uint64(12345)) & np.uint64(0xFFFFFFFF)
    h = (h ^ (h >> np.uint64(15))) * np.uint64(2246822519) & np.uint64(0xFFFFFFFF)
    return (((h >> np.uint64(16)).astype(np.float64) / 65536.0 - 0.5) * size).astype(np.float32)


def tokens(vocab):
    """ids and marks of each segment."""
    out = []
    for s, n in enumerate(SEGMENTS):
        ids = [(7 * i * i + 3 * i + 11 * s + 5) % vocab for i in range(n)]
        learn = [i > 0 and (i * 7 + s) % 3 != 0 for i in range(n)]
        out.append((ids, learn))
    return out


def loss_of(model, vocab):
    segments = tokens(vocab)
    total = sum(sum(learn) for _, learn in segments)
    loss = 0.0
    for ids, learn in segments:
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
        logp = torch.log_softmax(logits, -1)
        for t, want in enumerate(learn):
            if want:
                loss = loss - logp[t - 1, ids[t]] / total
    return loss


def line(name, role, grad):
    g = grad.detach().reshape(-1).double()
    at = [(k * len(g)) // SAMPLES for k in range(SAMPLES)]
    print(name, role, f"{g.norm().item():.9g}", *(f"{g[i].item():.9g}" for i in at))


def load(spec):
    """A padding token learns as any other: pith pads nothing."""
    model = make.load(os.path.join(MODELS, spec.name), spec.load)
    for m in model.modules():
        if isinstance(m, torch.nn.Embedding):
            m.padding_idx = None
    return model


def full(spec):
    model = load(spec)
    vocab = model.config.get_text_config().vocab_size
    gemma = "gemma2" in spec.name or "gemma3" in spec.name
    text = [(n, p) for n, p in model.named_parameters() if "vision" not in n and "multi_modal" not in n]
    loss = loss_of(model, vocab)
    loss.backward()
    print("model", spec.name, "full", f"{loss.item():.9g}")
    for n, p in text:
        if p.grad is not None:
            line(gguf_name(n, gemma), "w", p.grad)


def lora(spec, kind):
    from peft import LoraConfig, get_peft_model

    model = load(spec)
    vocab = model.config.get_text_config().vocab_size
    targets = sorted({n.rsplit(".", 1)[-1] for n, m in model.named_modules()
                      if isinstance(m, torch.nn.Linear) and "layers." in n and "vision" not in n})
    if spec.name == "gemma3-vlm":  # the image tower has layers of the same names
        targets = ".*language_model.*(" + "|".join(targets) + ")"
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, lora_dropout=0.0,
                        use_dora=kind == "dora", use_rslora=kind == "rslora", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    gemma = "gemma2" in spec.name or "gemma3" in spec.name
    rows = []
    for n, p in model.named_parameters():
        if not p.requires_grad:
            continue
        stem, role = n.split(".lora_")
        rows.append((gguf_name(stem + ".weight", gemma), {"A": "a", "B": "b", "m": "m"}[role[0]], p))
    rows.sort(key=lambda r: (r[0], r[1]))
    with torch.no_grad():
        for i, (name, role, p) in enumerate(rows):
            if role != "m":
                size = 0.3 if role == "a" else 0.5
                p.copy_(torch.from_numpy(fill(i, p.numel(), size)).reshape(p.shape))
    loss = loss_of(model, vocab)
    loss.backward()
    print("model", spec.name, kind, f"{loss.item():.9g}")
    for name, role, p in rows:
        line(name, role, p.grad)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    only = sys.argv[1:]
    for spec in SPECS:
        if only and spec.name not in only:
            continue
        full(spec)
        lora(spec, "lora")
        if spec.name in ("llama32", "phi3", "gemma2", "qwen3", "llama-bias"):
            lora(spec, "dora")
            lora(spec, "rslora")


if __name__ == "__main__":
    main()
