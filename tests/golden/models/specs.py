"""
The tiny models: one row for each family and flag that pith claims to compute exactly.

Each row has a config.json as the family's makers publish it (their keys, their omissions, their
traps), with small numbers; the runs whose logits are kept; and the flips: ways to get the model
wrong that a reader of that config could fall into. make.py proves that each flip moves the logits
by far more than the test's bound, so that no mistake of that kind can pass.
"""

from dataclasses import dataclass, field
from typing import Callable, Optional

import torch


@dataclass
class Run:
    name: str
    n_tokens: int
    n_ctx: int = 512  # context that the reader must be opened for (chooses longrope's factors)


@dataclass
class Flip:
    name: str
    config: dict = field(default_factory=dict)  # keys replaced in the (text) config
    hook: Optional[Callable] = None  # or: changes the loaded model
    least: float = 1e-2  # least change of the logits, relative to the largest, in some run


@dataclass
class Spec:
    name: str
    config: dict
    dtype: str = "float16"
    runs: list = field(default_factory=lambda: [Run("main", 96)])
    flips: list = field(default_factory=list)
    tokenizer: bool = True
    shards: int = 1
    load: dict = field(default_factory=dict)  # config overrides for the reference itself
    gain: float = 1.4  # std of a matrix is gain / sqrt(columns)
    embed_std: float = 1.0
    extra: dict = field(default_factory=dict)  # tensors that readers must ignore: name -> shape


# ---- flips


def text_model(model):
    m = model.model
    return m.language_model if hasattr(m, "language_model") else m


def permute_rope(model):
    """As if element 2i turned with 2i + 1 instead of i with i + D/2."""
    cfg = text_model(model).config
    heads, kv = cfg.num_attention_heads, cfg.num_key_value_heads
    for layer in text_model(model).layers:
        a = layer.self_attn
        d = a.head_dim
        rot = int(d * (getattr(cfg, "partial_rotary_factor", None) or 1.0))
        order = torch.cat([torch.arange(0, rot, 2), torch.arange(1, rot, 2), torch.arange(rot, d)])
        rows = lambda n: (torch.arange(n)[:, None] * d + order[None, :]).reshape(-1)
        if hasattr(a, "qkv_proj"):
            n = a.qkv_proj.weight.shape[0]
            index = torch.cat([rows(heads + kv), torch.arange((heads + kv) * d, n)])
            a.qkv_proj.weight.data = a.qkv_proj.weight.data[index]
            continue
        for proj, n in ((a.q_proj, heads), (a.k_proj, kv)):
            proj.weight.data = proj.weight.data[rows(n)]
            if proj.bias is not None:
                proj.bias.data = proj.bias.data[rows(n)]
        for name in ("q_norm", "k_norm"):
            if hasattr(a, name):
                norm = getattr(a, name)
                norm.weight.data = norm.weight.data[order]


def edit(pattern, fn):
    """Applies fn to each parameter whose name ends with one of the patterns."""
    ends = (pattern,) if isinstance(pattern, str) else tuple(pattern)

    def hook(model):
        hits = 0
        for name, p in model.named_parameters():
            if name.endswith(ends):
                p.data = fn(p.data)
                hits += 1
        assert hits, pattern

    return hook


def swap_fused(end, parts):
    """Exchanges the two first parts of a fused matrix (rows in units given)."""

    def fn(w):
        a, b = parts
        return torch.cat([w[b : a + b], w[:b], w[a + b :]]) if a == b else w.flip(0)

    return edit(end, fn)


def zero(pattern):
    return edit(pattern, torch.zeros_like)


def no_embed_scale(model):
    t = text_model(model)
    if hasattr(t.embed_tokens, "embed_scale"):
        t.embed_tokens.embed_scale.fill_(1.0)
    else:
        c = t.config.hidden_size
        t.embed_tokens.register_forward_hook(lambda m, i, o: o / c**0.5)


def rope_mscale_one(model):
    text_model(model).rotary_emb.attention_scaling = 1.0


def swap_factors(model):
    """longrope: the short set where the long one belongs, and the other way round."""
    r = text_model(model).rotary_emb
    s = dict(r.config.rope_scaling)
    s["short_factor"], s["long_factor"] = s["long_factor"], s["short_factor"]
    r.config.rope_scaling = s
    r.inv_freq, _ = r.rope_init_fn(r.config, None)
    r.original_inv_freq = r.inv_freq


def local_gets_scaling(model):
    t = text_model(model)
    t.rotary_emb_local.inv_freq = t.rotary_emb_local.inv_freq / t.config.rope_scaling["factor"]


def plus_one(d):
    return d + 1


def minus_one(d):
    return d - 1


ROPE = Flip("rope in pairs", hook=permute_rope)
NORMS = Flip("norms of ones", hook=edit(("norm.weight", "layernorm.weight"), torch.ones_like))
TIED = Flip(
    "head is not the embedding",
    hook=lambda m: setattr(m.lm_head, "weight", torch.nn.Parameter(m.lm_head.weight.data.roll(1, 1))),
)


def windows(w, key="sliding_window"):
    return [
        Flip("window one shorter", {key: w - 1}),
        Flip("window one longer", {key: w + 1}),
        Flip("no window", {key: 4096}),
    ]


def eps(value, least=1e-3):
    return Flip("other norm eps", {"rms_norm_eps": value}, least=least)


def theta(value):
    return Flip("other rope base", {"rope_theta": value})


# ---- configs


def llama(**kw):
    base = {
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": 96,
    }
    return {**base, **kw}


def without(d, *keys):
    return {k: v for k, v in d.items() if k not in keys}


LLAMA3_SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 64,
    "rope_type": "llama3",
}


def mistral(**kw):
    base = {
        "architectures": ["MistralForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "model_type": "mistral",
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 96,
    }
    return {**base, **kw}


def phi3(**kw):
    base = {
        "architectures": ["Phi3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_phi3.Phi3Config",
            "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM",
        },
        "bos_token_id": 1,
        "embd_pdrop": 0.0,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 80,
        "max_position_embeddings": 64,
        "model_type": "phi3",
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 4,
        "original_max_position_embeddings": 64,
        "pad_token_id": 2,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "sliding_window": 19,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 96,
    }
    return {**base, **kw}


def longrope(n, kind="longrope", lo=1.0):
    return {
        "long_factor": [round(1.1 + 0.9 * i + 0.07 * i * i, 4) for i in range(n)],
        "short_factor": [round(lo + 0.11 * i, 4) for i in range(n)],
        "type": kind,
    }


def gemma(**kw):
    base = {
        "architectures": ["GemmaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "head_dim": 32,
        "hidden_act": "gelu",
        "hidden_activation": None,
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 112,
        "max_position_embeddings": 512,
        "model_type": "gemma",
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 1,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 100,
    }
    return {**base, **kw}


def gemma2(**kw):
    base = {
        "architectures": ["Gemma2ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": 3.0,
        "bos_token_id": 2,
        "cache_implementation": "hybrid",
        "eos_token_id": 1,
        "final_logit_softcapping": 5.0,
        "head_dim": 32,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 80,
        "max_position_embeddings": 512,
        "model_type": "gemma2",
        "num_attention_heads": 2,
        "num_hidden_layers": 4,
        "num_key_value_heads": 1,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 18,
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "sliding_window": 13,
        "sliding_window_size": 13,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": 100,
    }
    return {**base, **kw}


def gemma3_text(**kw):
    base = {
        "architectures": ["Gemma3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": None,
        "bos_token_id": 2,
        "cache_implementation": "hybrid",
        "eos_token_id": [1, 106],
        "final_logit_softcapping": None,
        "head_dim": 32,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "model_type": "gemma3_text",
        "num_attention_heads": 2,
        "num_hidden_layers": 7,
        "num_key_value_heads": 1,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 24,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 100.0,
        "rope_scaling": None,
        "rope_theta": 1000000.0,
        "sliding_window": 12,
        "sliding_window_pattern": 6,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 112,
    }
    return {**base, **kw}


def gemma3_vlm():
    """As the 4b and larger ones: most keys of text_config are left to the defaults of the class."""
    return {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "boi_token_index": 90,
        "eoi_token_index": 91,
        "eos_token_id": [1, 92],
        "image_token_index": 93,
        "initializer_range": 0.02,
        "mm_tokens_per_image": 4,
        "model_type": "gemma3",
        "text_config": {
            "hidden_size": 24,
            "intermediate_size": 40,
            "model_type": "gemma3_text",
            "num_attention_heads": 1,
            "num_hidden_layers": 7,
            "num_key_value_heads": 1,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 16,
            "vocab_size": 96,
        },
        "torch_dtype": "bfloat16",
        "vision_config": {
            "hidden_size": 16,
            "image_size": 16,
            "intermediate_size": 16,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
            "patch_size": 4,
            "vision_use_head": False,
        },
    }


def qwen2(**kw):
    base = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "max_window_layers": 1,
        "model_type": "qwen2",
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 8,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_mrope": False,
        "use_sliding_window": False,
        "vocab_size": 128,
    }
    return {**base, **kw}


def qwen3(**kw):
    base = {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "head_dim": 32,
        "hidden_act": "silu",
        "hidden_size": 48,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "max_window_layers": 3,
        "model_type": "qwen3",
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": 128,
    }
    return {**base, **kw}


def smollm3(**kw):
    base = {
        "architectures": ["SmolLM3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 80,
        "layer_types": ["full_attention"] * 5,
        "max_position_embeddings": 512,
        "max_window_layers": 28,
        "mlp_bias": False,
        "model_type": "smollm3",
        "no_rope_layer_interval": 4,
        "no_rope_layers": [1, 1, 1, 0, 1],
        "num_attention_heads": 4,
        "num_hidden_layers": 5,
        "num_key_value_heads": 2,
        "pad_token_id": 2,
        "pretraining_tp": 2,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 5000000.0,
        "sliding_window": None,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": 96,
    }
    return {**base, **kw}


YARN = {"factor": 4.0, "original_max_position_embeddings": 64, "type": "yarn"}
YARN_EXPLICIT = {
    "attention_factor": 1.3,
    "beta_fast": 3.0,
    "beta_slow": 0.4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "rope_type": "yarn",
}
QKV_BIAS = ("q_proj.bias", "k_proj.bias", "v_proj.bias")
LONG = [Run("short", 60, 64), Run("long", 150, 256)]

SPECS = [
    # Old LLaMA 2 files: no num_key_value_heads, no rope_theta; rotary tables that nobody reads.
    Spec(
        "llama2",
        without(llama(num_attention_heads=2), "num_key_value_heads"),
        dtype="float32",
        extra={f"model.layers.{i}.self_attn.rotary_emb.inv_freq": [16] for i in range(2)},
        flips=[ROPE, NORMS, theta(5000.0), eps(3e-3)],
    ),
    Spec(
        "llama3",
        llama(
            rope_theta=500000.0, attention_bias=False, mlp_bias=False, vocab_size=128, rms_norm_eps=2e-2
        ),
        shards=2,
        runs=[Run("main", 150)],
        flips=[ROPE, NORMS, theta(10000.0), eps(1e-5)],
    ),
    Spec(
        "llama32",
        llama(
            rope_theta=10000.0,
            rope_scaling=LLAMA3_SCALING,
            tie_word_embeddings=True,
            head_dim=32,
            num_attention_heads=2,
            num_key_value_heads=1,
            eos_token_id=[1, 2, 3],
            vocab_size=128,
        ),
        dtype="bfloat16",
        runs=[Run("main", 160)],
        flips=[
            ROPE,
            NORMS,
            TIED,
            theta(5000.0),
            Flip("no scaling", {"rope_scaling": None}),
            Flip("linear scaling", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
            Flip("no band in between", {"rope_scaling": {**LLAMA3_SCALING, "high_freq_factor": 1.001}}),
            Flip("other original", {"rope_scaling": {**LLAMA3_SCALING, "original_max_position_embeddings": 48}}),
        ],
    ),
    Spec(
        "llama-linear",
        llama(rope_scaling={"type": "linear", "factor": 4.0}, rope_theta=10000.0),
        runs=[Run("main", 130)],
        flips=[
            ROPE,
            Flip("no scaling", {"rope_scaling": None}),
            Flip("other factor", {"rope_scaling": {"type": "linear", "factor": 3.9}}),
        ],
    ),
    Spec(
        "llama-yarn",
        llama(rope_scaling=YARN_EXPLICIT, rope_theta=10000.0, head_dim=32, num_attention_heads=2),
        runs=[Run("main", 150)],
        flips=[
            ROPE,
            Flip("no scaling", {"rope_scaling": None}),
            Flip("linear", {"rope_scaling": {"type": "linear", "factor": 4.0}}),
            Flip("default attention factor", {"rope_scaling": {**YARN_EXPLICIT, "attention_factor": None}}),
            Flip("default beta_fast", {"rope_scaling": {**YARN_EXPLICIT, "beta_fast": 32.0}}),
            Flip("default beta_slow", {"rope_scaling": {**YARN_EXPLICIT, "beta_slow": 1.0}}),
            Flip("both factors", {"rope_scaling": {**YARN_EXPLICIT, "attention_factor": 1.3 * 1.1386}}),
        ],
    ),
    # Bias on q, k, v and o of a llama (attention_bias), as some fine-tunes have it.
    Spec(
        "llama-bias",
        llama(attention_bias=True, rope_theta=10000.0),
        runs=[Run("main", 48)],
        flips=[
            ROPE,
            Flip("no q bias", hook=zero("q_proj.bias")),
            Flip("no k bias", hook=zero("k_proj.bias")),
            Flip("no v bias", hook=zero("v_proj.bias")),
            Flip("no o bias", hook=zero("o_proj.bias")),
        ],
    ),
    Spec(
        "mistral-v01",
        mistral(sliding_window=24),
        runs=[Run("main", 150)],
        flips=[ROPE, NORMS, theta(5000.0), *windows(24)],
    ),
    Spec(
        "mistral-v03",
        mistral(rope_theta=1000000.0, num_hidden_layers=2),
        dtype="bfloat16",
        flips=[ROPE, theta(10000.0), Flip("a window", {"sliding_window": 24})],
    ),
    # head_dim apart from hidden_size / heads.
    Spec(
        "mistral-nemo",
        mistral(head_dim=32, hidden_size=48, num_hidden_layers=2, rope_theta=1000000.0, vocab_size=128),
        flips=[ROPE, NORMS, theta(10000.0)],
    ),
    Spec(
        "phi3",
        phi3(),
        runs=[Run("main", 64)],
        flips=[
            ROPE,
            NORMS,
            *windows(19),
            Flip("gate and up exchanged", hook=edit("gate_up_proj.weight", lambda w: w.roll(80, 0))),
            Flip("q and k exchanged", hook=edit("qkv_proj.weight", lambda w: w[[*range(64, 128), *range(64), *range(128, 192)]])),
            Flip("q, k, v by head", hook=edit("qkv_proj.weight", lambda w: w.view(4, 3, 16, 64).transpose(0, 1).reshape(192, 64))),
        ],
    ),
    Spec(
        "phi35",
        phi3(
            max_position_embeddings=2048,
            rope_scaling=longrope(8),
            sliding_window=4096,
            intermediate_size=96,
        ),
        runs=LONG,
        flips=[
            ROPE,
            Flip("factor sets exchanged", hook=swap_factors),
            Flip("no scale on cos and sin", hook=rope_mscale_one),
            Flip("no factors", {"rope_scaling": None}),
        ],
    ),
    # Phi-4 mini: GQA, tied head, and only three quarters of each head are rotated.
    Spec(
        "phi4-mini",
        phi3(
            full_attn_mod=1,
            interpolate_factor=1,
            lm_head_bias=False,
            max_position_embeddings=1024,
            mlp_bias=False,
            num_key_value_heads=2,
            partial_rotary_factor=0.75,
            rope_scaling=longrope(6),
            sliding_window=4096,
            tie_word_embeddings=True,
        ),
        runs=LONG,
        flips=[
            ROPE,
            TIED,
            Flip("all of a head rotated", {"partial_rotary_factor": 1.0, "rope_scaling": longrope(8)}),
            Flip("factor sets exchanged", hook=swap_factors),
            Flip("no scale on cos and sin", hook=rope_mscale_one),
        ],
    ),
    Spec(
        "gemma1",
        gemma(),
        # hidden_act "gelu" of the first files meant the tanh form, as Google's own code computes.
        # transformers applied it so until 4.56 whenever hidden_activation was null; 4.57.1 takes
        # hidden_act by its letter, so the reference is told.
        load={"hidden_act": "gelu_pytorch_tanh"},
        flips=[
            ROPE,
            Flip("no norm offset", hook=edit("norm.weight", minus_one)),
            Flip("no embedding scale", hook=no_embed_scale),
            Flip("silu", {"hidden_act": "silu"}),
            Flip("erf gelu", {"hidden_act": "gelu"}, least=3e-4),
            TIED,
        ],
    ),
    Spec(
        "gemma2",
        gemma2(),
        runs=[Run("main", 100)],
        flips=[
            ROPE,
            Flip("no norm offset", hook=edit("norm.weight", minus_one)),
            Flip("no embedding scale", hook=no_embed_scale),
            Flip("no attention softcap", {"attn_logit_softcapping": None}),
            Flip("no final softcap", {"final_logit_softcapping": None}),
            Flip("scale by head_dim", {"query_pre_attn_scalar": 32}),
            Flip("other layers windowed", {"layer_types": ["full_attention", "sliding_attention"] * 2}),
            Flip("all layers windowed", {"layer_types": ["sliding_attention"] * 4}),
            *windows(13),
            Flip("no attention post norm", hook=zero("post_attention_layernorm.weight")),
            Flip("no ffn post norm", hook=zero("post_feedforward_layernorm.weight")),
            TIED,
        ],
    ),
    # Gemma 2 with the scale that GGUF readers take for granted.
    Spec(
        "gemma2-plain",
        gemma2(query_pre_attn_scalar=32, num_hidden_layers=2, attn_logit_softcapping=50.0, final_logit_softcapping=30.0),
        runs=[Run("main", 48)],
        flips=[ROPE, *windows(13)],
    ),
    Spec(
        "gemma3",
        gemma3_text(),
        dtype="bfloat16",
        runs=[Run("main", 100)],
        flips=[
            ROPE,
            Flip("no norm offset", hook=edit("norm.weight", minus_one)),
            Flip("no embedding scale", hook=no_embed_scale),
            Flip("no q norm weight", hook=zero("q_norm.weight")),
            Flip("no k norm weight", hook=zero("k_norm.weight")),
            Flip("scale by head_dim", {"query_pre_attn_scalar": 32}),
            Flip("pattern of 7", {"layer_types": ["sliding_attention"] * 6 + ["full_attention"]}),
            Flip("local base everywhere", {"rope_theta": 100.0}),
            Flip("global base everywhere", {"rope_local_base_freq": 1000000.0}),
            *windows(12),
            TIED,
        ],
    ),
    # Two bases and linear scaling on the global layers only; the files of the image models.
    Spec(
        "gemma3-vlm",
        gemma3_vlm(),
        runs=[Run("main", 130)],
        flips=[
            ROPE,
            Flip("no scaling", {"rope_scaling": None}),
            Flip("scaling on local layers too", hook=local_gets_scaling),
            Flip("other global base", {"rope_theta": 10000.0}),
            Flip("other local base", {"rope_local_base_freq": 1000000.0}),
            Flip("scale of other size", {"query_pre_attn_scalar": 32}),
            *windows(16),
        ],
    ),
    # A window stands in the config and is switched off.
    Spec(
        "qwen2",
        qwen2(),
        dtype="bfloat16",
        flips=[
            ROPE,
            NORMS,
            TIED,
            theta(10000.0),
            Flip("no q bias", hook=zero("q_proj.bias")),
            Flip("no k bias", hook=zero("k_proj.bias")),
            Flip("no v bias", hook=zero("v_proj.bias")),
            Flip("the window taken at its word", {"use_sliding_window": True}),
        ],
    ),
    Spec(
        "qwen25",
        qwen2(tie_word_embeddings=False, num_attention_heads=6, hidden_size=96, intermediate_size=64, num_hidden_layers=2),
        flips=[ROPE, Flip("no biases", hook=zero(QKV_BIAS))],
    ),
    Spec(
        "qwen25-yarn",
        qwen2(rope_scaling=YARN, rope_theta=10000.0, head_dim=32, num_attention_heads=2, num_key_value_heads=1),
        runs=[Run("main", 150)],
        flips=[
            ROPE,
            Flip("no scaling", {"rope_scaling": None}),
            Flip("linear", {"rope_scaling": {"type": "linear", "factor": 4.0}}),
            Flip("no scale on cos and sin", hook=rope_mscale_one),
            Flip("other original", {"rope_scaling": {**YARN, "original_max_position_embeddings": 128}}),
        ],
    ),
    Spec(
        "qwen3",
        qwen3(),
        flips=[
            ROPE,
            TIED,
            theta(10000.0),
            Flip("no q norm weight", hook=edit("q_norm.weight", torch.ones_like)),
            Flip("no k norm weight", hook=edit("k_norm.weight", torch.ones_like)),
        ],
    ),
    Spec(
        "qwen3-untied",
        qwen3(tie_word_embeddings=False, rms_norm_eps=1e-2, hidden_size=64, head_dim=16),
        runs=[Run("main", 70)],
        flips=[ROPE, eps(1e-6)],
    ),
    Spec(
        "smollm2",
        llama(
            tie_word_embeddings=True,
            rope_interleaved=False,
            rope_theta=100000,
            num_attention_heads=3,
            num_key_value_heads=1,
            hidden_size=48,
            is_llama_config=True,
            vocab_size=128,
        ),
        flips=[ROPE, TIED, theta(10000.0)],
    ),
    Spec(
        "smollm3",
        smollm3(),
        flips=[
            ROPE,
            TIED,
            Flip("rope everywhere", {"no_rope_layers": [1] * 5}),
            Flip("the next layer without rope", {"no_rope_layers": [1, 1, 1, 1, 0]}),
            Flip("flags read the other way", {"no_rope_layers": [0, 0, 0, 1, 0]}),
        ],
    ),
    # Rows of 256, as K-quants need them; heads of 32, as a q8_0 cache needs them.
    Spec(
        "wide",
        llama(
            hidden_size=256,
            intermediate_size=256,
            num_attention_heads=8,
            num_key_value_heads=4,
            num_hidden_layers=1,
            rope_theta=10000.0,
            vocab_size=96,
        ),
        runs=[Run("main", 72)],
        flips=[ROPE, NORMS],
    ),
]
