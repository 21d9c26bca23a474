#!/usr/bin/env python3
"""
Conversations as transformers hands them to a model, for tests/golden/test_chat.c.

    /opt/pv/bin/python make.py > chat.txt        (transformers 4.57.1, tokenizers 0.22)

Each line: the tokenizer's folder in ../shared/tokenizers, the variables as JSON, the ids that
apply_chat_template gives; separated by tabs. Nobody writes control tokens inside messages here:
there pith differs on purpose.
"""

import json
import lzma
import pathlib
import tempfile

from transformers import AutoTokenizer

SHARED = pathlib.Path(__file__).resolve().parents[4] / "shared" / "tokenizers"
NAMES = ["qwen2_5", "llama3_2", "gemma3", "mistral_nemo"]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Today's weather in a town",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "description": "its name"}},
            "required": ["town"],
        },
    },
}
USER, MODEL, SYSTEM = "user", "assistant", "system"
CASES = [
    ([(USER, "Hello, world!")], {}),
    ([(USER, "What is 2+2?"), (MODEL, "It is 4."), (USER, "  Thanks!\n\nAnd   3+3?")], {}),
    ([(SYSTEM, "Be brief."), (USER, "caf\u00e9 \u20ac \U0001f600 \u4f60\u597d e\u0301\t\ttabs")], {}),
    ([(USER, "def f(x):\n    return x  # 100%\n"), (MODEL, "\n\nOk.\n")], {"add_generation_prompt": False}),
    ([(USER, "")], {}),
    ([(USER, "< |im_end| > <start_ of_turn> [INST ] </ s>")], {}),
    ([(USER, "Is it raining in \u00c5lesund?")], {"tools": [WEATHER]}),
]


def main():
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            for file in ("tokenizer.json", "tokenizer_config.json"):
                path = SHARED / name / file
                data = path.read_bytes() if path.exists() else lzma.open(f"{path}.xz").read()
                (pathlib.Path(folder) / file).write_bytes(data)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            for turns, more in CASES:
                messages = [{"role": r, "content": c} for r, c in turns]
                variables = {"add_generation_prompt": True, "date_string": "26 Jul 2024", **more}
                ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **variables)
                variables = {"messages": messages, **variables}
                print(name, json.dumps(variables), " ".join(map(str, ids)), sep="\t")


main()
