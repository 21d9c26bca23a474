#!/usr/bin/env python3
"""
Adapters of the tiny models of tests/golden/models as PEFT itself saves them, filled with random
values, and the logits that PEFT gives with them, in f32 with eager attention, unmerged.

    /opt/pv/bin/python make_peft.py        (versions: requirements.txt)

Writes the folders peft/MODEL-NAME and peft.txt, whose lines are those of expect.txt (make.py).
Logits come from the folder loaded again, so that they are those of the file.
"""

import os
import shutil
import warnings
import zlib

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "models")
N_TOKENS, KEEP = 21, 3
warnings.filterwarnings("ignore")

SPLIT = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]

# model, name, type of the file, configuration
ADAPTERS = [
    ("llama32", "plain", "f32", dict(r=4, lora_alpha=8, target_modules=SPLIT)),
    ("llama32", "dora", "f32", dict(r=3, lora_alpha=6, target_modules=SPLIT, use_dora=True)),
    (
        "llama32",
        "patterns",
        "bf16",
        dict(
            r=4,
            lora_alpha=8,
            target_modules=SPLIT,
            rank_pattern={"down_proj": 7, "layers.0.self_attn.q_proj": 2},
            alpha_pattern={r"layers\.\d+\.mlp\.(up|gate)_proj": 3, "^model.layers.1.self_attn.v_proj": 20},
        ),
    ),
    ("qwen2", "rslora", "f16", dict(r=9, lora_alpha=2, target_modules="all-linear", use_rslora=True)),
    (
        "qwen3",
        "rslora-patterns",
        "f32",
        dict(
            r=4,
            lora_alpha=3,
            target_modules=SPLIT,
            use_rslora=True,
            use_dora=True,
            rank_pattern={"o_proj": 5},
            alpha_pattern={"o_proj": 1.5},
        ),
    ),
    ("gemma2", "plain", "f16", dict(r=4, lora_alpha=8, target_modules=SPLIT)),
    ("gemma3", "layers", "f32", dict(r=4, lora_alpha=8, target_modules=SPLIT, layers_to_transform=[0])),
    ("phi3", "fused", "f32", dict(r=4, lora_alpha=8, target_modules=FUSED, use_dora=True)),
    ("phi3", "ends", "f32", dict(r=2, lora_alpha=3, target_modules=["embed_tokens", "lm_head", "o_proj"])),
]


def rng(*names):
    return np.random.Generator(np.random.PCG64(zlib.crc32("/".join(names).encode())))


def fill(model, *names):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_" not in name:
                continue
            g = rng(*names, name)
            x = g.standard_normal(p.shape)
            if "magnitude" in name:
                p.mul_(torch.from_numpy(1 + 0.2 * x).to(p.dtype))
            elif "lora_embedding_A" in name:
                p.copy_(torch.from_numpy(0.3 * x))
            elif "_B" in name:
                p.copy_(torch.from_numpy(0.4 * x / np.sqrt(p.shape[1])))
            else:
                p.copy_(torch.from_numpy(x / np.sqrt(p.shape[1])))


def load(name):
    path = os.path.join(MODELS, name)
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def logits_of(model, tokens):
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def main():
    dtypes = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    out = []
    for model_name, name, dtype, options in ADAPTERS:
        folder = os.path.join(HERE, "peft", f"{model_name}-{name}")
        shutil.rmtree(folder, ignore_errors=True)
        config = LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options)
        model = get_peft_model(load(model_name), config)
        fill(model, model_name, name)
        model.peft_config["default"].base_model_name_or_path = model_name
        model.save_pretrained(folder)
        os.remove(os.path.join(folder, "README.md"))
        weights = os.path.join(folder, "adapter_model.safetensors")
        tensors = {k: v.to(dtypes[dtype]) for k, v in load_file(weights).items()}
        save_file(tensors, weights, metadata={"format": "pt"})
        for file in os.listdir(folder):
            os.chmod(os.path.join(folder, file), 0o644)

        base = load(model_name)
        tokens = [int(t) for t in rng(model_name, "tokens").integers(3, base.config.vocab_size, N_TOKENS)]
        plain = logits_of(base, tokens)
        logits = logits_of(PeftModel.from_pretrained(base, folder).float().eval(), tokens)
        change = ((logits - plain).abs().amax() / plain.abs().amax()).item()
        print(model_name, name, f"changes logits by {change:.3f} of the largest")
        assert change > 0.05, "an adapter that is left out must show"
        out.append(f"case {model_name}\nuse peft/{model_name}-{name} 1\n")
        out.append("tokens " + " ".join(map(str, tokens)) + "\n")
        for p in range(N_TOKENS - KEEP, N_TOKENS):
            out.append(f"logits {p} " + " ".join(f"{x:.9g}" for x in logits[p].tolist()) + "\n")
    with open(os.path.join(HERE, "peft.txt"), "w") as f:
        f.write("".join(out))


main()
