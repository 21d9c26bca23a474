"""Makes imatrix.text and MODEL.imatrix.gguf: squared activations by transformers, for tiny models of ../models.

    python tests/golden/quant/make_imatrix.py     (torch 2.8, transformers 4.57.1, tokenizers, gguf 0.19.0)

The text is cut into chunks of CHUNK tokens, each its own sequence; what the linear layers of the decoder are given is
squared and summed by column in f64. Eager attention, f32.
"""
import os

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 24
TEXT = "the cat sat on the mat and the rat ran at the bat; a fat hat is that of a sad man who had a plan. " * 2
NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "qkv_proj": "attn_qkv", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "gate_up_proj": "ffn_up", "down_proj": "ffn_down",
}

with open(os.path.join(HERE, "imatrix.text"), "w") as f:
    f.write(TEXT)
for name in ("llama32", "phi3", "gemma2"):
    folder = os.path.join(HERE, "..", "models", name)
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()
    sums, counts = {}, {}

    def watch(key):
        def hook(module, inputs):
            x = inputs[0].reshape(-1, inputs[0].shape[-1]).double()
            sums[key] = sums.get(key, 0) + (x * x).sum(0).numpy()
            counts[key] = counts.get(key, 0) + x.shape[0]
        return hook

    for path, module in model.named_modules():
        parts = path.split(".")
        if parts[-1] in NAMES:
            key = f"blk.{parts[parts.index('layers') + 1]}.{NAMES[parts[-1]]}.weight"
            module.register_forward_pre_hook(watch(key))
    ids = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")).encode(TEXT, add_special_tokens=False).ids
    with torch.no_grad():
        for at in range(0, len(ids), CHUNK):
            model(torch.tensor([ids[at:at + CHUNK]]), use_cache=False)
    w = gguf.GGUFWriter(os.path.join(HERE, name + ".imatrix.gguf"), "")
    w.kv_data[0].clear()  # an importance matrix names no architecture
    w.add_type("imatrix")
    w.add_array("imatrix.datasets", ["imatrix.text"])
    w.add_uint32("imatrix.chunk_count", (len(ids) + CHUNK - 1) // CHUNK)
    w.add_uint32("imatrix.chunk_size", CHUNK)
    for key in sorted(sums):
        w.add_tensor(key + ".in_sum2", sums[key].astype(np.float32).reshape(1, -1))
        w.add_tensor(key + ".counts", np.full((1, 1), counts[key], np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(name, len(sums), "matrices,", len(ids), "tokens")
