#!/usr/bin/env python3
"""
Shows GGUF files written by pith to llama.cpp: does it open them, and do its logits agree with the
fixtures? An acceptance check for `pith convert`, run by hand; not part of CI.

    for e in tests/golden/models/*.expect; do m=${e%.expect}
        pith convert --type=f32 $m /tmp/gg/$(basename $m).gguf; done
    /opt/llama/bin/python check_llama_cpp.py /tmp/gg

Needs llama-cpp-python (0.3.36 when last run). The cache is f32 and flash attention off, so that
only summation order differs; BOUND is wider than pith's, since llama.cpp takes cos, sin and exp
from approximations (its GELU is a table of f16: 8e-4). EXPECTED lists the models that llama.cpp
cannot get right, with the reason; each was confirmed by giving transformers the same misreading,
which then agrees to 1e-5 (Gemma: 8e-4). One that turns out right after all is a failure too, so
that the list stays true.
"""

import os
import struct
import sys

import numpy as np

import llama_cpp as lc

HERE = os.path.dirname(os.path.abspath(__file__))
BOUND = 1e-3
BOTH = ("main", "greedy")
EXPECTED = {
    "gemma2": dict.fromkeys(BOTH, "takes 1/sqrt(head_dim) for the scale of q.k; there is no key for it"),
    "gemma3": dict.fromkeys(BOTH, "takes 1/sqrt(head_dim) for the scale of q.k; there is no key for it"),
    "llama-yarn": dict.fromkeys(BOTH, "does not read yarn_beta_fast and yarn_beta_slow for llama"),
    "mistral-v01": dict.fromkeys(BOTH, "has no sliding window for the architecture llama"),
    "phi3": dict.fromkeys(BOTH, "switches phi3's sliding window off"),
    "phi35": dict.fromkeys(("short", "greedy"), "rounds the context up to 256, past the short factors"),
    "phi4-mini": dict.fromkeys(("short", "greedy"), "rounds the context up to 256, past the short factors"),
}


def read_fixture(path):
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"pithgold"
    version, n_runs = struct.unpack_from("<2I", data, 8)
    assert version == 1
    at, runs = 16, []
    for _ in range(n_runs):
        name, *sizes, _gap = struct.unpack_from("<16s6If", data, at)
        n_ctx, n_tokens, n_prompt, n_keep, n_vocab, kv = sizes
        at += 44
        tokens = np.frombuffer(data, "<i4", n_tokens, at)
        at += 4 * n_tokens
        keep = np.frombuffer(data, "<i4", n_keep, at)
        at += 4 * n_keep
        logits = np.frombuffer(data, "<f4", n_keep * n_vocab, at).reshape(n_keep, n_vocab)
        at += 4 * n_keep * n_vocab
        runs.append((name.rstrip(b"\0").decode(), n_ctx, kv, tokens, keep, logits))
    assert at == len(data)
    return runs


def logits_of(model, n_ctx, tokens, kv):
    params = lc.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = len(tokens)
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = kv
    if hasattr(params, "flash_attn_type"):
        params.flash_attn_type = 0
    params.swa_full = True
    params.yarn_beta_fast = params.yarn_beta_slow = -1.0  # as the file says
    ctx = lc.llama_init_from_model(model, params)
    if not ctx:
        raise RuntimeError("no context")
    n = len(tokens)
    batch = lc.llama_batch_init(n, 0, 1)
    batch.n_tokens = n
    for i, t in enumerate(tokens):
        batch.token[i] = int(t)
        batch.pos[i] = i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = 1
    status = lc.llama_decode(ctx, batch)
    if status:
        raise RuntimeError(f"llama_decode: {status}")
    vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(model))
    rows = np.stack([np.ctypeslib.as_array(lc.llama_get_logits_ith(ctx, i), (vocab,)).copy() for i in range(n)])
    lc.llama_batch_free(batch)
    lc.llama_free(ctx)
    return rows


def main():
    folder = sys.argv[1]
    quiet = lc.llama_log_callback(lambda level, text, user: None)
    if not os.environ.get("LLAMA_LOG"):
        lc.llama_log_set(quiet, None)
    lc.llama_backend_init()
    failures = 0
    for name in sorted(n[:-7] for n in os.listdir(HERE) if n.endswith(".expect")):
        path = os.path.join(folder, name + ".gguf")
        params = lc.llama_model_default_params()
        params.n_gpu_layers = 0
        model = lc.llama_model_load_from_file(path.encode(), params) if os.path.exists(path) else None
        if not model:
            print(f"{name:14} does not load", flush=True)
            failures += 1
            continue
        for run, n_ctx, kv, tokens, keep, reference in read_fixture(os.path.join(HERE, name + ".expect")):
            if kv != 0:
                continue
            try:
                rows = logits_of(model, n_ctx, tokens, kv)[keep]
                difference = np.abs(rows.astype(np.float64) - reference)
                error = (difference.max(-1) / np.abs(reference).max(-1)).max()
            except RuntimeError as e:
                print(f"{name:14} {run:8} {e}")
                error = np.inf
            good = error <= BOUND
            why = EXPECTED.get(name, {}).get(run)
            verdict = "ok" if good else f"differs: {why}" if why else "WRONG"
            if good and why:
                verdict = "ok, though EXPECTED says otherwise"
            failures += good == bool(why)
            print(f"{name:14} {run:8} {error:9.1e}  {verdict}", flush=True)
        lc.llama_model_free(model)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
