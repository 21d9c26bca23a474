#!/usr/bin/env python3
"""
Which tokens of a conversation are learned, as TRL and transformers mark them, for
tests/golden/test_masks.c.

    /opt/pv/bin/python make_masks.py > masks.txt     (trl 1.16.0, transformers 4.57.1, tokenizers 0.22)

Each line: template of ../shared/templates, tokenizer of ../shared/tokenizers, one row of a data file,
then for each example its ids and the runs of learned tokens ("3-7,12-20", ends not included);
separated by tabs.

The marks come from transformers' return_assistant_tokens_mask, over TRL's training variant of the
template where TRL has one, else over the template with {% generation %} set into it here, behind the
header and around all that the model writes.

Two differences that are wanted:
  Qwen2.5   TRL's variant begins behind "<|im_start|>assistant", so that the line's end belongs to what
            is learned; it is part of what is given when the model is asked, and is left out here.
  Qwen3     TRL's variant shows every turn with its thoughts. The template as shipped does not: a turn
            that others follow is rendered once more, ending there.
"""

import importlib.util
import json
import lzma
import pathlib
import tempfile

from transformers import AutoTokenizer

SHARED = pathlib.Path(__file__).resolve().parents[4] / "shared"
TRL = pathlib.Path(importlib.util.find_spec("trl").submodule_search_locations[0]) / "chat_templates"
GEN, END = "{% generation %}", "{% endgeneration %}"


def trl(name):
    return (TRL / name).read_text(encoding="utf-8")


def put(source, *pairs):
    for old, new in pairs:
        assert source.count(old) == 1, (old, source.count(old))
        source = source.replace(old, new)
    return source


def shipped(name):
    return (SHARED / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def qwen25():
    source = trl("qwen2_5_training.jinja")
    return put(
        source,
        ("{{- '<|im_start|>assistant' }}\n        {%- generation %}\n        {%- if not message.tool_calls %}\n"
         "            {{- '\\n' + message.content",
         "{{- '<|im_start|>assistant\\n' }}\n        {%- generation %}\n        {%- if not message.tool_calls %}\n"
         "            {{- message.content"),
        ("{{- '\\n' + message.content }}", "{{- message.content + '\\n' }}"),
        ("{{- '\\n<tool_call>\\n{\"name\": \"' }}\n                {{- tool_call.name }}",
         "{{- ('' if loop.first else '\\n') + '<tool_call>\\n{\"name\": \"' }}\n                {{- tool_call.name }}"),
    )


def llama(name):
    source = shipped(name)
    return put(
        source,
        ("""{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}""",
         """{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}{% if message.role == 'assistant' %}"""
         + GEN + """{{- message['content'] | trim + '<|eot_id|>' }}""" + END
         + """{% else %}{{- message['content'] | trim + '<|eot_id|>' }}{% endif %}"""),
    )


def mistral():
    return put(
        shipped("mistralai-Mistral-Nemo-Instruct-2407"),
        ("""{{- message["content"] + eos_token}}""", GEN + """{{- message["content"] + eos_token}}""" + END),
    )


def smollm():
    return put(
        shipped("HuggingFaceTB-SmolLM3-3B"),
        ("""{{ "<|im_start|>assistant\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}""",
         """{{ "<|im_start|>assistant\\n" }}""" + GEN + """{{ content.lstrip("\\n") + "<|im_end|>\\n" }}""" + END),
        ("""{{ "<|im_start|>assistant\\n" + "<think>\\n\\n</think>\\n" + content.lstrip("\\n") + "<|im_end|>\\n" }}""",
         """{{ "<|im_start|>assistant\\n" + "<think>\\n\\n</think>\\n" }}""" + GEN
         + """{{ content.lstrip("\\n") + "<|im_end|>\\n" }}""" + END),
    )


SETS = [
    ("Qwen-Qwen2.5-7B-Instruct", "qwen2_5", qwen25, "system tools late"),
    ("Qwen-Qwen3-0.6B", "qwen2_5", lambda: trl("qwen3_training.jinja"), "system tools think late apart"),
    ("google-gemma-2-2b-it", "gemma2", lambda: trl("gemma_training.jinja"), ""),
    ("microsoft-Phi-3.5-mini-instruct", "llama3_2", lambda: trl("phi3_5_training.jinja"), "system late"),
    ("meta-llama-Llama-3.1-8B-Instruct", "llama3_2", lambda: llama("meta-llama-Llama-3.1-8B-Instruct"), "system"),
    ("meta-llama-Llama-3.2-3B-Instruct", "llama3_2", lambda: llama("meta-llama-Llama-3.2-3B-Instruct"), "system"),
    ("mistralai-Mistral-Nemo-Instruct-2407", "mistral_nemo", mistral, ""),
    ("HuggingFaceTB-SmolLM3-3B", "qwen2_5", smollm, "modes"),
    ("", "gemma3", lambda: trl("gemma3_training.jinja"), ""),
]

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Today's weather in a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def cases(flags):
    u, a, s = "user", "assistant", "system"
    yield [turn(u, "What is 2+2?"), turn(a, "It is 4.")], {}
    yield [turn(u, "Hello, world!"), turn(a, "Hi! caf\u00e9 \u20ac \U0001f600 \u4f60\u597d")], {}
    yield [turn(u, "One"), turn(a, "Two"), turn(u, "Three"), turn(a, "Four, five\n\nsix")], {}
    yield [turn(u, "a"), turn(a, "assistant"), turn(u, "user"), turn(a, "model\nok"), turn(u, "x"), turn(a, "")], {}
    yield [turn(u, "def f(x):\n    return x"), turn(a, "```c\nint x;\n```")], {}
    yield [turn(u, "Say b"), turn(a, "<b>bold</b>")], {}
    if "system" in flags:
        yield [turn(s, "Be brief."), turn(u, "Hello"), turn(a, "Hi."), turn(u, "Bye"), turn(a, "Bye!")], {}
    if "modes" in flags:
        yield [turn(s, "/no_think Be brief."), turn(u, "Hello"), turn(a, "Hi."), turn(u, "Bye"), turn(a, "Bye!")], {}
        yield [turn(s, "/think Be brief."), turn(u, "Hello"), turn(a, "Hi.")], {}
    if "think" in flags:
        yield [turn(u, "Think"), turn(a, "Done.", reasoning_content="because")], {}
        yield [turn(u, "Think"), turn(a, "<think>\nhm\n</think>\n\nDone."), turn(u, "Go"), turn(a, "Gone.")], {}
    if "tools" in flags:
        call = {"type": "function", "function": {"name": "weather", "arguments": {"town": "\u00c5lesund"}}}
        yield [turn(u, "Is it raining?"), turn(a, "", tool_calls=[call]), turn("tool", "{\"rain\": true}"),
               turn(a, "It is.")], {"tools": [TOOL]}


def runs(mask):
    out, start = [], None
    for i, m in enumerate(list(mask) + [0]):
        if m and start is None:
            start = i
        if not m and start is not None:
            out.append(f"{start}-{i}")
            start = None
    return ",".join(out)


def render(tokenizer, source, messages, more):
    r = tokenizer.apply_chat_template(
        messages, chat_template=source, tokenize=True, return_dict=True, return_assistant_tokens_mask=True,
        date_string="26 Jul 2024", **more)
    return r["input_ids"], list(r["assistant_masks"])


def examples(tokenizer, source, plain, messages, more, apart):
    """One; or where a template shows earlier turns otherwise, one for each such turn."""
    ids, mask = render(tokenizer, source, messages, more)
    if not apart:
        return [(ids, mask)]
    out = []
    text = lambda m: tokenizer.apply_chat_template(m, chat_template=plain, tokenize=False, **more)
    ends = [i + 1 for i, m in enumerate(messages) if m["role"] == "assistant"]
    for k, end in enumerate(ends):
        later = [e for e in ends[k + 1:] if text(messages[:e]).startswith(text(messages[:end]))]
        if later:
            continue
        want = tokenizer.apply_chat_template(messages[:end], chat_template=plain, tokenize=True, **more)
        # TRL's marks of the last turns, counted from the end, where both say the same there.
        ids, mask = render(tokenizer, source, messages[:end], more)
        first = [e for e in ends[: k + 1] if text(messages[:end]).startswith(text(messages[:e]))][0]
        before = sum(1 for e in ends if e < first)
        parts, on = [], 0
        for i, m in enumerate(mask):
            on += m and (i == 0 or not mask[i - 1])
            parts.append(m and on > before)
        n = next(i for i in range(1, len(ids) + 1)
                 if i == len(ids) or i == len(want) or ids[-i - 1] != want[-i - 1])
        tail = parts[-n:] if n < len(parts) else parts
        assert any(tail) and not any(parts[: len(parts) - len(tail)]), (messages, n)
        out.append((want, [0] * (len(want) - len(tail)) + tail))
    return out


def main():
    for template, name, make, flags in SETS:
        with tempfile.TemporaryDirectory() as folder:
            for file in ("tokenizer.json", "tokenizer_config.json"):
                path = SHARED / "tokenizers" / name / file
                data = path.read_bytes() if path.exists() else lzma.open(f"{path}.xz").read()
                (pathlib.Path(folder) / file).write_bytes(data)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        source = make()
        plain = shipped(template) if template else tokenizer.chat_template
        for messages, more in cases(flags):
            row = {"messages": messages, **more}
            fields = [template or "-", name, json.dumps(row)]
            for ids, mask in examples(tokenizer, source, plain, messages, more, "apart" in flags):
                fields += [" ".join(map(str, ids)), runs(mask)]
            print(*fields, sep="\t")


if __name__ == "__main__":
    main()
