"""The flows of the ollama package (Python) against pith serve: /api/*."""

import asyncio
import datetime
import json
import time
from typing import List, Literal

from harness import case, equal, raises, run, skip_all

try:
    import ollama
    from pydantic import BaseModel, Field
except ImportError as missing:
    skip_all(f"{missing}; ./dev check installs it")

CHAT = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Tell me a story."}]


class Point(BaseModel):
    color: Literal["red", "green"]
    x: int = Field(ge=0, le=9)
    on: bool


def get_weather(city: str, days: int) -> str:
    """The weather of a place.

    Args:
        city: the place
        days: how many
    """
    return f"{city}: {days}"


SCHEMA_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


def client(server):
    return ollama.Client(host=server.url, timeout=60)


def check_last(r, reasons):
    """What the last (or only) answer of generate and chat says."""
    equal(r.done, True)
    assert r.done_reason in reasons, r
    assert r.total_duration >= r.prompt_eval_duration + r.eval_duration > 0, r
    assert r.load_duration >= 0 and r.prompt_eval_count > 0 and r.eval_count > 0, r
    # Nanoseconds, not seconds or milliseconds: a token of these models takes more than 1000 of them.
    assert r.eval_duration > 1000 * r.eval_count, r
    when = datetime.datetime.fromisoformat(r.created_at[:19] + "+00:00")
    assert r.created_at.endswith("Z") and abs(when.timestamp() - time.time()) < 60, r.created_at


# ---- what is there


@case
def alive(server):
    for method in ("GET", "HEAD"):
        status, headers, text = server.call(method, "/")
        equal((status, text), (200, "Ollama is running" if method == "GET" else ""))
    status, _, text = server.call("GET", "/api/version")
    version = [int(n) for n in json.loads(text)["version"].split(".")[:3]]
    assert status == 200 and version >= [0, 6, 4], text


@case
def models_are_listed(server):
    models = {m.model: m for m in client(server).list().models}
    assert {"qwen:latest", "stories:latest"} <= set(models), models
    m = models["stories:latest"]
    assert m.size > 1000000 and m.modified_at and m.digest is not None, m
    equal((m.details.format, m.details.family, m.details.families), ("gguf", "llama", ["llama"]))
    equal((m.details.parameter_size, m.details.quantization_level), ("293K", "F32"))


@case
def a_model_is_shown(server):
    r = client(server).show("qwen")
    equal(r.capabilities, ["completion", "tools"])
    equal(r.modelinfo["general.architecture"], "qwen2")
    equal(r.modelinfo["qwen2.context_length"], 4096)
    equal(r.modelinfo["qwen2.block_count"], 2)
    assert "<|im_start|>" in r.template and r.modelfile.startswith("#") and "FROM " in r.modelfile, r
    equal(r.details.family, "qwen2")
    r = client(server).show("think")
    equal(r.capabilities, ["completion", "tools", "thinking"])
    error = raises(ollama.ResponseError, lambda: client(server).show("nothing"))
    equal((error.status_code, "nothing" in error.error), (404, True))


@case
def running_models(server):
    client(server).generate("stories", "x", options={"num_predict": 1}, keep_alive="10m")
    running = {m.model: m for m in client(server).ps().models}
    m = running["stories:latest"]
    left = (m.expires_at - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 500 < left <= 601, left
    equal((m.size_vram, m.context_length, m.details.family), (0, 4096, "llama"))


@case
def load_and_unload(server):
    c = client(server)
    r = c.generate("llama")
    equal((r.response, r.done, r.done_reason), ("", True, "load"))
    assert "llama:latest" in {m.model for m in c.ps().models}
    r = c.generate("llama", keep_alive=0)
    equal((r.response, r.done, r.done_reason), ("", True, "unload"))
    until = time.monotonic() + 5
    while "llama:latest" in {m.model for m in c.ps().models}:
        assert time.monotonic() < until, "still there"
        time.sleep(0.02)
    r = c.chat("llama", messages=[])
    equal((r.message.role, r.message.content, r.done_reason), ("assistant", "", "load"))
    r = c.chat("llama", messages=[], keep_alive=0)
    equal(r.done_reason, "unload")


# ---- generate


@case
def generate(server):
    r = client(server).generate("stories", "Once upon a time", raw=True, options={"temperature": 0, "num_predict": 20})
    equal(r.model, "stories")
    assert r.response.startswith(", there was a little girl named Lily."), r
    check_last(r, ["length"])
    equal(r.eval_count, 20)


@case
def generate_streams(server):
    options = dict(options={"temperature": 0, "num_predict": 20}, system="Be kind.")
    whole = client(server).generate("qwen", "Hello", **options)
    parts = list(client(server).generate("qwen", "Hello", stream=True, **options))
    equal("".join(p.response for p in parts), whole.response)
    assert all(not p.done and p.done_reason is None and p.eval_count is None for p in parts[:-1]), parts
    check_last(parts[-1], [whole.done_reason])
    equal(parts[-1].context, whole.context)
    equal(parts[-1].response, "")


@case
def a_context_continues(server):
    c = client(server)
    options = {"temperature": 0, "num_predict": 12}
    first = c.generate("qwen", "Hello there", options=options)
    assert len(first.context) >= first.prompt_eval_count, first
    second = c.generate("qwen", "Go on", context=first.context, options=options)
    assert second.context[: len(first.context)] == first.context, second
    fresh = c.generate("qwen", "Go on", options=options)
    assert len(second.context) > len(fresh.context), (second.context, fresh.context)


@case
def a_template_is_used(server):
    # Ollama's own template language is not Jinja: a request with it is refused, never misread.
    error = raises(ollama.ResponseError, lambda: client(server).generate("qwen", "x", template="{{ .Prompt }}"))
    equal(error.status_code, 400)
    assert "template" in error.error, error


@case
def a_suffix_needs_a_model_for_it(server):
    error = raises(ollama.ResponseError, lambda: client(server).generate("qwen", "def f(", suffix="return 1"))
    equal(error.status_code, 400)
    assert "suffix" in error.error, error


@case
def images_are_refused(server):
    error = raises(ollama.ResponseError, lambda: client(server).generate("qwen", "x", images=["AAAA"]))
    equal(error.status_code, 400)
    assert "image" in error.error, error


@case
def logprobs(server):
    r = client(server).generate(
        "qwen", "x", logprobs=True, top_logprobs=2, options={"temperature": 0, "num_predict": 4}
    )
    assert 1 <= len(r.logprobs) <= 4, r
    for token in r.logprobs:
        equal(len(token.top_logprobs), 2)
        equal(token.token, token.top_logprobs[0].token)
        assert token.logprob <= 0


@case
def format_json(server):
    r = client(server).generate("qwen", "x", format="json", options={"num_predict": 1500, "seed": 4})
    assert r.response.startswith("{"), r
    if r.done_reason == "stop":
        assert isinstance(json.loads(r.response), dict), r


@case
def options_hold(server):
    c = client(server)
    one = [c.generate("qwen", "x", options={"seed": 7, "temperature": 1.5, "num_predict": 30}).response for _ in "ab"]
    equal(one[0], one[1])
    text = c.generate("qwen", "x", options={"temperature": 0, "num_predict": 40}).response
    stop = text[8:10]
    r = c.generate("qwen", "x", options={"temperature": 0, "num_predict": 40, "stop": [stop]})
    equal((r.response, r.done_reason), (text[: text.index(stop)], "stop"))


@case
def unknown_options_are_warned_of(server):
    r = client(server).generate("qwen", "x", options={"num_predict": 2, "mirostat_x": 2})
    equal(r.done, True)
    server.wait_log("mirostat_x")


# ---- chat


@case
def chat(server):
    r = client(server).chat("qwen", CHAT, options={"temperature": 0, "num_predict": 20})
    equal((r.model, r.message.role), ("qwen", "assistant"))
    assert r.message.tool_calls is None and r.message.thinking is None, r
    check_last(r, ["stop", "length"])


@case
def chat_streams(server):
    options = {"temperature": 0, "num_predict": 20}
    whole = client(server).chat("qwen", CHAT, options=options)
    parts = list(client(server).chat("qwen", CHAT, options=options, stream=True))
    equal("".join(p.message.content for p in parts), whole.message.content)
    check_last(parts[-1], [whole.done_reason])
    equal(parts[-1].eval_count, whole.eval_count)


@case
def chat_with_a_function_as_tool(server):
    # The type of each argument is enforced by a grammar when a call is written at all.
    r = client(server).chat("qwen", CHAT, tools=[get_weather], options={"num_predict": 60})
    for call in r.message.tool_calls or []:
        equal(sorted(call.function.arguments), ["city", "days"])


@case
def tool_calls_arrive_whole(server):
    body = {"model": "qwen", "messages": CHAT, "tools": [SCHEMA_TOOL], "tool_choice": "required"}
    for stream in (False, True):
        status, headers, text = server.call("POST", "/api/chat", {**body, "stream": stream, "options": {"num_predict": 400}})
        equal(status, 200)
        lines = [json.loads(line) for line in text.splitlines()]
        calls = [call for line in lines for call in line["message"].get("tool_calls", [])]
        assert calls, text
        for call in calls:
            equal(call["function"]["name"], "get_weather")
            equal(list(call["function"]["arguments"]), ["city", "days"])
            assert call["function"]["arguments"]["city"] in ("Paris", "Oslo"), call
            assert isinstance(call["function"]["arguments"]["days"], int), call
        equal([call["function"]["index"] for call in calls], list(range(len(calls))))


@case
def tool_results_go_back(server):
    messages = CHAT + [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo", "days": 1}}}]},
        {"role": "tool", "tool_name": "get_weather", "content": "snow"},
    ]
    r = client(server).chat("qwen", messages, tools=[SCHEMA_TOOL], options={"num_predict": 10})
    equal(r.message.role, "assistant")
    # The conversation is in the prompt: more tokens than without.
    assert r.prompt_eval_count > client(server).chat("qwen", CHAT, tools=[SCHEMA_TOOL], options={"num_predict": 1}).prompt_eval_count


@case
def structured_output(server):
    for model in ("qwen", "stories"):
        r = client(server).chat(model, CHAT, format=Point.model_json_schema(), options={"num_predict": 200})
        Point.model_validate_json(r.message.content)
    parts = client(server).chat("llama", CHAT, format=Point.model_json_schema(), stream=True, options={"num_predict": 200})
    Point.model_validate_json("".join(p.message.content for p in parts))


@case
def thinking_is_split(server):
    c = client(server)
    r = c.chat("think", CHAT, think=False, options={"num_predict": 20})
    equal(r.message.thinking, None)
    r = c.chat("think", CHAT, think=False, format=Point.model_json_schema(), options={"num_predict": 200})
    Point.model_validate_json(r.message.content)
    error = raises(ollama.ResponseError, lambda: c.chat("qwen", CHAT, think=True))
    equal(error.status_code, 400)
    assert "think" in error.error, error


# ---- embeddings


@case
def embed(server):
    r = client(server).embed("stories", ["one cat", "two dogs"])
    equal([len(e) for e in r.embeddings], [64, 64])
    for e in r.embeddings:
        assert abs(sum(x * x for x in e) - 1) < 1e-4
    assert r.prompt_eval_count > 0 and r.total_duration > 0, r
    one = client(server).embed("stories", "two dogs")
    assert max(abs(a - b) for a, b in zip(one.embeddings[0], r.embeddings[1])) < 1e-4
    equal(len(client(server).embed("stories", "two dogs", dimensions=8).embeddings[0]), 8)
    equal(len(client(server).embeddings("stories", "two dogs").embedding), 64)


# ---- errors


@case
def an_unknown_model(server):
    c = client(server)
    for call in (
        lambda: c.generate("nothing", "x"),
        lambda: c.chat("nothing", CHAT),
        lambda: c.embed("nothing", "x"),
        lambda: c.delete("nothing"),
        lambda: c.copy("nothing", "other"),
        lambda: list(c.chat("nothing", CHAT, stream=True)),
    ):
        error = raises(ollama.ResponseError, call)
        equal(error.status_code, 404)
        assert "nothing" in error.error, error


@case
def a_schema_that_cannot_be_held(server):
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}}
    error = raises(ollama.ResponseError, lambda: client(server).chat("qwen", CHAT, format=schema))
    equal(error.status_code, 400)
    assert "/properties/a" in error.error, error


@case
def a_long_context_is_cut_aloud_or_refused(server):
    c = client(server)
    long = "word " * 6000
    body = {"model": "qwen", "messages": [{"role": "user", "content": long}], "stream": False, "options": {"num_predict": 2}}
    status, _, text = server.call("POST", "/api/chat", {**body, "truncate": False})
    assert status == 400 and "context" in json.loads(text)["error"], (status, text)
    status, headers, text = server.call("POST", "/api/generate", {"model": "qwen", "prompt": long, "stream": False, "options": {"num_predict": 2}})
    equal(status, 200)
    server.wait_log("truncated=")
    error = raises(ollama.ResponseError, lambda: c.embed("qwen", long, truncate=False))
    equal(error.status_code, 400)


@case
def push_is_refused(server):
    error = raises(ollama.ResponseError, lambda: client(server).push("qwen"))
    assert "push" in error.error, error


@case
def fields_of_the_wrong_kind(server):
    for path, extra in (
        ("chat", {"messages": "x"}),
        ("chat", {"options": 5}),
        ("chat", {"options": {"temperature": "hot"}}),
        ("chat", {"keep_alive": "soon"}),
        ("chat", {"format": 7}),
        ("generate", {"prompt": 5}),
        ("generate", {"think": "very"}),
        ("embed", {"input": {"a": 1}}),
    ):
        status, _, text = server.call("POST", "/api/" + path, {"model": "qwen", **extra})
        assert status == 400 and next(iter(extra)) in json.loads(text)["error"], (path, extra, status, text)
    status, _, text = server.call("POST", "/api/chat", b'{"model": ')
    assert status == 400 and json.loads(text)["error"], text


# ---- leaving early, and many at once


@case
def a_stream_that_is_left_is_cancelled(server):
    before = server.metric("pith_cancelled_total")
    stream = client(server).chat("qwen", CHAT, stream=True, options={"num_predict": 3500, "logit_bias": {"2": -100}})
    for number, _ in enumerate(stream):
        if number == 2:
            break
    stream.close()
    server.wait_metric("pith_answers_running", lambda v: v == 0)
    # With random weights an answer may also have ended by itself.
    assert server.metric("pith_cancelled_total") >= before


@case
def six_at_once(server):
    async def all_of_them():
        c = ollama.AsyncClient(host=server.url)
        calls = [c.generate("qwen", f"Number {i}", options={"num_predict": 30, "temperature": 0}) for i in range(6)]
        return await asyncio.gather(*calls)

    for r in asyncio.run(all_of_them()):
        check_last(r, ["stop", "length"])


if __name__ == "__main__":
    run("--ctx", "4096")
