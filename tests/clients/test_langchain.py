"""The flows of langchain-openai and langchain-ollama against pith serve."""

import asyncio
from typing import Literal

from harness import case, equal, raises, run, skip_all

try:
    import ollama
    import openai
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.tools import tool
    from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
    from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
    from pydantic import BaseModel, Field
except ImportError as missing:
    skip_all(f"{missing}; ./dev check installs it")

CHAT = [SystemMessage("Be terse."), HumanMessage("Tell me a story.")]


class Point(BaseModel):
    """A point."""

    color: Literal["red", "green"] = Field(description="its color")
    x: int = Field(ge=0, le=9, description="where")


@tool
def get_weather(city: Literal["Paris", "Oslo"], days: int) -> str:
    """The weather of a place."""
    return f"{city}: {days}"


def chat_openai(server, model="qwen", **options):
    options = {"max_tokens": 300, "temperature": 0, **options}
    return ChatOpenAI(model=model, base_url=server.url + "/v1", api_key="none", max_retries=0, **options)


def chat_ollama(server, model="qwen", **options):
    options = {"num_predict": 300, "temperature": 0, **options}
    return ChatOllama(model=model, base_url=server.url, **options)


@case
def openai_invokes(server):
    r = chat_openai(server, max_tokens=20).invoke(CHAT)
    equal(type(r), AIMessage)
    assert r.response_metadata["finish_reason"] in ("stop", "length"), r
    assert r.usage_metadata["total_tokens"] == r.usage_metadata["input_tokens"] + r.usage_metadata["output_tokens"] > 10


@case
def openai_streams(server):
    whole = chat_openai(server, max_tokens=20).invoke(CHAT)
    pieces = list(chat_openai(server, max_tokens=20, stream_usage=True).stream(CHAT))
    equal("".join(p.content for p in pieces), whole.content)
    equal(sum(p.usage_metadata["output_tokens"] for p in pieces if p.usage_metadata), whole.usage_metadata["output_tokens"])


@case
def openai_calls_tools(server):
    model = chat_openai(server).bind_tools([get_weather], tool_choice="required", parallel_tool_calls=False)
    r = model.invoke(CHAT)
    equal([c["name"] for c in r.tool_calls], ["get_weather"])
    assert r.tool_calls[0]["args"]["city"] in ("Paris", "Oslo") and isinstance(r.tool_calls[0]["args"]["days"], int), r
    result = ToolMessage("rain", tool_call_id=r.tool_calls[0]["id"])
    assert isinstance(chat_openai(server, max_tokens=9).invoke(CHAT + [r, result]), AIMessage)


@case
def openai_gives_structures(server):
    for method in ("json_schema", "function_calling"):
        found = chat_openai(server).with_structured_output(Point, method=method).invoke("A point")
        equal(type(found), Point)


@case
def openai_runs_in_chains_and_batches(server):
    chain = ChatPromptTemplate.from_messages([("system", "Be terse."), ("user", "{what}")]) | chat_openai(server, max_tokens=9)
    equal([type(r) for r in chain.batch([{"what": "a"}, {"what": "b"}, {"what": "c"}])], [AIMessage] * 3)
    equal(type(asyncio.run(chain.ainvoke({"what": "d"}))), AIMessage)


@case
def openai_speaks_responses(server):
    r = chat_openai(server, max_tokens=30, use_responses_api=True).invoke(CHAT)
    assert r.text and r.usage_metadata["output_tokens"] > 0, r


@case
def openai_completes(server):
    model = OpenAI(model="stories", base_url=server.url + "/v1", api_key="none", max_tokens=20, temperature=0, max_retries=0)
    assert model.invoke("Once upon a time").startswith(", there was a little girl named Lily."), "the wrong text"


@case
def openai_embeds(server):
    model = OpenAIEmbeddings(
        model="stories", base_url=server.url + "/v1", api_key="none", check_embedding_ctx_length=False, max_retries=0
    )
    equal([len(v) for v in model.embed_documents(["one", "two"])], [64, 64])
    equal(len(model.embed_query("one")), 64)


@case
def openai_raises(server):
    raises(openai.NotFoundError, lambda: chat_openai(server, model="nothing").invoke(CHAT), exactly=False)


@case
def ollama_invokes(server):
    r = chat_ollama(server, num_predict=20).invoke(CHAT)
    equal((type(r), r.response_metadata["model"]), (AIMessage, "qwen"))
    assert r.response_metadata["done_reason"] in ("stop", "length") and r.usage_metadata["output_tokens"] > 0, r


@case
def ollama_streams(server):
    whole = chat_ollama(server, num_predict=20).invoke(CHAT)
    equal("".join(p.content for p in chat_ollama(server, num_predict=20).stream(CHAT)), whole.content)


@case
def ollama_calls_tools(server):
    r = chat_ollama(server, num_predict=40).bind_tools([get_weather]).invoke(CHAT)
    for call in r.tool_calls:
        equal(call["name"], "get_weather")
    result = [AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "Oslo", "days": 1}, "id": "1"}]), ToolMessage("rain", tool_call_id="1")]
    assert isinstance(chat_ollama(server, num_predict=9).invoke(CHAT + result), AIMessage)


@case
def ollama_gives_structures(server):
    equal(type(chat_ollama(server).with_structured_output(Point, method="json_schema").invoke("A point")), Point)


@case
def ollama_runs_async(server):
    equal(type(asyncio.run(chat_ollama(server, num_predict=9).ainvoke(CHAT))), AIMessage)


@case
def ollama_completes(server):
    text = OllamaLLM(model="qwen", base_url=server.url, num_predict=9, temperature=0).invoke("Hello")
    assert isinstance(text, str) and text, text


@case
def ollama_embeds(server):
    model = OllamaEmbeddings(model="stories", base_url=server.url)
    equal([len(v) for v in model.embed_documents(["one", "two"])], [64, 64])
    equal(len(model.embed_query("one")), 64)


@case
def ollama_raises(server):
    raises(ollama.ResponseError, lambda: chat_ollama(server, model="nothing").invoke(CHAT))


if __name__ == "__main__":
    run("--ctx", "4096")
