#!/usr/bin/env python3
"""Writes merges.txt: what Hugging Face tokenizers' BpeTrainer makes of corpus.txt.

Made with tokenizers 0.22.2. Usage: make.py (in this folder)."""
import json
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(vocab_size=1200, min_frequency=2, special_tokens=["<|a|>", "<|b|>"],
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
tok.train_from_iterator([open("corpus.txt", encoding="utf-8").read()], trainer)
model = json.loads(tok.to_str())["model"]
with open("merges.txt", "w", encoding="utf-8") as out:
    for merge in model["merges"]:
        out.write((merge if isinstance(merge, str) else " ".join(merge)) + "\n")
