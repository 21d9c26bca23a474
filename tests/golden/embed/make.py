#!/usr/bin/env python3
"""
What transformers gives as pooled final hidden states (after the output norm) of some of the tiny
models of tests/golden/models, in f32 with eager attention.

    /opt/pv/bin/python make.py        (versions: ../models/requirements.txt)

Writes vectors.txt: for each model and text

    model NAME
    text TEXT
    tokens ID ...
    mean X ...          mean over all tokens
    last X ...          the last token's
    cls X ...           the first token's

The tokens are those of the model's own tokenizer.json, without anything around them.
"""

import os

import torch
from tokenizers import Tokenizer
from transformers import AutoModel

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ["llama32", "qwen2", "gemma2", "phi3"]
TEXTS = [
    "the",
    "on the rest of the ending, a string is an order",
    "in a house by the sea there was an old man who told stories to anyone who sat with him at "
    "the bar, and in the fall he told more of them than in the spring",
]


def row(name, x):
    return name + " " + " ".join(f"{v:.9g}" for v in x.tolist()) + "\n"


def main():
    out = []
    for name in MODELS:
        folder = os.path.join(HERE, "..", "models", name)
        model = AutoModel.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        for text in TEXTS:
            ids = tok.encode(text, add_special_tokens=False).ids
            with torch.no_grad():
                hidden = model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]
            hidden = hidden.double()
            out.append(f"model {name}\ntext {text}\n")
            out.append("tokens " + " ".join(map(str, ids)) + "\n")
            out += [row("mean", hidden.mean(0)), row("last", hidden[-1]), row("cls", hidden[0])]
    with open(os.path.join(HERE, "vectors.txt"), "w") as f:
        f.write("".join(out))


main()
