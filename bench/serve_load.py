#!/usr/bin/env python3
"""Measures `pith serve` as clients see it. Starts the server itself, on a free port, and stops it at the end.

  bench/serve_load.py PITH MODEL load [CLIENTS [SECONDS]]   what all clients get together, and how long each waits
  bench/serve_load.py PITH MODEL turns [TOKENS]             time to first token of a chat's second turn against the first
  bench/serve_load.py PITH MODEL idle [STREAMS]             memory of streams that wait

load is the mix of bench/clients.c (prompts of 50 to 2000 random tokens, sizes spread evenly on a logarithmic scale;
answers of 20 to 120 tokens; nothing shared), which measures the same without HTTP: the two are to be compared.
Standard library only; one thread.
"""
import asyncio
import json
import math
import os
import random
import re
import resource
import subprocess
import sys
import time


def start(pith, model, *more):
    server = subprocess.Popen([pith, "serve", model, "--port", "0", "--ctx", "4096", "-q", *more],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        found = re.search(r"serving on http://127\.0\.0\.1:(\d+)", line)
        if found:
            return server, int(found.group(1))
    sys.exit("the server did not start")


def memory(pid):
    """KiB of a process's own memory (pages of mapped files left out)."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))


async def post(port, path, body):
    data = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" %
                 (path.encode(), len(data)) + data)
    return reader, writer


async def stream(port, path, body, on_event):
    """Calls on_event for each piece of text; returns the usage of the last chunk."""
    reader, writer = await post(port, path, {**body, "stream": True, "stream_options": {"include_usage": True}})
    status = await reader.readline()
    if b" 200 " not in status:
        sys.exit(f"{status!r} {await reader.read()!r}")
    usage = None
    async for line in reader:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if event["choices"]:
            on_event(event)
        usage = event.get("usage") or usage
    writer.close()
    return usage


def at(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def computed(port):
    """Tokens that the engine has computed, of prompts and answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return sum(float(x) for x in re.findall(r"^pith_computed_tokens_total\S* (\S+)", text, re.M))


async def load(port, n_clients, seconds):
    random.seed(1)
    gaps, firsts = [], []
    served = [0] * n_clients
    totals = {"generated": 0}
    end = time.monotonic() + seconds

    async def client(k):
        while time.monotonic() < end:
            n = int(50 * math.exp(random.random() * math.log(2000 / 50)))
            body = {"prompt": [random.randrange(100, 20100) for _ in range(n)], "ignore_eos": True,
                    "max_tokens": random.randrange(20, 121), "temperature": 0}
            begun = last = time.monotonic()
            first = True

            def heard(event):
                nonlocal last, first
                now = time.monotonic()
                if event["choices"][0]["finish_reason"]:
                    return
                (firsts if first else gaps).append(now - (begun if first else last))
                if now < end:
                    totals["generated"] += 1
                    served[k] += 1
                last, first = now, False

            await stream(port, "/v1/completions", body, heard)

    tasks = [asyncio.create_task(client(k)) for k in range(n_clients)]
    await asyncio.sleep(seconds)
    all_tokens = await computed(port)
    for t in tasks:
        t.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({
        "clients": n_clients, "seconds": seconds,
        "computed_per_s": round(all_tokens / seconds, 1),
        "generated_per_s": round(totals["generated"] / seconds, 1),
        "gap_ms": {"p50": round(at(gaps, .5) * 1e3, 1), "p95": round(at(gaps, .95) * 1e3, 1),
                   "p99": round(at(gaps, .99) * 1e3, 1), "max": round(max(gaps, default=0) * 1e3, 1)},
        "p95_over_p50": round(at(gaps, .95) / at(gaps, .5), 2),
        "first_s": {"p50": round(at(firsts, .5), 3), "p95": round(at(firsts, .95), 3)},
        "least_and_most_tokens_of_a_client": [min(served), max(served)]}))


async def turns(port, tokens):
    words = " ".join(random.Random(2).choice(["river", "stone", "green", "light", "seven", "paper"])
                     for _ in range(tokens))
    messages = [{"role": "user", "content": words}]
    result = []
    for turn in range(2):
        begun, first, text = time.monotonic(), None, ""

        def heard(event):
            nonlocal first, text
            piece = event["choices"][0]["delta"].get("content")
            if piece is not None:
                first = first or time.monotonic()
                text += piece

        usage = await stream(port, "/v1/chat/completions",
                             {"messages": messages, "max_tokens": 16, "temperature": 0, "ignore_eos": True}, heard)
        result.append({"first_ms": round(((first or time.monotonic()) - begun) * 1e3, 1),
                       "prompt_tokens": usage["prompt_tokens"],
                       "cached": usage["prompt_tokens_details"]["cached_tokens"]})
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "And then?"}]
    print(json.dumps({"turns": result, "second_over_first": round(result[1]["first_ms"] / result[0]["first_ms"], 4)}))


async def idle(server, port, n):
    ask = {"prompt": "Once", "max_tokens": 3000, "ignore_eos": True, "stream": True}
    running = await post(port, "/v1/completions", ask)  # takes the one place that there is
    await running[0].readline()
    await asyncio.sleep(1)
    before = memory(server.pid)
    open_streams = [await post(port, "/v1/chat/completions",
                               {"messages": [{"role": "user", "content": "Hello there"}], "stream": True})
                    for _ in range(n)]
    await asyncio.sleep(2)
    after = memory(server.pid)
    print(json.dumps({"streams": n, "kib_before": before, "kib_after": after,
                      "mib_for_all": round((after - before) / 1024, 2)}))
    for _, writer in open_streams + [running]:
        writer.close()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    pith, model, what, *rest = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    server, port = start(pith, model, *(["--parallel", "1"] if what == "idle" else []),
                         *os.environ.get("SERVE_ARGS", "").split())
    try:
        if what == "load":
            asyncio.run(load(port, int(rest[0]) if rest else 16, float(rest[1]) if len(rest) > 1 else 30))
        elif what == "turns":
            asyncio.run(turns(port, int(rest[0]) if rest else 2000))
        elif what == "idle":
            asyncio.run(idle(server, port, int(rest[0]) if rest else 200))
        else:
            sys.exit(__doc__)
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


if __name__ == "__main__":
    main()
