"""Reads GGUF files that pith wrote with the gguf package (0.19.0) and holds every tensor against the folder it was made
from, by transformers' and llama.cpp's conventions: q and k of LLaMA-like models permuted to pairs, Gemma's norms plus one.

    /opt/pv/bin/python tests/golden/format/check_gguf.py MODEL_FOLDER FILE.gguf

MODEL_FOLDER is one of tests/golden/models; FILE.gguf is what `pith convert` made of it, in any type. Not part of
CI: a second reader of the format, run by hand when the writer changes. Prints one line and exits 0 when all agrees.
"""
import glob
import json
import os
import re
import sys

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

folder, path = sys.argv[1:3]
config = json.load(open(os.path.join(folder, "config.json")))
text = config.get("text_config", config)
tensors = {}
for part in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
    tensors |= {k: v.to(torch.float32).numpy() for k, v in load_file(part).items()}

reader = gguf.GGUFReader(path)
arch = str(bytes(reader.fields["general.architecture"].parts[-1]), "utf-8")
blocks = int(reader.fields[f"{arch}.block_count"].parts[-1][0])
heads = int(reader.fields[f"{arch}.attention.head_count"].parts[-1][0])
kv_heads = int(reader.fields[f"{arch}.attention.head_count_kv"].parts[-1][0])
names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], blocks)
written = {t.name: t for t in reader.tensors}


def wanted(name, value):
    if re.search(r"\.[qk]_proj\.", name) and arch in ("llama", "smollm3"):
        n = heads if "q_proj" in name else kv_heads
        value = value.reshape(n, 2, value.shape[0] // n // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
    if arch.startswith("gemma") and name.endswith("norm.weight"):
        value = value + 1
    return value


seen = 0
for name, value in tensors.items():
    if "vision" in name or "multi_modal" in name or name.endswith("inv_freq"):
        continue
    bare = name.replace("language_model.", "")
    new = names.get_name(bare, try_suffixes=(".weight", ".bias"))
    if new not in written:
        assert bare == "lm_head.weight", f"{name} ({new}) was not written"
        continue
    value = wanted(name, value)
    got = written[new]
    assert list(got.shape) == list(reversed(value.shape)), (new, got.shape, value.shape)
    data = gguf.quants.dequantize(got.data, got.tensor_type).reshape(value.shape)
    expected = value.astype(np.float32)
    if got.tensor_type == gguf.GGMLQuantizationType.F16:
        expected = expected.astype(np.float16).astype(np.float32)
    elif got.tensor_type == gguf.GGMLQuantizationType.BF16:
        expected = torch.from_numpy(expected).to(torch.bfloat16).to(torch.float32).numpy()
    assert np.array_equal(data, expected), f"{new} differs"
    seen += 1
print(f"{path}: {seen} of {len(written)} tensors as in {folder}, {len(reader.fields)} fields")
