"""The flows of the anthropic package (Python) against pith serve: /v1/messages and count_tokens."""

import asyncio
import json

from harness import case, equal, raises, run, skip_all

try:
    import anthropic
except ImportError as missing:
    skip_all(f"{missing}; ./dev check installs it")

CHAT = [{"role": "user", "content": "Tell me a story."}]
TOOL = {
    "name": "get_weather",
    "description": "The weather of a place.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["city", "days"],
    },
}


def client(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=60)


def check_input(block):
    equal((block.type, block.name), ("tool_use", "get_weather"))
    assert block.input["city"] in ("Paris", "Oslo") and 1 <= block.input["days"] <= 5 and block.id, block


@case
def a_message(server):
    r = client(server).messages.create(model="qwen", max_tokens=20, messages=CHAT, system="Be terse.", extra_body={"temperature": 0})
    equal((r.type, r.role, r.model), ("message", "assistant", "qwen"))
    equal("msg_" + r._request_id, r.id)
    assert r.id.startswith("msg_") and r.stop_reason in ("end_turn", "max_tokens") and r.stop_sequence is None, r
    equal({block.type for block in r.content} | {"text"}, {"text"})
    assert r.usage.input_tokens + r.usage.cache_read_input_tokens > 10 and 1 <= r.usage.output_tokens <= 20, r.usage


@case
def a_stream_has_the_same_text(server):
    c = client(server)
    options = dict(model="qwen", max_tokens=30, messages=CHAT, extra_body={"temperature": 0})
    whole = c.messages.create(**options)
    with c.messages.stream(**options) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    equal(text, whole.content[0].text)
    equal((final.content[0].text, final.stop_reason), (text, whole.stop_reason))
    equal(final.usage.output_tokens, whole.usage.output_tokens)


@case
def events_are_framed(server):
    events = list(client(server).messages.create(model="qwen", max_tokens=9, messages=CHAT, extra_body={"temperature": 0}, stream=True))
    kinds = [e.type for e in events]
    equal(kinds[0], "message_start")
    equal(kinds[-2:], ["message_delta", "message_stop"])
    inner = [k for k in kinds[1:-2] if k != "ping"]
    equal((inner[0], inner[-1], set(inner[1:-1])), ("content_block_start", "content_block_stop", {"content_block_delta"}))
    status, headers, text = server.call(
        "POST", "/v1/messages", {"model": "qwen", "max_tokens": 3, "messages": CHAT, "stream": True}, {"anthropic-version": "2023-06-01"}
    )
    equal((status, headers["Content-Type"]), (200, "text/event-stream"))
    for block in text.strip().split("\n\n"):
        event, data = block.split("\n")
        equal(event, "event: " + json.loads(data.removeprefix("data: "))["type"])
    assert "event: ping" in text, text


@case
def stop_sequences(server):
    c = client(server)
    options = dict(model="qwen", max_tokens=60, messages=CHAT, extra_body={"temperature": 0})
    text = c.messages.create(**options).content[0].text
    stop = text[10:12]
    r = c.messages.create(stop_sequences=["\x01", stop], **options)
    equal((r.stop_reason, r.stop_sequence, r.content[0].text), ("stop_sequence", stop, text[: text.index(stop)]))


@case
def max_tokens_end_it(server):
    r = client(server).messages.create(model="stories", max_tokens=2, messages=CHAT, extra_body={"temperature": 0})
    assert r.stop_reason == "max_tokens" or r.usage.output_tokens <= 2, r


@case
def blocks_and_turns(server):
    c = client(server)
    system = [{"type": "text", "text": "Be terse.", "cache_control": {"type": "ephemeral"}}]
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "Yes?"}]},
        {"role": "user", "content": "Go on."},
    ]
    r = c.messages.create(model="think", max_tokens=5, system=system, messages=messages, metadata={"user_id": "me"})
    equal(r.role, "assistant")


@case
def an_answer_is_continued(server):
    c = client(server)
    messages = CHAT + [{"role": "assistant", "content": "Once upon"}]
    longer = c.messages.count_tokens(model="qwen", messages=messages).input_tokens
    shorter = c.messages.count_tokens(model="qwen", messages=CHAT + [{"role": "assistant", "content": "Once"}]).input_tokens
    assert longer > shorter, (longer, shorter)
    r = c.messages.create(model="qwen", max_tokens=5, messages=messages)
    equal(r.usage.input_tokens + r.usage.cache_read_input_tokens, longer)


@case
def tools_any_and_named(server):
    c = client(server)
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        for model in ("qwen", "llama", "stories"):
            r = c.messages.create(
                model=model, max_tokens=300, messages=CHAT, tools=[TOOL], tool_choice={**choice, "disable_parallel_tool_use": True}
            )
            equal(r.stop_reason, "tool_use")
            blocks = [block for block in r.content if block.type == "tool_use"]
            equal(len(blocks), 1)
            check_input(blocks[0])


@case
def tools_none(server):
    r = client(server).messages.create(model="qwen", max_tokens=20, messages=CHAT, tools=[TOOL], tool_choice={"type": "none"})
    equal([block.type for block in r.content if block.type != "text"], [])


@case
def tools_stream(server):
    with client(server).messages.stream(
        model="qwen", max_tokens=300, messages=CHAT, tools=[TOOL], tool_choice={"type": "any", "disable_parallel_tool_use": True}
    ) as stream:
        pieces = [e.partial_json for e in stream if e.type == "input_json"]
        final = stream.get_final_message()
    block = final.content[-1]
    check_input(block)
    equal(json.loads("".join(pieces)), block.input)
    equal(final.stop_reason, "tool_use")


@case
def a_tool_result_goes_back(server):
    c = client(server)
    options = dict(model="qwen", tools=[TOOL], max_tokens=300)
    r = c.messages.create(messages=CHAT, tool_choice={"type": "any", "disable_parallel_tool_use": True}, **options)
    messages = CHAT + [
        {"role": "assistant", "content": r.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": r.content[-1].id, "content": [{"type": "text", "text": "rain"}], "is_error": True}, {"type": "text", "text": "So?"}]},
    ]
    r = c.messages.create(messages=messages, tool_choice={"type": "none"}, **options)
    equal([block.type for block in r.content if block.type != "text"], [])
    assert r.usage.input_tokens + r.usage.cache_read_input_tokens > 20, r.usage


@case
def structured_output(server):
    schema = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False}
    r = client(server).messages.create(
        model="qwen", max_tokens=100, messages=CHAT, output_config={"format": {"type": "json_schema", "schema": schema}}
    )
    assert isinstance(json.loads(r.content[0].text)["on"], bool), r


@case
def thinking(server):
    c = client(server)
    r = c.messages.create(model="think", max_tokens=20, messages=CHAT, thinking={"type": "disabled"})
    equal([block.type for block in r.content if block.type == "thinking"], [])
    c.messages.create(model="qwen", max_tokens=1025, messages=CHAT, thinking={"type": "enabled", "budget_tokens": 1024})
    server.wait_log("thinking was asked of model 'qwen'")
    raises(anthropic.BadRequestError, lambda: c.messages.create(model="qwen", max_tokens=20, messages=CHAT, thinking={"type": "sideways"}))


@case
def tokens_are_counted(server):
    c = client(server)
    n = c.messages.count_tokens(model="qwen", messages=CHAT, system="Be terse.").input_tokens
    r = c.messages.create(model="qwen", max_tokens=1, messages=CHAT, system="Be terse.")
    equal(n, r.usage.input_tokens + r.usage.cache_read_input_tokens)
    more = c.messages.count_tokens(model="qwen", messages=CHAT, system="Be terse.", tools=[TOOL]).input_tokens
    assert more > n, (more, n)


@case
def errors(server):
    c = client(server)
    error = raises(anthropic.NotFoundError, lambda: c.messages.create(model="nothing", max_tokens=5, messages=CHAT))
    equal((error.body["type"], error.body["error"]["type"]), ("error", "not_found_error"))
    assert "nothing" in error.body["error"]["message"], error.body
    for wrong, word in (
        ({"messages": [{"role": "user", "content": "word " * 6000}]}, "context"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "image"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ):
        options = {"model": "qwen", "max_tokens": 5, "messages": CHAT, "extra_body": wrong}
        error = raises(anthropic.BadRequestError, lambda: c.messages.create(**options))
        equal(error.body["error"]["type"], "invalid_request_error")
        assert word in error.body["error"]["message"], (word, error.body)


@case
def a_stream_that_is_left_is_cancelled(server):
    with client(server).messages.stream(model="qwen", max_tokens=3500, messages=CHAT) as stream:
        for number, _ in enumerate(stream):
            if number == 5:
                break
    server.wait_metric("pith_answers_running", lambda v: v == 0)


@case
def four_at_once(server):
    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0) as c:
            calls = [c.messages.create(model="qwen", max_tokens=20, messages=[{"role": "user", "content": f"Number {i}"}]) for i in range(4)]
            return await asyncio.gather(*calls)

    equal([r.role for r in asyncio.run(all_of_them())], ["assistant"] * 4)


if __name__ == "__main__":
    run("--ctx", "4096")
