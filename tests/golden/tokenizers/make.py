#!/usr/bin/env python3
"""Fixtures of the tokenizer tests, made with the programs that define tokenizers.

Run from anywhere: python tests/golden/tokenizers/make.py SHARED
SHARED is the shared folder (tokenizers/*/tokenizer.json.xz, data/books/tinyshakespeare.txt).
Versions are pinned below; another one may know another Unicode.

Writes beside itself:
  texts.jsonl      texts to try, one JSON string a line
  NAME.jsonl       for each shared vocabulary and each text, in order:
                   {"plain": ids, "special": ids, "both": ids, "decoded": text}
                   plain: special tokens in the text are text; special: they are read as such (left
                   out when the same as plain); both: as special, with what goes around a text (left
                   out when the same); decoded: of plain, left out when it is the text;
                   {"skip": true} where the reference lets special tokens into plain text
  mini/NAME/       small tokenizers made here, with the same lines in expected.jsonl
  cuts.jsonl       {"op", "pattern", "behavior", "invert", "flag", "text", "pieces"}
  norms.jsonl      {"steps": [{"op", "flag", "a", "b"}], "text", "out"}
"""
import json
import lzma
import os
import random
import sys
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

assert tokenizers.__version__ == "0.22.2", tokenizers.__version__
assert sentencepiece.__version__ == "0.2.3", sentencepiece.__version__
assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = sys.argv[1]
BOOK = open(os.path.join(SHARED, "data/books/tinyshakespeare.txt"), encoding="utf-8").read()


def write_lines(path, rows):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n")


# ---------------------------------------------------------------- texts

CODE = [
    "def f(x):\n    return x ** 2  # square\n\n\nprint(f(3))\n",
    "int main(void)\n{\n\tfor (int i = 0; i < 10; i++) {\n\t\tprintf(\"%d\\n\", i);\n\t}\n\treturn 0;\n}\n",
    "SELECT * FROM t WHERE a='it''s' AND b>=3.14e-10;",
    "<div class=\"x\"><p>Hello &amp; bye</p><!-- c --></div>\r\n",
    "{\"key\": [1, 2.5, null, true], \"s\": \"a\\u00e9\\n\"}",
    "$ ls -la | grep '^d' && echo \"done\" > /dev/null 2>&1",
    "https://example.com/a/b?c=d&e=f%20g#h  user@example.org",
    "C:\\Users\\me\\file.txt  ../../etc/passwd  ~/x",
    "camelCase PascalCase snake_case kebab-case SCREAMING_CASE HTTPServer iPhone",
    "x=1;y=-2;z=+3;a[b]=c->d;e::f<g>();!h&&i||j?k:l;",
]
PLAIN = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\t\n ", " \n\n\n ", "a", " a", "a ", "Hello", "Hello world", " Hello  world ",
    "Hello, y'all! How are you?", "I'm you're he's we'd they'll I've DON'T can'T o'clock 'tis",
    "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'VE 'M 'LL 'D '\u017f \u2019s", "HELLO hello HeLLo", "The quick brown fox.",
    "1", "12", "123", "1234", "12345678901234567890", "3.14159", "1,000,000", "2024-11-22T17:42:00Z", "0x1F 0b11 1e-5",
    "\u0661\u0662\u0663 \u0967\u0968\u0969 \u00bd \u00b2 \u2167 \u2460 \uff11\uff12", "!!!", "...", "?!?!", "\u2014\u2013-_\u2026", "``''\"\"",
    "a\u00a0b\u2003c\u3000d\u200be\u2028f\u2029g\u0085h\u180ei\ufeffj", "\u0000", "a\u0000b", "\u0001\u0002\u001f\u007f\u0080\u009f", "\ufffd\ufffe",
    "na\u00efve caf\u00e9 Z\u00fcrich \u00c5ngstr\u00f6m \u0130stanbul \u0131 stra\u00dfe \ufb01ne",
    "nai\u0308ve cafe\u0301 A\u030angstro\u0308m", "e\u0301\u0323 e\u0323\u0301 \u0301abc a\u0300\u0301\u0302\u0303\u0304",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u03ba\u03cc\u03c3\u03bc\u03b5 \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c \u30ab\u30bf\u30ab\u30ca \uff76\uff9e", "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\u1112\u1161\u11ab\u1100\u1173\u11af \u110b\u1161",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0661\u0662\u0663\u060c \u0648\u064e\u0627\u0644\u0644\u064e\u0651\u0647", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u09ac\u09be\u0982\u09b2\u09be \u0995\u09cb", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785\u1781\u179b\u1785\u17c1\u1789",
    "\U0001f600\U0001f680 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f44b\U0001f3fd \U0001f636\u200d\U0001f32b\ufe0f", "\U00010400\U00010437 \U0001d538\U0001d7d8 \U00020000\U0002f800", "\ue000\uf8ff\U000f0000",
    "\u2581", "\u2581\u2581", "a\u2581b", "\u2581 a", " \u2581a \u2581\u2581 b", "\u0120the \u010a", "<0x0A><0x41>", "<0x00", "##ing un##aff",
    "a" * 40, "ab" * 30, " " * 33, " " * 7 + "x", "\n" * 35, "\t" * 33, "\r\n\r\n", "-" * 50, "=" * 17, "0" * 25,
    "x" * 300, "\u00e9" * 70, "\u4e00" * 90, "Donaudampfschifffahrtsgesellschaftskapit\u00e4nsm\u00fctze" * 3,
    "ied 4 \u00bd months", "\u00c4pfel", "w048 7tuijk dsdfhu", "C\u1eeda Vi\u1ec7t", " discards", "\u00a0x", "\u3000\u4e00", "a\u200db",
]
MARKS = [
    "<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<mask>", "[INST]", "[/INST]", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "</tool_call>",
    "<|fim_prefix|>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<unused0>", "<unused99>", "<2mass>", "[@BOS@]",
    "<b>", "</b>", "<h1>", "<table>", "<SPECIAL_20>", "[AVAILABLE_TOOLS]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]",
]


def make_texts():
    rng = random.Random(20241122)
    texts = list(PLAIN) + list(CODE)
    for mark in MARKS:
        texts.append(mark)
    for _ in range(40):
        texts.append("".join(rng.choice([rng.choice(MARKS), " ", "\n", "user", " Hello", "x", "  "])
                             for _ in range(rng.randint(2, 9))))
    texts += ["<|im_start", "|im_end|>", "<s", "< s >", "<|eot_id|", "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
              "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<s>[INST] Hi [/INST] Hello</s>"]
    lines = BOOK.split("\n\n")
    for _ in range(25):
        texts.append(rng.choice(lines)[: rng.randint(20, 220)])
    assigned = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF
                and unicodedata.category(chr(c)) not in ("Cn", "Co")]
    pools = [assigned, range(32, 127), range(0x20, 0x250), range(0x300, 0x370), range(0x4E00, 0x4F00), range(0x600, 0x6FF),
             [0x20, 9, 10, 13, 0xA0, 0x3000, 0x2003, 0x85, 0x200B, 0x2028, 0x61], list(range(48, 58)) + [32, 44, 46],
             list(range(0x1F300, 0x1F650)) + [0x200D, 0xFE0F, 0x1F3FB], [39, 115, 83, 116, 108, 76, 100, 114, 101, 118, 32, 0x17F],
             [0x2581, 32, 97, 60, 62], [0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 0x61, 0x301, 0x316]]
    for _ in range(90):
        out = []
        for _ in range(rng.randint(1, 5)):
            pool = [c for c in rng.choice(pools) if unicodedata.category(chr(c)) not in ("Cn",)]
            out.append("".join(chr(rng.choice(pool)) for _ in range(rng.randint(1, 14))))
        texts.append(rng.choice(["", " "]).join(out))
    return texts


# ---------------------------------------------------------------- ids

def expected(tok, texts, avoid=()):
    for text in texts:
        if any(mark in text for mark in avoid):
            yield {"skip": True}
            continue
        tok.encode_special_tokens = True
        plain = tok.encode(text, add_special_tokens=False).ids
        tok.encode_special_tokens = False
        special = tok.encode(text, add_special_tokens=False).ids
        both = tok.encode(text).ids
        decoded = tok.decode(plain, skip_special_tokens=True)
        row = {"plain": plain}
        if special != plain:
            row["special"] = special
        if both != special:
            row["both"] = both
        if decoded != text:
            row["decoded"] = decoded
        yield row


def shared_vocabularies(texts):
    for name in ("llama3_2", "qwen2_5", "gemma2", "gemma3", "mistral_nemo"):
        with lzma.open(os.path.join(SHARED, "tokenizers", name, "tokenizer.json.xz"), "rt",
                       encoding="utf-8") as f:
            tok = Tokenizer.from_str(f.read())
        write_lines(name + ".jsonl", expected(tok, texts))


# ---------------------------------------------------------------- small tokenizers

def sample():
    return [line for line in BOOK[:200000].split("\n") if line] + [
        "na\u00efve caf\u00e9 \u4f60\u597d \u041f\u0440\u0438\u0432\u0435\u0442 \U0001f600 12345 x_y don't"] * 20


def save(name, tok, texts, config=None, avoid=()):
    folder = os.path.join(HERE, "mini", name)
    os.makedirs(folder, exist_ok=True)
    tok.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    if config is not None:
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="ascii") as f:
            json.dump(config, f, indent=1)
            f.write("\n")
    tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    write_lines(os.path.join("mini", name, "expected.jsonl"), expected(tok, texts, avoid))


def special(text, **flags):
    return AddedToken(text, special=True, normalized=flags.pop("normalized", False), **flags)


def mini_bert(texts):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece(cleanup=False)
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(sample(), trainers.WordPieceTrainer(vocab_size=600, special_tokens=names,
                                                                show_progress=False))
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    save("bert", tok, texts, {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
                              "unk_token": "[UNK]", "mask_token": "[MASK]", "tokenizer_class": "BertTokenizer"})


def byte_alphabet():
    return ["<0x%02X>" % i for i in range(256)]


def bpe_with_bytes(pre=None, normalizer=None):
    """BPE over characters whose spaces are U+2581, with byte tokens, as LLaMA 2 has it."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.train_from_iterator(sample(), trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"] + byte_alphabet(), show_progress=False))
    data = json.loads(tok.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if not t["content"].startswith("<0x")]
    tok = Tokenizer.from_str(json.dumps(data))
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    return tok


def mini_llama(texts):
    tok = bpe_with_bytes(normalizer=normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]))
    data = json.loads(tok.to_str())
    data["pre_tokenizer"] = None
    tok = Tokenizer.from_str(json.dumps(data))
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    save("llama", tok, texts, {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                               "add_bos_token": True, "add_eos_token": False})


def mini_mistral(texts):
    tok = bpe_with_bytes(pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens([special("[INST]"), special("[/INST]")])
    tok.add_tokens([AddedToken("<user>", normalized=True), AddedToken("thou", single_word=True, normalized=False)])
    save("mistral", tok, texts, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>",
                                 "eos_token": {"content": "</s>", "lstrip": False}})


def mini_roberta(texts):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(sample(), trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.add_special_tokens([special("<mask>", lstrip=True), special("<sep>", rstrip=True),
                            special("<both>", lstrip=True, rstrip=True)])
    tok.add_tokens([AddedToken("king", single_word=True, normalized=False), AddedToken("Duke of", normalized=True)])
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    save("roberta", tok, texts, {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"})


def mini_smollm(texts):
    """Digits one by one, ignore_merges, NFC; other ways of cutting that GGUF has a name for."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(sample(), trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    save("smollm", tok, texts, {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"})


def mini_unigram(texts):
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.decoder = decoders.Metaspace()
    tok.train_from_iterator(sample(), trainers.UnigramTrainer(
        vocab_size=500, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False))
    tok.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    # The reference takes special tokens for pieces even where they are to be plain text.
    save("unigram", tok, texts, {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
         avoid=("</s>", "<pad>", "<unk>"))


RULES = "41\t61\n42\t62\nFB01\t66 69\nFF21\t61\n300 1\t\nE9\t65\n65 301\t65\n3000\t20\n2581\t20\n"


def train_sentencepiece(folder, kind, **more):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as temp:
        text = os.path.join(temp, "text")
        with open(text, "w", encoding="utf-8") as f:
            f.write("\n".join(sample()))
        rules = os.path.join(temp, "rules.tsv")
        with open(rules, "w", encoding="ascii") as f:
            f.write(RULES)
        if more.pop("rules", False):
            more["normalization_rule_tsv"] = rules
        else:
            more["normalization_rule_name"] = "identity"
        sentencepiece.SentencePieceTrainer.train(
            input=text, model_prefix=os.path.join(temp, "m"), model_type=kind, minloglevel=2, num_threads=1,
            **more)
        with open(os.path.join(temp, "m.model"), "rb") as f:
            data = f.read()
    with open(os.path.join(folder, "tokenizer.model"), "wb") as f:
        f.write(data)
    return sentencepiece.SentencePieceProcessor(model_proto=data)


def save_sentencepiece(name, sp, texts):
    rows = []
    for text in texts:
        if "\0" in text:
            text = text.replace("\0", "")
        ids = sp.encode(text)
        row = {"text": text, "plain": ids}
        rows.append(row)
    write_lines(os.path.join("mini", name, "expected.jsonl"), rows)


def mini_sentencepiece(texts):
    folder = os.path.join(HERE, "mini", "spm_bpe")
    sp = train_sentencepiece(folder, "bpe", vocab_size=900, byte_fallback=True, character_coverage=0.995,
                             remove_extra_whitespaces=False, user_defined_symbols=["<tool>", "thou art"])
    save_sentencepiece("spm_bpe", sp, texts)
    folder = os.path.join(HERE, "mini", "spm_unigram")
    sp = train_sentencepiece(folder, "unigram", vocab_size=500, rules=True, user_defined_symbols=["<tool>"])
    save_sentencepiece("spm_unigram", sp, texts)


# ---------------------------------------------------------------- steps

BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]


def cut_rows(texts):
    patterns = [
        r"\s", r"\S+", r"\d{1,3}", r"\w+|[^\w\s]+", r"\b", r"[[:punct:]]", r"[[:alpha:]]+|[[:digit:]]", r"\p{Han}+",
        r"[\s\p{P}]+", r"(?i:hello|'s)", r"\p{N}{1,3}+", r"[^\r\n\p{L}\p{N}]?+\p{L}++", r" ?[^(\s|[.,!?])]+",
        r"[\p{L}&&[^\p{Lu}]]+", r"[\p{L}&&\p{Lu}]", r"(?=[A-Z])", r"x*", r"^.", r".$", r"(?m:.)+", r"\h+", r"[^\S\n]+",
        r"[a-z]{2}?", r"(?<=l)l|(?<!e)o", r"(?>a+)b", r"a(?i)B|c", r"\u0041|\x41", r"[\w-]+", r"\p{^L}+", r"\P{Greek}+",
        r"[^\p{Alphabetic}]", r"(?<name>ab)+", r"{a}|a{,2}", r"[]a]+", r"\R", r"\p{Lowercase_Letter}+", r"\D+", r"(?#c)e",
    ]
    some = [t for t in texts if t and len(t) < 120 and "\0" not in t][::9] + ["Hello hello'S\nab abab\r\nAB l ll oo {a} ]x-y", "aab B\u00b2 1234567"]
    rng = random.Random(7)
    for pattern in patterns:
        for behavior in BEHAVIORS:
            invert = rng.random() < 0.3
            pre = pre_tokenizers.Split(Regex(pattern), behavior, invert)
            for text in rng.sample(some, 4) + some[-2:]:
                pieces = [p for p, _ in pre.pre_tokenize_str(text)]
                yield {"op": "regex", "pattern": pattern, "behavior": behavior, "invert": invert,
                       "flag": 0, "text": text, "pieces": pieces}
    for text in some:
        for behavior in BEHAVIORS:
            for literal in (" ", "ll", "\u4f60"):
                pre = pre_tokenizers.Split(literal, behavior, False)
                yield {"op": "literal", "pattern": literal, "behavior": behavior, "invert": False, "flag": 0,
                       "text": text, "pieces": [p for p, _ in pre.pre_tokenize_str(text)]}
        for behavior in ("isolated", "removed", "contiguous"):
            pre = pre_tokenizers.Punctuation(behavior)
            yield {"op": "punctuation", "pattern": "", "behavior": behavior, "invert": False, "flag": 0,
                   "text": text, "pieces": [p for p, _ in pre.pre_tokenize_str(text)]}
        for op, flag, pre in (("digits", 0, pre_tokenizers.Digits(False)), ("digits", 1, pre_tokenizers.Digits(True)),
                              ("bert", 0, pre_tokenizers.BertPreTokenizer()), ("space", 0, pre_tokenizers.WhitespaceSplit()),
                              ("whitespace", 0, pre_tokenizers.Whitespace())):
            yield {"op": op, "pattern": "", "behavior": "isolated", "invert": False, "flag": flag, "text": text,
                   "pieces": [p for p, _ in pre.pre_tokenize_str(text)]}


def norm_rows(texts):
    def step(op, flag=0, a="", b=""):
        return {"op": op, "flag": flag, "a": a, "b": b}

    cases = [
        ([step("nfc")], normalizers.NFC()), ([step("nfd")], normalizers.NFD()),
        ([step("nfkc")], normalizers.NFKC()), ([step("nfkd")], normalizers.NFKD()),
        ([step("lowercase")], normalizers.Lowercase()), ([step("strip_accents")], normalizers.StripAccents()),
        ([step("nfd"), step("strip_accents"), step("nfc")],
         normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.NFC()])),
        ([step("bert", 15)], normalizers.BertNormalizer()),
        ([step("bert", 12)], normalizers.BertNormalizer(lowercase=False, strip_accents=False)),
        ([step("bert", 2)], normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, lowercase=False,
                                                       strip_accents=True)),
        ([step("replace", 0, "l", "\u2581")], normalizers.Replace("l", "\u2581")),
        ([step("replace", 1, " {2,}", " ")], normalizers.Replace(Regex(" {2,}"), " ")),
        ([step("replace", 1, "[aeiou]+", "")], normalizers.Replace(Regex("[aeiou]+"), "")),
        ([step("prepend", 0, "_x")], normalizers.Prepend("_x")),
        ([step("strip", 1)], normalizers.Strip(True, False)), ([step("strip", 2)], normalizers.Strip(False, True)),
        ([step("strip", 3)], normalizers.Strip(True, True)),
    ]
    for steps, normalizer in cases:
        for text in texts:
            if text:
                yield {"steps": steps, "text": text, "out": normalizer.normalize_str(text)}


def main():
    texts = make_texts()
    write_lines("texts.jsonl", texts)
    shared_vocabularies(texts)
    for make in (mini_bert, mini_llama, mini_mistral, mini_roberta, mini_smollm, mini_unigram, mini_sentencepiece):
        make(texts)
    write_lines("cuts.jsonl", cut_rows(texts))
    write_lines("norms.jsonl", norm_rows([t for t in texts if len(t) < 80][::4]))


main()
