"""The flows of the openai package (Python) on /v1/responses."""

import json
from typing import Literal

from harness import case, equal, raises, run, skip_all

try:
    import openai
    from pydantic import BaseModel, Field
except ImportError as missing:
    skip_all(f"{missing}; ./dev check installs it")


class Point(BaseModel):
    color: Literal["red", "green"]
    x: int = Field(ge=0, le=9)


TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a place.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=60)


@case
def a_response(server):
    r = client(server).responses.create(
        model="qwen", instructions="Be terse.", input="Hello", max_output_tokens=2000, temperature=0, metadata={"a": "b"}
    )
    equal((r.object, r.model, r.instructions, r.metadata), ("response", "qwen", "Be terse.", {"a": "b"}))
    assert r.id.startswith("resp_") and r.error is None, r
    equal(r.status, "completed" if r.incomplete_details is None else "incomplete")
    equal([item.type for item in r.output], ["message"])
    equal(r.output[0].role, "assistant")
    equal(r.output_text, r.output[0].content[0].text)
    u = r.usage
    assert u.input_tokens > 5 and u.output_tokens > 0 and u.total_tokens == u.input_tokens + u.output_tokens, u
    assert u.input_tokens_details.cached_tokens >= 0 and u.output_tokens_details.reasoning_tokens == 0, u


@case
def a_response_that_is_cut_off(server):
    r = client(server).responses.create(model="stories", input="Hello", max_output_tokens=3, temperature=0)
    if r.status == "incomplete":
        equal(r.incomplete_details.reason, "max_output_tokens")
        equal(r.output[-1].status, "incomplete")
        equal(r.usage.output_tokens, 3)
    else:
        assert r.usage.output_tokens <= 3, r


@case
def events_are_in_order(server):
    c = client(server)
    options = dict(model="qwen", input=[{"role": "user", "content": "Hello"}], max_output_tokens=30, temperature=0)
    whole = c.responses.create(**options)
    events = list(c.responses.create(stream=True, **options))
    equal([e.sequence_number for e in events], list(range(len(events))))
    kinds = [e.type for e in events]
    equal(
        [k for i, k in enumerate(kinds) if i == 0 or kinds[i - 1] != k],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response." + whole.status,
        ],
    )
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    equal(text, whole.output_text)
    done = next(e for e in events if e.type == "response.output_text.done")
    equal(done.text, text)
    last = events[-1].response
    equal((last.output_text, last.status), (text, whole.status))
    equal(last.output[0].id, done.item_id)
    equal(events[0].response.id, last.id)


@case
def the_stream_helper(server):
    with client(server).responses.stream(model="qwen", input="Hello", text_format=Point, max_output_tokens=300) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    equal(type(final.output_parsed), Point)


@case
def a_pydantic_model_is_parsed(server):
    for model in ("qwen", "stories"):
        r = client(server).responses.parse(model=model, input="Hello", text_format=Point, max_output_tokens=300)
        equal((type(r.output_parsed), r.status), (Point, "completed"))


@case
def function_calls(server):
    c = client(server)
    conversation = [{"role": "user", "content": "Weather?"}]
    r = c.responses.create(
        model="qwen", input=conversation, tools=[TOOL], tool_choice="required", parallel_tool_calls=False, max_output_tokens=200
    )
    call = r.output[-1]
    equal((call.type, call.name, call.status), ("function_call", "get_weather", "completed"))
    assert json.loads(call.arguments)["city"] in ("Paris", "Oslo") and call.call_id, call
    conversation += r.output
    conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": "rain"})
    r = c.responses.create(model="qwen", input=conversation, tools=[TOOL], tool_choice="none", max_output_tokens=10)
    equal({item.type for item in r.output} - {"message"}, set())


@case
def function_calls_stream(server):
    events = list(
        client(server).responses.create(
            model="qwen",
            input="Weather?",
            tools=[TOOL],
            tool_choice={"type": "function", "name": "get_weather"},
            parallel_tool_calls=False,
            max_output_tokens=200,
            stream=True,
        )
    )
    text = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    done = next(e for e in events if e.type == "response.function_call_arguments.done")
    equal(done.arguments, text)
    assert json.loads(text)["city"] in ("Paris", "Oslo"), text
    item = next(e for e in events if e.type == "response.output_item.done" and e.item.type == "function_call").item
    equal((item.name, item.arguments, item.id), ("get_weather", text, done.item_id))
    equal(events[-1].response.output[-1].arguments, text)


@case
def reasoning_items(server):
    # The fixture's vocabulary has no token that closes a thought, so the answer is one long thought.
    c = client(server)
    r = c.responses.create(model="think", input="Hello", max_output_tokens=20, reasoning={"effort": "none"})
    equal([item.type for item in r.output if item.type != "message"], [])
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "I think."}]}
    r = c.responses.create(
        model="think", input=[{"role": "user", "content": "Hi"}, item, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And?"}], max_output_tokens=5
    )
    assert r.usage.input_tokens > 10, r.usage


@case
def logprobs(server):
    r = client(server).responses.create(
        model="qwen", input="Hello", max_output_tokens=4, top_logprobs=2, include=["message.output_text.logprobs"], temperature=0
    )
    found = r.output[0].content[0].logprobs
    assert 1 <= len(found) <= 4 and all(len(t.top_logprobs) == 2 and t.logprob <= 0 for t in found), found


@case
def what_needs_state_is_refused(server):
    c = client(server)
    for name, value in (
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("prompt", {"id": "pmpt_1"}),
        ("tools", [{"type": "web_search"}]),
        ("input", [{"type": "item_reference", "id": "x"}]),
        ("text", {"format": {"type": "xml"}}),
    ):
        options = {"model": "qwen", "input": "x", name: value}
        error = raises(openai.BadRequestError, lambda: c.responses.create(**options))
        assert name in error.message, (name, error.message)
    raises(openai.NotFoundError, lambda: c.responses.create(model="nothing", input="x"))


@case
def a_stream_that_is_left_is_cancelled(server):
    stream = client(server).responses.create(model="qwen", input="Hello", max_output_tokens=3500, stream=True)
    for number, _ in enumerate(stream):
        if number == 5:
            break
    stream.close()
    server.wait_metric("pith_answers_running", lambda v: v == 0)


if __name__ == "__main__":
    run("--ctx", "4096")
