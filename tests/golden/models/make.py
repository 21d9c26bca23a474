#!/usr/bin/env python3
"""
Makes the tiny random models of specs.py and the logits that transformers gives for them.

    /opt/pv/bin/python make.py [NAME ...]        (all by default; versions: requirements.txt)

For each model: NAME/ is a Hugging Face folder (config.json, safetensors, a tiny tokenizer),
v5/NAME.json its config in the form that transformers 5 saves, and NAME.expect the token sequences
with the f32 logits of transformers' eager attention, in the format that
tests/golden/support/fixture.h draws. The weights depend on the names of model and tensor
alone; the logits were computed from the written files, so a rerun elsewhere gives the same weights
and logits equal to f32 rounding.

Three things are proven before anything is kept: the reference agrees with the same forward in f64
far better than the test's bound; its greedy choices are clear (GREEDY_GAP); every flip of the spec
moves the logits by its `least`, a hundred times the bound unless it says less. The table of the
last run is in sensitivity.txt.
"""

import copy
import json
import math
import os
import shutil
import struct
import sys
import zlib

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    DynamicCache,
    Gemma3ForConditionalGeneration,
)

from specs import SPECS, Run, text_model

HERE = os.path.dirname(os.path.abspath(__file__))
BOUND = 1e-4  # of the C test, relative to the largest logit
REFERENCE_ERROR = 1.5e-5  # most that f32 and f64 forward may differ, same measure
GREEDY_GAP = 1e-3  # least distance of the two best logits, same measure
N_PROMPT, N_GREEDY = 12, 24
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def rng(*names):
    return np.random.Generator(np.random.PCG64(zlib.crc32("/".join(map(str, names)).encode())))


# ---- writing the folder


def empty_model(config):
    cls = AutoModelForCausalLM
    if config.model_type == "gemma3":
        with torch.device("meta"):
            return Gemma3ForConditionalGeneration(config)
    with torch.device("meta"):
        return cls.from_config(config)


def file_name(name, config):
    """Parameter name in the module to name in published files."""
    if config.model_type == "gemma3":
        if name.startswith("model.language_model."):
            return name.replace("model.language_model.", "language_model.model.", 1)
        return name.removeprefix("model.")
    return name


def random_tensor(spec, name, shape):
    g = rng(spec.name, name)
    x = g.standard_normal(shape)
    if "norm" in name:
        centre = 0.0 if spec.config["model_type"].startswith("gemma") else 1.0
        x = centre + 0.3 * x
    elif name.endswith(".bias"):
        x = 0.7 * x
    elif "embed_tokens" in name:
        x = spec.embed_std * x
        if spec.config["model_type"].startswith("gemma"):
            x = x / math.sqrt(shape[1])  # the model multiplies by it
    else:
        x = x * spec.gain / math.sqrt(shape[-1])
    return torch.from_numpy(x.astype(np.float32)).to(DTYPES[spec.dtype])


def tiny_tokenizer(vocab_size, family):
    """Byte-level BPE over printable ASCII: control tokens, characters, merges to fill up."""
    control = ["<unk>", "<s>", "</s>"]
    if family == "phi3":
        control.append("<|endoftext|>")  # llama.cpp does not open a Phi-3 without it
    vocab = {t: i for i, t in enumerate(control)}
    rare = "~}|{`^_]\\[@>=<+*&%$#"  # left out first where the vocabulary is too small for all
    printable = [c for c in map(chr, range(33, 127)) if c not in rare]
    for c in ["\u0120", "\u010a", *printable, *reversed(rare)]:
        if len(vocab) < vocab_size - 12:
            vocab[c] = len(vocab)
    merges = []
    for a, b in [
        ("\u0120", "t"), ("h", "e"), ("i", "n"), ("\u0120", "a"), ("r", "e"), ("o", "n"),
        ("\u0120t", "he"), ("e", "r"), ("a", "t"), ("\u0120", "s"), ("e", "n"), ("o", "u"),
        ("\u0120", "w"), ("i", "s"), ("in", "g"), ("\u0120", "o"), ("e", "s"), ("\u0120", "b"),
        ("\u0120", "c"), ("o", "r"), ("a", "n"), ("an", "d"), ("\u0120", "f"), ("l", "l"),
        ("\u0120", "p"), ("i", "t"), ("a", "l"), ("e", "d"), ("a", "r"),
    ]:  # fmt: skip
        if len(vocab) == vocab_size:
            break
        vocab[a + b] = len(vocab)
        merges.append((a, b))
    assert len(vocab) == vocab_size, len(vocab)
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens(control)
    return tok


def write_folder(spec, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(spec.config, f, indent=1, sort_keys=True)
        f.write("\n")
    os.makedirs(os.path.join(HERE, "v5"), exist_ok=True)
    with open(os.path.join(HERE, "v5", spec.name + ".json"), "w") as f:
        json.dump(version_5(spec.config), f, indent=1, sort_keys=True)
        f.write("\n")
    config = AutoConfig.from_pretrained(folder)
    model = empty_model(config)
    tied = config.get_text_config().tie_word_embeddings
    tensors = {}
    for name, p in model.named_parameters():
        if tied and name == "lm_head.weight":
            continue
        tensors[file_name(name, config)] = random_tensor(spec, name, tuple(p.shape))
    for name, shape in spec.extra.items():
        tensors[name] = torch.ones(shape, dtype=DTYPES[spec.dtype])
    metadata = {"format": "pt"}
    if spec.shards == 1:
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata)
    else:
        names = list(tensors)
        index, total = {}, 0
        for i in range(spec.shards):
            part = names[i * len(names) // spec.shards : (i + 1) * len(names) // spec.shards]
            file = f"model-{i + 1:05d}-of-{spec.shards:05d}.safetensors"
            save_file({n: tensors[n] for n in part}, os.path.join(folder, file), metadata)
            index.update({n: file for n in part})
            total += sum(tensors[n].numel() * tensors[n].element_size() for n in part)
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
            json.dump({"metadata": {"total_size": total}, "weight_map": index}, f, indent=1, sort_keys=True)
            f.write("\n")
    if spec.tokenizer:
        tokenizer = tiny_tokenizer(config.get_text_config().vocab_size, config.model_type)
        tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
            json.dump(
                {
                    "bos_token": "<s>",
                    "clean_up_tokenization_spaces": False,
                    "eos_token": "</s>",
                    "model_max_length": 512,
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "unk_token": "<unk>",
                },
                f,
                indent=1,
            )
            f.write("\n")
    for file in os.listdir(folder):
        os.chmod(os.path.join(folder, file), 0o644)


def version_5(config):
    """The same config.json as transformers 5 saves it: rope_parameters holds what rope_theta,
    rope_scaling and partial_rotary_factor said, for Gemma 3 by kind of layer; dtype; layer_types."""
    out = copy.deepcopy(config)
    text = out.get("text_config", out)
    kind = text["model_type"]
    rope = dict(text.pop("rope_scaling", None) or {})
    rope["rope_type"] = rope.pop("type", rope.get("rope_type", "default"))
    default = 1000000.0 if kind == "gemma3_text" else 10000.0
    rope["rope_theta"] = text.pop("rope_theta", default)
    if "partial_rotary_factor" in text:
        rope["partial_rotary_factor"] = text.pop("partial_rotary_factor")
    n = text["num_hidden_layers"]
    if kind == "gemma3_text":
        local = text.pop("rope_local_base_freq", 10000.0)
        rope = {
            "full_attention": rope,
            "sliding_attention": {"rope_theta": local, "rope_type": "default"},
        }
        text.pop("sliding_window_pattern", None)
        text["layer_types"] = ["full_attention" if i % 6 == 5 else "sliding_attention" for i in range(n)]
    if kind == "gemma2":
        text["layer_types"] = [("sliding_attention", "full_attention")[i % 2] for i in range(n)]
    if kind in ("qwen2", "qwen3"):
        text["layer_types"] = ["full_attention"] * n
        text["sliding_window"] = None
    text["rope_parameters"] = rope
    out["dtype"] = out.pop("torch_dtype")
    out["transformers_version"] = "5.0.0"
    return out


# ---- the reference


def load(folder, overrides, flip_config=None, state=None):
    config = AutoConfig.from_pretrained(folder)
    raw = {}
    with open(os.path.join(folder, "config.json")) as f:
        raw = json.load(f)
    target = raw["text_config"] if "text_config" in raw else raw
    target.update(copy.deepcopy(overrides))
    if flip_config:
        target.update(copy.deepcopy(flip_config))
    config = type(config).from_dict(copy.deepcopy(raw))
    config._attn_implementation = "eager"
    cls = Gemma3ForConditionalGeneration if config.model_type == "gemma3" else AutoModelForCausalLM
    model, info = cls.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        attn_implementation="eager",
        output_loading_info=True,
    )
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    unexpected = [k for k in info["unexpected_keys"] if "rotary" not in k]
    assert not unexpected, unexpected
    assert text_model(model).config._attn_implementation == "eager"
    model.eval()
    return model


@torch.no_grad()
def forward(model, tokens, attentions=False):
    out = model(input_ids=torch.tensor([tokens]), use_cache=False, output_attentions=attentions)
    logits = out.logits[0].detach()
    return (logits, out.attentions) if attentions else logits


def round_f16(x):
    return x.half().float()


def round_q8_0(x):
    """Blocks of 32: d = max|x| / 127 rounded to f16, codes x / d rounded half to even."""
    blocks = x.reshape(-1, 32)
    d = (blocks.abs().amax(-1, keepdim=True) / 127).half().float()
    codes = torch.round(blocks / d.clamp_min(1e-30)).clamp(-127, 127)
    return (codes * d).reshape(x.shape)


class RoundedCache(DynamicCache):
    """Keys (after rope) and values as a cache of that type would give them back."""

    def __init__(self, rounding):
        super().__init__()
        self.rounding = rounding

    def update(self, key_states, value_states, layer_idx, cache_kwargs=None):
        k, v = self.rounding(key_states), self.rounding(value_states)
        return super().update(k, v, layer_idx, cache_kwargs)


@torch.no_grad()
def forward_rounded(model, tokens, rounding):
    cache = RoundedCache(rounding)
    out = model(input_ids=torch.tensor([tokens]), past_key_values=cache, use_cache=True)
    return out.logits[0].detach()


def sharpness(attentions):
    """Mean entropy of the attention rows relative to uniform over what they see; 1 is flat."""
    values = []
    for a in attentions:
        a = a[0].double()
        seen = (a > 0).sum(-1)
        entropy = -(a * torch.log(a.clamp_min(1e-300))).sum(-1)
        ok = seen > 4
        values.append((entropy[ok] / torch.log(seen[ok].double())).mean().item())
    return sum(values) / len(values)


def relative(a, b):
    """Largest difference over all positions, in units of the position's largest logit; NaN counts."""
    a, b = a.double(), b.double()
    d = (a - b).abs().amax(-1) / b.abs().amax(-1)
    return math.inf if torch.isnan(d).any() else d.max().item()


def keep_positions(n):
    """Every ninth position, the neighbours of page and window ends, and the last."""
    keep = set(range(0, n, 9)) | {n - 1} | {p for p in (1, 24, 25, 63, 64, 65, 127, 128) if p < n}
    return sorted(keep)


def greedy_run(spec, model, n_ctx):
    """A prompt whose greedy continuation is clear at every step, and does not run in circles."""
    best = None
    vocab = model.config.get_text_config().vocab_size
    for attempt in range(40):
        g = rng(spec.name, "greedy", attempt)
        tokens = [int(t) for t in g.integers(0, vocab, N_PROMPT)]
        gap = math.inf
        for _ in range(N_GREEDY):
            row = forward(model, tokens)[-1].double()
            top = torch.topk(row, 2)
            gap = min(gap, ((top.values[0] - top.values[1]) / row.abs().max()).item())
            tokens.append(int(top.indices[0]))
        kinds = len(set(tokens[N_PROMPT:]))
        if gap > GREEDY_GAP and (best is None or kinds > best[0]):
            best = (kinds, tokens, gap)
        if best and best[0] >= N_GREEDY // 2:
            break
    assert best, f"{spec.name}: no prompt with clear greedy choices"
    return best


def pack_run(name, n_ctx, tokens, keep, logits, n_prompt=0, gap=0.0, kv=0):
    sizes = (n_ctx, len(tokens), n_prompt, len(keep), logits.shape[1], kv)
    head = struct.pack("<16s6If", name.encode(), *sizes, gap)
    return b"".join(
        [
            head,
            np.asarray(tokens, "<i4").tobytes(),
            np.asarray(keep, "<i4").tobytes(),
            logits[keep].numpy().astype("<f4").tobytes(),
        ]
    )


def make(spec, report):
    folder = os.path.join(HERE, spec.name)
    write_folder(spec, folder)
    model = load(folder, spec.load)
    vocab = model.config.get_text_config().vocab_size
    params = sum(p.numel() for p in text_model(model).parameters())
    runs, packed, flat, worst = [], [], [], 0.0
    for run in spec.runs:
        tokens = [int(t) for t in rng(spec.name, run.name).integers(0, vocab, run.n_tokens)]
        logits, attentions = forward(model, tokens, attentions=True)
        flat.append(sharpness(attentions))
        assert torch.isfinite(logits).all()
        runs.append((run, tokens, logits))
        packed.append(pack_run(run.name, run.n_ctx, tokens, keep_positions(run.n_tokens), logits))
    n_ctx = spec.runs[0].n_ctx
    kinds, tokens, gap = greedy_run(spec, model, n_ctx)
    logits = forward(model, tokens)
    assert all(int(logits[i].argmax()) == tokens[i + 1] for i in range(N_PROMPT - 1, len(tokens) - 1))
    keep = [N_PROMPT - 1, len(tokens) - 1]
    packed.append(pack_run("greedy", n_ctx, tokens, keep, logits, N_PROMPT, gap))

    run, tokens, logits = runs[-1]
    assert relative(forward_rounded(model, tokens, lambda x: x), logits) < REFERENCE_ERROR
    head_dim = text_model(model).layers[0].self_attn.head_dim
    keep = sorted({*range(5, run.n_tokens, 16), run.n_tokens - 1})
    rounded = []
    for name, kv, rounding in (("kv f16", 1, round_f16), ("kv q8_0", 8, round_q8_0)):
        if kv == 8 and head_dim % 32:
            continue
        other = forward_rounded(model, tokens, rounding)
        packed.append(pack_run(name, run.n_ctx, tokens, keep, other, kv=kv))
        rounded.append(f"{name} {relative(other, logits):.1e}")
    with open(os.path.join(HERE, spec.name + ".expect"), "wb") as f:
        f.write(b"pithgold" + struct.pack("<2I", 1, len(packed)) + b"".join(packed))

    exact = copy.deepcopy(model).double()
    for run, tokens, logits in runs:
        worst = max(worst, relative(forward(exact, tokens), logits))
    spread = torch.cat([r[2] for r in runs]).std().item()
    report.append(
        f"{spec.name}: {params} parameters, {spec.dtype}; logits std {spread:.2f}, attention entropy "
        f"{min(flat):.2f} of uniform, f32 against f64 {worst:.1e}, greedy gap {gap:.1e} ({kinds} tokens), "
        f"{', '.join(rounded)}"
    )
    failures = []
    if not worst <= REFERENCE_ERROR:
        failures.append(f"{spec.name}: reference differs from f64 by {worst:.1e}")
    for flip in spec.flips:
        other = load(folder, spec.load, flip.config)
        if flip.hook:
            flip.hook(other)
        moved = max(relative(forward(other, tokens), logits) for _, tokens, logits in runs)
        report.append(f"    {flip.name:32} {moved:9.1e}  ({moved / BOUND:.0f} times the bound)")
        if not moved >= flip.least:
            failures.append(f"{spec.name}: '{flip.name}' moves the logits by {moved:.1e} only")
    return failures


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names = sys.argv[1:]
    unknown = set(names) - {s.name for s in SPECS}
    if unknown:
        sys.exit(f"no such model: {', '.join(sorted(unknown))}")
    report, failures = [], []
    for spec in SPECS:
        if names and spec.name not in names:
            continue
        start = len(report)
        failures += make(spec, report)
        print("\n".join(report[start:]), flush=True)
    if not names:
        with open(os.path.join(HERE, "sensitivity.txt"), "w") as f:
            f.write("\n".join(report) + "\n")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
