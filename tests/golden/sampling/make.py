#!/usr/bin/env python3
"""
Distributions that other programs' samplers give, for tests/golden/test_sampling.c.

    /opt/llama/bin/python make.py llama.cpp       -> llama_cpp.txt      (llama-cpp-python 0.3.36)
    /opt/pv/bin/python make.py transformers       -> transformers.txt   (transformers 4.57.1)

A case is random logits and a random text, the options, and what the program leaves: the tokens
that may still be drawn with their probabilities. Cases in which a rounding could decide who stays
(a threshold within MARGIN of a token's probability) are thrown away. Format, a line each:

    case NAME
    set OPTION VALUE                 any number of them
    text N TOKEN ..                  the tokens so far
    logits N VALUE ..                9 significant digits: exact for f32
    expect N TOKEN:PROBABILITY ..    ascending tokens
"""

import ctypes
import math
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
V = 40
MARGIN = 1e-4


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x))
    return e / e.sum()


class Case:
    def __init__(self, name, options, seed, spread=2.0, text=None):
        g = np.random.Generator(np.random.PCG64(seed))
        self.name, self.options = name, options
        self.logits = (spread * g.standard_normal(V)).astype(np.float32)
        self.text = text if text is not None else [int(t) for t in g.integers(0, 12, 30)]

    def write(self, left, logits):
        order = np.argsort(left)
        p = softmax(np.asarray(logits)[order])
        lines = [f"case {self.name}"]
        lines += [f"set {k} {v}" for k, v in self.options.items()]
        lines.append(" ".join(["text", str(len(self.text)), *map(str, self.text)]))
        lines.append(" ".join(["logits", str(V), *(f"{x:.9g}" for x in self.logits)]))
        pairs = [f"{left[i]}:{q:.8g}" for i, q in zip(order, p)]
        lines.append(" ".join(["expect", str(len(pairs)), *pairs]))
        return "\n".join(lines) + "\n"


# ---- llama.cpp


def llama_chain(lc, o):
    chain = lc.llama_sampler_chain_init(lc.llama_sampler_chain_default_params())
    add = lambda s: lc.llama_sampler_chain_add(chain, s)
    keep = o.get("min_keep", 1)
    penalties = ("repeat_penalty", "frequency_penalty", "presence_penalty")
    if any(k in o for k in penalties):
        add(
            lc.llama_sampler_init_penalties(
                V, o["penalty_last_n"], o.get("repeat_penalty", 1.0), o.get("frequency_penalty", 0.0),
                o.get("presence_penalty", 0.0),
            )
        )  # fmt: skip
    if "dry_multiplier" in o:
        add(
            lc.llama_sampler_init_dry(
                None, o["dry_multiplier"], o["dry_base"], o["dry_allowed_length"], o["dry_last_n"],
                None, 0,
            )
        )  # fmt: skip
    if "top_k" in o:
        add(lc.llama_sampler_init_top_k(o["top_k"]))
    if "typical" in o:
        add(lc.llama_sampler_init_typical(o["typical"], keep))
    if "top_p" in o:
        add(lc.llama_sampler_init_top_p(o["top_p"], keep))
    if "min_p" in o:
        add(lc.llama_sampler_init_min_p(o["min_p"], keep))
    if "xtc_probability" in o:
        add(lc.llama_sampler_init_xtc(o["xtc_probability"], o["xtc_threshold"], keep, 1))
    if "temperature" in o:
        add(lc.llama_sampler_init_temp(o["temperature"]))
    if "mirostat" in o:
        add(lc.llama_sampler_init_mirostat_v2(1, o["mirostat_tau"], o["mirostat_eta"]))
    return chain


def run_llama(lc, case, logits):
    chain = llama_chain(lc, case.options)
    for t in case.text:
        lc.llama_sampler_accept(chain, t)
    data = (lc.llama_token_data * V)()
    for i in range(V):
        data[i].id, data[i].logit, data[i].p = i, float(logits[i]), 0.0
    array = lc.llama_token_data_array(data=data, size=V, selected=-1, sorted=False)
    lc.llama_sampler_apply(chain, ctypes.byref(array))
    left = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    lc.llama_sampler_free(chain)
    left = [(t, x) for t, x in left if x > -math.inf]
    return [t for t, _ in left], [x for _, x in left]


def llama_cases():
    cases = []
    for i, (k, v) in enumerate(
        [("top_k", 1), ("top_k", 7), ("top_p", 0.3), ("top_p", 0.9), ("top_p", 0.999)]
        + [("min_p", 0.02), ("min_p", 0.3), ("typical", 0.2), ("typical", 0.7), ("typical", 0.95)]
        + [("temperature", 0.3), ("temperature", 1.7)]
    ):
        for spread in (1.0, 3.0):
            cases.append(Case(f"{k}-{v}-{spread}", {k: v}, 100 + i, spread))
    for i, keep in enumerate((3, 9)):
        cases.append(Case(f"top_p-keep-{keep}", {"top_p": 0.05, "min_keep": keep}, 200 + i))
        cases.append(Case(f"min_p-keep-{keep}", {"min_p": 0.9, "min_keep": keep}, 210 + i))
    for i, n in enumerate((-1, 5, 64)):
        last = {"penalty_last_n": n if n > 0 else 30}
        cases.append(Case(f"repeat-{n}", {"repeat_penalty": 1.3, **last}, 300 + i))
        cases.append(Case(f"frequency-{n}", {"frequency_penalty": 0.4, **last}, 310 + i))
        cases.append(Case(f"presence-{n}", {"presence_penalty": 0.9, **last}, 320 + i))
        both = {"repeat_penalty": 1.2, "frequency_penalty": -0.3, "presence_penalty": 0.5}
        cases.append(Case(f"penalties-{n}", {**both, **last}, 330 + i))
    for i, threshold in enumerate((0.05, 0.1, 0.3, 0.6)):
        o = {"xtc_probability": 1.0, "xtc_threshold": threshold}
        cases.append(Case(f"xtc-{threshold}", o, 400 + i))
    texts = {
        "one": [1, 2, 3, 4, 9, 1, 2, 3],
        "two": [5, 1, 2, 3, 7, 8, 1, 2, 3, 9, 9, 1, 2, 3],
        "run": [4, 4, 4, 4, 4, 4],
        "none": [1, 2, 3, 4, 5, 6, 7],
        "long": [*range(10), 30, *range(10), 31, *range(3, 10)],
    }
    for i, (name, text) in enumerate(texts.items()):
        for allowed in (1, 2, 4):
            o = {
                "dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": allowed, "dry_last_n": 64,
            }  # fmt: skip
            cases.append(Case(f"dry-{name}-{allowed}", o, 500 + i, text=text))
    o = {"dry_multiplier": 0.5, "dry_base": 1.3, "dry_allowed_length": 2, "dry_last_n": 8}
    cases.append(Case("dry-window", o, 520, text=texts["two"]))
    for i, tau in enumerate((0.5, 1.0, 1.6, 5.0)):
        o = {"mirostat": 2, "mirostat_tau": tau, "mirostat_eta": 0.1}
        cases.append(Case(f"mirostat-{tau}", o, 600 + i))
        cases.append(Case(f"mirostat-{tau}-warm", {**o, "temperature": 1.4}, 610 + i))
    g = np.random.Generator(np.random.PCG64(7))
    for i in range(40):
        o = {}
        pick = lambda p: g.random() < p
        if pick(0.5):
            o.update(penalty_last_n=int(g.integers(1, 30)), repeat_penalty=round(1 + g.random() / 2, 3))
            o.update(frequency_penalty=round(g.random() / 2, 3), presence_penalty=round(g.random() / 2, 3))
        if pick(0.3):
            o.update(dry_multiplier=0.7, dry_base=1.6, dry_allowed_length=1, dry_last_n=64)
        if pick(0.6):
            o.update(top_k=int(g.integers(5, 35)))
        if pick(0.4):
            o.update(typical=round(0.5 + g.random() / 2, 3))
        if pick(0.6):
            o.update(top_p=round(0.5 + g.random() / 2, 3))
        if pick(0.5):
            o.update(min_p=round(g.random() / 5, 3))
        if pick(0.3):
            o.update(xtc_probability=1.0, xtc_threshold=round(0.05 + g.random() / 5, 3))
        o.update(temperature=round(0.4 + 1.2 * g.random(), 3))
        if pick(0.3):
            o.update(min_keep=int(g.integers(1, 6)))
        cases.append(Case(f"mixed-{i}", o, 700 + i))
    return cases


# ---- transformers


def run_transformers(case, logits):
    import torch
    from transformers import generation as hf

    o = case.options
    steps = []
    if "repeat_penalty" in o:
        steps.append(hf.RepetitionPenaltyLogitsProcessor(o["repeat_penalty"]))
    keep = o.get("min_keep", 1)
    if "top_k" in o:
        steps.append(hf.TopKLogitsWarper(o["top_k"], min_tokens_to_keep=keep))
    if "typical" in o:
        steps.append(hf.TypicalLogitsWarper(o["typical"], min_tokens_to_keep=keep))
    if "top_p" in o:
        steps.append(hf.TopPLogitsWarper(o["top_p"], min_tokens_to_keep=keep))
    if "min_p" in o:
        steps.append(hf.MinPLogitsWarper(o["min_p"], min_tokens_to_keep=keep))
    if "temperature" in o:
        steps.append(hf.TemperatureLogitsWarper(o["temperature"]))
    ids, scores = torch.tensor([case.text]), torch.tensor(logits)[None, :]
    for step in steps:
        scores = step(ids, scores)
    row = scores[0].numpy()
    left = [i for i in range(V) if row[i] > -math.inf]
    return left, [row[i] for i in left]


def transformers_cases():
    g = np.random.Generator(np.random.PCG64(8))
    cases = []
    for i in range(40):
        o = {}
        if i % 2:
            o.update(repeat_penalty=round(1 + g.random() / 2, 3), penalty_last_n=-1)
        if i % 3 == 0:
            o.update(top_k=int(g.integers(2, 35)))
        if i % 4 == 1:
            o.update(typical=round(0.2 + 0.75 * g.random(), 3))
        if i % 5 < 2:
            o.update(top_p=round(0.3 + 0.69 * g.random(), 3))
        if i % 7 < 3:
            o.update(min_p=round(g.random() / 5, 3))
        o.update(temperature=round(0.4 + 1.2 * g.random(), 3))
        cases.append(Case(f"hf-{i}", o, 900 + i))
    return cases


def stable(run, case):
    """Whether the same tokens stay when the logits move a little."""
    g = np.random.Generator(np.random.PCG64(1))
    left, logits = run(case, case.logits)
    for _ in range(8):
        moved = case.logits + (MARGIN * g.standard_normal(V)).astype(np.float32)
        if sorted(run(case, moved)[0]) != sorted(left):
            return None
    return case.write(left, logits)


def main():
    if sys.argv[1:] == ["llama.cpp"]:
        import llama_cpp as lc

        run, cases, name = (lambda c, x: run_llama(lc, c, x)), llama_cases(), "llama_cpp.txt"
    elif sys.argv[1:] == ["transformers"]:
        run, cases, name = run_transformers, transformers_cases(), "transformers.txt"
    else:
        sys.exit(__doc__)
    texts = [(c.name, stable(run, c)) for c in cases]
    unstable = [n for n, t in texts if t is None]
    if unstable:
        print("thrown away:", " ".join(unstable))
    with open(os.path.join(HERE, name), "w") as f:
        f.write("".join(t for _, t in texts if t))
    print(f"{name}: {sum(t is not None for _, t in texts)} cases")


if __name__ == "__main__":
    main()
