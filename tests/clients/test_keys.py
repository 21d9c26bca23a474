"""A server that asks for keys, through every client: the right class of error, and in with a key."""

import os
import tempfile

import harness
from harness import case, equal, raises, skip_all

try:
    import anthropic
    import ollama
    import openai
except ImportError as missing:
    skip_all(f"{missing}; ./dev check installs it")

CHAT = [{"role": "user", "content": "Hi"}]


@case
def openai_needs_a_key(server):
    def ask(key):
        c = openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0)
        return c.chat.completions.create(model="qwen", messages=CHAT, max_tokens=2)

    error = raises(openai.AuthenticationError, lambda: ask("wrong"))
    assert error.status_code == 401 and error.message, error
    equal(ask("secret-key-1").object, "chat.completion")


@case
def anthropic_needs_a_key(server):
    def ask(key):
        c = anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=0)
        return c.messages.create(model="qwen", messages=CHAT, max_tokens=2)

    error = raises(anthropic.AuthenticationError, lambda: ask("wrong"))
    equal(error.body["error"]["type"], "authentication_error")
    equal(ask("secret-key-1").type, "message")


@case
def ollama_needs_a_key(server):
    error = raises(ollama.ResponseError, lambda: ollama.Client(host=server.url).list())
    equal(error.status_code, 401)
    c = ollama.Client(host=server.url, headers={"Authorization": "Bearer secret-key-1"})
    assert len(c.list().models) >= 4


@case
def health_needs_none(server):
    equal(server.call("GET", "/health")[0], 200)
    equal(server.call("GET", "/v1/models")[0], 401)
    equal(server.call("GET", "/v1/models", headers={"X-Api-Key": "secret-key-1"})[0], 200)


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile("w", suffix=".keys", delete=False) as keys:
        keys.write("secret-key-1\n")
    try:
        harness.run("--ctx", "4096", "--api-key-file", keys.name)
    finally:
        os.unlink(keys.name)
