#!/usr/bin/env python3
"""
Adapters written by pith, in the hands of PEFT and of llama.cpp.

    PITH=build/pith /opt/pv/bin/python check_written.py     (versions: requirements.txt)

Every adapter of expect.txt and peft.txt is written anew by `pith adapter convert`: as a PEFT folder,
which PEFT loads without a warning of missing or unexpected keys and whose logits (f32) must be those
of the fixture; and those that llama.cpp computes right (WITH_LLAMA) as a GGUF file, whose logits by
llama.cpp (llama-cpp-python, in LLAMA_PYTHON) go to written.txt, whose lines are those of expect.txt.
DoRA in GGUF form must be refused by llama.cpp. test_adapters.c holds pith against written.txt.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "models")
PITH = os.environ.get("PITH", "pith")
LLAMA_PYTHON = os.environ.get("LLAMA_PYTHON", "/opt/llama/bin/python")
os.environ["HF_HUB_OFFLINE"] = "1"

# llama.cpp has no windows for phi3 and another scale of q.k for these gemmas: ../models/check_llama_cpp.py
WITH_LLAMA = ["llama32", "qwen2"]
PEFT_BOUND, LLAMA_BOUND = 1e-5, 1e-3


def cases():
    for file in ("expect.txt", "peft.txt"):
        out = []
        for line in open(os.path.join(HERE, file)):
            key, rest = line.rstrip("\n").split(" ", 1)
            if key == "case":
                out.append({"model": rest, "use": [], "logits": []})
            elif key == "use":
                out[-1]["use"].append(rest.rsplit(" ", 1))
            elif key == "tokens":
                out[-1]["tokens"] = [int(x) for x in rest.split()]
            else:
                out[-1]["logits"].append([float(x) for x in rest.split()[1:]])
        yield from (c for c in out if len(c["use"]) == 1 and c["use"][0][1] == "1")


def pith(*args):
    subprocess.run([PITH, *args], check=True, stdout=subprocess.DEVNULL)


def distance(rows, reference):
    rows, reference = np.asarray(rows, np.float64), np.asarray(reference, np.float64)
    return (np.abs(rows - reference).max(-1) / np.abs(reference).max(-1)).max()


def with_peft(model_name, folder, tokens, keep):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    path = os.path.join(MODELS, model_name)
    base = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, folder).eval()
    for w in heard:
        assert "missing" not in str(w.message) and "nexpected" not in str(w.message), w.message
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0][-keep:].numpy()


def with_llama(job):
    """In LLAMA_PYTHON: the logits of the last rows, or null where the adapter does not load."""
    import llama_cpp as lc

    sys.path.insert(0, MODELS)
    quiet = lc.llama_log_callback(lambda level, text, user: None)
    lc.llama_log_set(quiet, None)
    lc.llama_backend_init()
    params = lc.llama_model_default_params()
    params.n_gpu_layers = 0
    model = lc.llama_model_load_from_file(job["model"].encode(), params)
    adapter = lc.llama_adapter_lora_init(model, job["adapter"].encode())
    if not adapter:
        print("null")
        return
    tokens = job["tokens"]
    params = lc.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = 64, len(tokens), len(tokens)
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = 0
    params.flash_attn_type = 0
    ctx = lc.llama_init_from_model(model, params)
    import ctypes

    adapters = (type(adapter) * 1)(adapter)
    assert lc.llama_set_adapters_lora(ctx, adapters, 1, (ctypes.c_float * 1)(1.0)) == 0
    batch = lc.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, t in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = t, i, 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = 1
    assert lc.llama_decode(ctx, batch) == 0
    vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(model))
    first = len(tokens) - job["keep"]
    rows = [np.ctypeslib.as_array(lc.llama_get_logits_ith(ctx, i), (vocab,)).tolist() for i in range(first, len(tokens))]
    print(json.dumps(rows))


def ask_llama(job):
    done = subprocess.run([LLAMA_PYTHON, __file__, json.dumps(job)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    if len(sys.argv) == 2:
        return with_llama(json.loads(sys.argv[1]))
    out = []
    with tempfile.TemporaryDirectory() as tmp:
        for i, c in enumerate(cases()):
            name, keep = c["model"], len(c["logits"])
            source, base = os.path.join(HERE, c["use"][0][0]), os.path.join(MODELS, name)
            folder, file = os.path.join(tmp, f"{i}"), os.path.join(tmp, f"{i}.gguf")
            pith("adapter", "convert", source, folder, "--to", "peft", "--model", base)
            error = distance(with_peft(name, folder, c["tokens"], keep), c["logits"])
            print(f"{c['use'][0][0]:28} PEFT {error:.1e}", end="", flush=True)
            assert error <= PEFT_BOUND
            config = json.load(open(os.path.join(folder, "adapter_config.json")))
            if name not in WITH_LLAMA:
                print()
                continue
            model = os.path.join(tmp, name + ".gguf")
            if not os.path.exists(model):
                pith("convert", base, model, "--type", "f32")
            pith("adapter", "convert", source, file, "--to", "gguf", "--model", base)
            rows = ask_llama({"model": model, "adapter": file, "tokens": c["tokens"], "keep": keep})
            if config["use_dora"]:
                assert rows is None, "llama.cpp takes DoRA for LoRA"
                print("  llama.cpp refuses it")
                continue
            error = distance(rows, c["logits"])
            print(f"  llama.cpp {error:.1e}")
            assert error <= LLAMA_BOUND
            out.append(f"case {name}\nuse {c['use'][0][0]} 1\ntokens " + " ".join(map(str, c["tokens"])) + "\n")
            for k, row in enumerate(rows):
                out.append(f"logits {len(c['tokens']) - keep + k} " + " ".join(f"{x:.9g}" for x in row) + "\n")
    with open(os.path.join(HERE, "written.txt"), "w") as f:
        f.write("".join(out))


main()
