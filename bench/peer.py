#!/usr/bin/env python3
"""pith beside llama.cpp, in one process, on the same file, turn by turn: machines drift, so only neighbours compare.

usage: peer.py --door build/bench/libpith_door.so [--tests prefill,decode,batch,deep] [--rounds 5] [--threads N] MODEL.gguf...

Both get the same tokens and the same number of threads. llama.cpp (through the low-level functions of llama-cpp-python)
keeps its defaults but for the context, which is as long as the test needs, and is tried with flash attention off and on (and,
with several sequences, with its cache split and unified); the best of these in a trial is what pith is compared with. Keys
and values are f16 in both. Each test is warmed up, then both take turns; the ratio is the median of the ratios of turns.

tests: prefill 512 tokens; decode 64 tokens; batch: 8 sequences of 32 tokens in steps of 8; deep: decode 32 tokens behind 4096.
--state FOLDER keeps llama.cpp's filled cache of `deep` between runs, since filling takes it most of a minute.
"""
import argparse
import ctypes as C
import json
import pathlib
import statistics
import sys
import time

PROMPT, ANSWER, WIDE, STEPS, DEEP, DEEP_ANSWER = 512, 64, 8, 32, 4096, 32
CHECKS = {"prefill": {"q4_k_m": 2.0, "q8_0": 2.5}, "decode": 1.1, "batch": 3.0, "deep": 1.6}


def tokens_of(n, n_vocab):
    state, out = 20261122, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 33) % n_vocab)
    return out


# ---- pith, through its door


class Error(C.Structure):
    _fields_ = [("status", C.c_int), ("text", C.c_char * 1020)]


class EngineOptions(C.Structure):
    _fields_ = [("size", C.c_size_t), ("n_threads", C.c_int32), ("cpu", C.c_char_p), ("n_ctx", C.c_int64),
                ("n_batch", C.c_int32), ("max_logits", C.c_int32), ("max_sessions", C.c_int32),
                ("k_type", C.c_char_p), ("v_type", C.c_char_p), ("kv_bytes", C.c_uint64), ("prompt_batch", C.c_int32),
                ("no_prefix_cache", C.c_bool)]


class StepItem(C.Structure):
    _fields_ = [("session", C.c_void_p), ("tokens", C.POINTER(C.c_int32)), ("n", C.c_int32), ("n_logits", C.c_int32),
                ("logits", C.POINTER(C.c_float)), ("status", C.c_int)]


class Pith:
    name = "pith"

    def __init__(self, door, path, threads, n_ctx, width):
        self.lib, self.error = C.CDLL(str(door)), Error()
        self.lib.pith_version.restype = C.c_char_p
        self.model, self.engine, self.sessions = C.c_void_p(), C.c_void_p(), []
        self.check(self.lib.pith_model_open(str(path).encode(), None, C.byref(self.model), C.byref(self.error)))
        o = EngineOptions(size=C.sizeof(EngineOptions), n_threads=threads, n_ctx=n_ctx, max_sessions=width + 1,
                          no_prefix_cache=True)  # what is measured must be computed
        self.check(self.lib.pith_engine_new(self.model, C.byref(o), C.byref(self.engine), C.byref(self.error)))
        for _ in range(width):
            s = C.c_void_p()
            self.check(self.lib.pith_session_new(self.engine, None, C.byref(s), C.byref(self.error)))
            self.sessions.append(s)

    def check(self, status):
        if status != 0:
            sys.exit(f"peer: pith: {self.error.text.decode()}")

    def set(self, s, tokens, n_logits=0):
        logits = C.POINTER(C.c_float)()
        ids = (C.c_int32 * max(1, len(tokens)))(*tokens)
        self.check(self.lib.pith_session_set(self.sessions[s], ids, C.c_int64(len(tokens)), n_logits, C.byref(logits),
                                             C.byref(self.error)))

    def prefill(self, tokens):
        self.set(0, [])
        t = time.perf_counter()
        self.set(0, tokens, 1)
        return time.perf_counter() - t

    def fill(self, tokens, state):
        self.set(0, tokens)

    def decode(self, tokens, past):
        self.set(0, past)
        items = (StepItem * 1)()
        ids = [(C.c_int32 * 1)(x) for x in tokens]
        t = time.perf_counter()
        for x in ids:
            items[0] = StepItem(session=self.sessions[0], tokens=x, n=1, n_logits=1)
            self.check(self.lib.pith_engine_step(self.engine, items, 1, C.byref(self.error)))
        return time.perf_counter() - t

    def batch(self, tokens, steps):
        for s in range(len(self.sessions)):
            self.set(s, [])
        n = len(self.sessions)
        ids = [[(C.c_int32 * 1)(tokens[(i + s) % len(tokens)]) for s in range(n)] for i in range(steps)]
        items = (StepItem * n)()
        t = time.perf_counter()
        for step in ids:
            for s in range(n):
                items[s] = StepItem(session=self.sessions[s], tokens=step[s], n=1, n_logits=1)
            self.check(self.lib.pith_engine_step(self.engine, items, n, C.byref(self.error)))
        return time.perf_counter() - t

    def close(self):
        for s in self.sessions:
            self.lib.pith_session_free(s)
        self.lib.pith_engine_free(self.engine)
        self.lib.pith_model_close(self.model)


# ---- llama.cpp


class Llama:
    name = "llama.cpp"

    def __init__(self, L, model, threads, n_ctx, width, flash, unified):
        self.L, self.model, self.width = L, model, width
        self.label = f"flash attention {'on' if flash else 'off'}" + (
            f", cache {'unified' if unified else 'split'}" if width > 1 else "")
        p = L.llama_context_default_params()
        p.n_ctx, p.n_batch, p.n_ubatch, p.n_seq_max = n_ctx, 2048, 512, width
        p.n_threads = p.n_threads_batch = threads
        p.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else L.LLAMA_FLASH_ATTN_TYPE_DISABLED
        p.kv_unified = unified
        self.ctx = L.llama_init_from_model(model, p)
        if not self.ctx:
            sys.exit("peer: llama.cpp cannot make a context")
        self.memory = L.llama_get_memory(self.ctx)
        self.room = L.llama_batch_init(max(PROMPT, width), 0, 1)

    def run(self, rows):
        """One llama_decode of (token, position, sequence, wants logits)."""
        b = self.room
        b.n_tokens = len(rows)
        for i, (token, pos, seq, wanted) in enumerate(rows):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = token, pos, 1, wanted
            b.seq_id[i][0] = seq
        t = time.perf_counter()
        if self.L.llama_decode(self.ctx, b) != 0:
            sys.exit("peer: llama.cpp cannot decode")
        self.L.llama_synchronize(self.ctx)
        return time.perf_counter() - t

    def clear(self):
        self.L.llama_memory_clear(self.memory, True)

    def prefill(self, tokens):
        self.clear()
        return self.run([(x, i, 0, i == len(tokens) - 1) for i, x in enumerate(tokens)])

    def fill(self, tokens, state):
        file = state / f"{state.name}.{'on' if 'on' in self.label else 'off'}.state" if state else None
        got, room = C.c_size_t(), (C.c_int32 * len(tokens))()
        if file and file.exists() and self.L.llama_state_seq_load_file(self.ctx, str(file).encode(), 0, room, len(tokens),
                                                                       C.byref(got)):
            return
        self.clear()
        for at in range(0, len(tokens), PROMPT):
            self.run([(x, at + i, 0, False) for i, x in enumerate(tokens[at:at + PROMPT])])
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            self.L.llama_state_seq_save_file(self.ctx, str(file).encode(), 0, (C.c_int32 * len(tokens))(*tokens), len(tokens))

    def decode(self, tokens, past):
        if past:
            self.L.llama_memory_seq_rm(self.memory, 0, len(past), -1)
        else:
            self.clear()
        return sum(self.run([(x, len(past) + i, 0, True)]) for i, x in enumerate(tokens))

    def batch(self, tokens, steps):
        self.clear()
        return sum(self.run([(tokens[(i + s) % len(tokens)], i, s, True) for s in range(self.width)])
                   for i in range(steps))

    def close(self):
        self.L.llama_batch_free(self.room)
        self.L.llama_free(self.ctx)


# ---- a test: trial of llama.cpp's settings, then turns


def turn(engine, work):
    time.sleep(0.05)  # the other's threads have stopped spinning
    return work(engine)


def compare(args, L, model, path, n_vocab, test):
    width = WIDE if test == "batch" else 1
    n_ctx = {"prefill": PROMPT, "decode": ANSWER, "batch": STEPS, "deep": DEEP + DEEP_ANSWER}[test] + 64
    count = {"prefill": PROMPT, "decode": ANSWER, "batch": WIDE * STEPS, "deep": DEEP_ANSWER}[test]
    tokens = tokens_of(DEEP + PROMPT, n_vocab)
    past = tokens[:DEEP] if test == "deep" else []
    state = pathlib.Path(args.state) / path.stem if args.state and test == "deep" else None
    # The second of each is for warming up and for trying settings.
    works = {"prefill": (lambda e: e.prefill(tokens[:PROMPT]),) * 2,
             "decode": (lambda e: e.decode(tokens[:ANSWER], []), lambda e: e.decode(tokens[:ANSWER // 4], [])),
             "batch": (lambda e: e.batch(tokens, STEPS), lambda e: e.batch(tokens, STEPS // 4)),
             "deep": (lambda e: e.decode(tokens[DEEP:DEEP + DEEP_ANSWER], past),
                      lambda e: e.decode(tokens[DEEP:DEEP + DEEP_ANSWER // 4], past))}
    work, less = works[test]
    pith = Pith(args.door, path, args.threads, n_ctx, width)
    peers = [Llama(L, model, args.threads, n_ctx * width, width, flash, unified) for flash in (False, True)
             for unified in ((False, True) if width > 1 else (False,))]
    trials = []
    for e in [pith, *peers]:
        if past:
            e.fill(past, state)
    if args.fill_only:
        for e in [pith, *peers]:
            e.close()
        return None
    turn(pith, less)
    for e in peers:
        turn(e, less)
    for e in peers * 2:
        trials.append((turn(e, less), e))
    best = min(trials, key=lambda x: x[0])[1]
    times = {"pith": [], "llama.cpp": []}
    for i in range(args.rounds):
        for e in (pith, best) if i % 2 == 0 else (best, pith):
            times[e.name].append(turn(e, work))
    for e in [pith, *peers]:
        e.close()
    ratios = sorted(b / a for a, b in zip(times["pith"], times["llama.cpp"]))
    return {"model": path.stem, "test": test, "pith": count / statistics.median(times["pith"]),
            "llama_cpp": count / statistics.median(times["llama.cpp"]), "setting": best.label,
            "trials": [[e.label, t] for t, e in trials],
            "ratio": statistics.median(ratios), "ratio_least": ratios[0], "ratio_most": ratios[-1]}


def wanted(row):
    check = CHECKS[row["test"]]
    if not isinstance(check, dict):
        return check
    return next((x for name, x in check.items() if row["model"].endswith(name)), None)


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("--door", required=True)
    ap.add_argument("--tests", default="prefill,decode,batch,deep")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=0)
    ap.add_argument("--state")
    ap.add_argument("--fill-only", action="store_true")
    ap.add_argument("--json", action="store_true")
    ap.add_argument("models", nargs="+", type=pathlib.Path)
    args = ap.parse_args()
    try:
        import llama_cpp
        from llama_cpp import llama_cpp as L
    except ImportError:
        sys.exit("peer: this python has no llama-cpp-python; bench/peer.sh installs it into a folder of its own")
    args.threads = args.threads or len({p.read_text() for p in pathlib.Path("/sys/devices/system/cpu").glob(
        "cpu[0-9]*/topology/thread_siblings_list")}) or 1
    quiet = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(quiet, None)
    L.llama_backend_init()
    rows = []
    if not args.json:
        print(f"llama-cpp-python {llama_cpp.__version__}, {args.threads} threads, {args.rounds} turns each\n")
        print(f"{'model':22} {'test':8} {'pith':>8} {'llama.cpp':>10} {'ratio':>6} {'least':>6} {'most':>6} "
              f"{'wanted':>7}  llama.cpp's best setting")
    for path in args.models:
        model = L.llama_model_load_from_file(str(path).encode(), L.llama_model_default_params())
        if not model:
            sys.exit(f"peer: llama.cpp cannot open '{path}'")
        n_vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
        for test in args.tests.split(","):
            row = compare(args, L, model, path, n_vocab, test)
            if row is None:
                continue
            row["wanted"] = wanted(row)
            rows.append(row)
            if not args.json:
                print(f"{row['model']:22} {test:8} {row['pith']:8.1f} {row['llama_cpp']:10.1f} {row['ratio']:6.2f} "
                      f"{row['ratio_least']:6.2f} {row['ratio_most']:6.2f} {row['wanted'] or '':>7}  {row['setting']}",
                      flush=True)
        L.llama_model_free(model)
    if args.json:
        json.dump(rows, sys.stdout, indent=2)
        print()


main()
