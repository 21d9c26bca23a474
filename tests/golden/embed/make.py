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

And scores.txt: the probability of "yes" against "no" behind the prompt that docs/embeddings.md
gives, for a template with a system message (plain) and for one without (bare)

    model NAME
    template plain|bare
    query TEXT
    document TEXT
    words YES NO        ids in which the prompt with either word behind it first differs
    tokens N
    score P
"""

import os

import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM

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


TASK = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".'
)
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
QUERY = "where is the house of the old man"
DOCUMENTS = [
    "it is in the street of the baker, near the sea",
    "a king is rich",
    "the house of the old man stands on the hill, and the house of the other man is by the river",
]


def prompt(template, query, document):
    user = f"<Instruct>: {INSTRUCTION}\n<Query>: {query}\n<Document>: {document}"
    if template == "plain":
        return f"<s>{TASK}\n\nUser: {user}\nAssistant:"
    return f"<s>[{TASK}\n\n{user}]"


def scores():
    out = []
    for name, template in [("llama3", "plain"), ("qwen25", "bare")]:
        folder = os.path.join(HERE, "..", "models", name)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))

        def ids_of(text):
            return tok.encode(text, add_special_tokens=False).ids

        for document in DOCUMENTS:
            text = prompt(template, QUERY, document)
            ids = ids_of(text)
            words = next((a, b) for a, b in zip(ids_of(text + "yes"), ids_of(text + "no")) if a != b)
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            score = torch.softmax(logits[list(words)].double(), 0)[0].item()
            out.append(f"model {name}\ntemplate {template}\nquery {QUERY}\ndocument {document}\n")
            out.append(f"words {words[0]} {words[1]}\ntokens {len(ids)}\nscore {score:.9g}\n")
    with open(os.path.join(HERE, "scores.txt"), "w") as f:
        f.write("".join(out))


def main():
    scores()
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
