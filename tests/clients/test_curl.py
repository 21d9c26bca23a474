"""curl on every route: status, type of content, and the one thing that must be in the answer."""

import json
import os
import shutil
import subprocess
import tempfile
import hashlib

from harness import case, equal, run, skip_all

if not shutil.which("curl"):
    skip_all("curl is missing")

CHAT = [{"role": "user", "content": "Hi"}]
JSON, SSE, NDJSON = "application/json", "text/event-stream", "application/x-ndjson"


def curl(server, method, path, body=None, headers=()):
    """-> status, content type, text"""
    command = ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code} %{content_type}", server.url + path]
    command += ["--head"] if method == "HEAD" else ["-X", method]
    for header in headers:
        command += ["-H", header]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    done = subprocess.run(command, input=data, capture_output=True, timeout=90, check=True)
    text, _, tail = done.stdout.decode().rpartition("\n")
    status, _, kind = tail.partition(" ")
    return int(status), kind, text


ROUTES = [
    ("GET", "/health", None, JSON, '"status"'),
    ("GET", "/metrics", None, "text/plain", "pith_"),
    ("GET", "/v1/models", None, JSON, '"qwen"'),
    ("GET", "/v1/models/qwen", None, JSON, '"qwen"'),
    ("POST", "/v1/chat/completions", {"model": "qwen", "messages": CHAT, "max_tokens": 3}, JSON, '"chat.completion"'),
    ("POST", "/v1/chat/completions", {"model": "qwen", "messages": CHAT, "max_tokens": 3, "stream": True}, SSE, "data: [DONE]"),
    ("POST", "/v1/completions", {"model": "qwen", "prompt": "Hi", "max_tokens": 3}, JSON, '"text_completion"'),
    ("POST", "/v1/embeddings", {"model": "stories", "input": "Hi"}, JSON, '"embedding"'),
    ("POST", "/v1/rerank", {"model": "stories", "query": "cat", "documents": ["a cat", "a dog"]}, JSON, '"relevance_score"'),
    ("POST", "/v1/responses", {"model": "qwen", "input": "Hi", "max_output_tokens": 3}, JSON, '"response"'),
    ("POST", "/v1/responses", {"model": "qwen", "input": "Hi", "max_output_tokens": 3, "stream": True}, SSE, "event: response.created"),
    ("POST", "/v1/responses/input_tokens", {"model": "qwen", "input": "Hi"}, JSON, '"input_tokens"'),
    ("POST", "/v1/messages", {"model": "qwen", "messages": CHAT, "max_tokens": 3}, JSON, '"message"'),
    ("POST", "/v1/messages", {"model": "qwen", "messages": CHAT, "max_tokens": 3, "stream": True}, SSE, "event: message_stop"),
    ("POST", "/v1/messages/count_tokens", {"model": "qwen", "messages": CHAT}, JSON, '"input_tokens"'),
    ("GET", "/api/version", None, JSON, '"version"'),
    ("GET", "/api/tags", None, JSON, '"qwen:latest"'),
    ("GET", "/api/ps", None, JSON, '"models"'),
    ("POST", "/api/show", {"model": "qwen"}, JSON, '"capabilities"'),
    ("POST", "/api/generate", {"model": "qwen", "prompt": "Hi", "options": {"num_predict": 3}}, NDJSON, '"done":true'),
    ("POST", "/api/generate", {"model": "qwen", "prompt": "Hi", "stream": False, "options": {"num_predict": 3}}, JSON, '"done":true'),
    ("POST", "/api/chat", {"model": "qwen", "messages": CHAT, "options": {"num_predict": 3}}, NDJSON, '"done":true'),
    ("POST", "/api/embed", {"model": "stories", "input": "Hi"}, JSON, '"embeddings"'),
    ("POST", "/api/embeddings", {"model": "stories", "prompt": "Hi"}, JSON, '"embedding"'),
]


@case
def every_route_answers(server):
    for method, path, body, kind, word in ROUTES:
        status, found, text = curl(server, method, path, body)
        assert status == 200 and found.startswith(kind) and word in text, (method, path, status, found, text[:400])


@case
def the_page_and_ollamas_greeting(server):
    # A browser gets the page, Ollama's clients their word.
    status, kind, text = curl(server, "GET", "/", headers=("Accept: text/html",))
    assert status == 200 and kind.startswith("text/html") and "<html" in text.lower(), (status, kind, text[:200])
    equal(curl(server, "GET", "/")[2], "Ollama is running")
    equal(curl(server, "HEAD", "/")[0], 200)


@case
def wrong_methods_and_paths(server):
    equal(curl(server, "GET", "/v1/chat/completions")[0], 405)
    equal(curl(server, "GET", "/nothing")[0], 404)
    equal(curl(server, "GET", "/v1/nothing")[0], 404)
    equal(curl(server, "GET", "/api/nothing")[0], 404)


@case
def bodies_that_are_not_json(server):
    for path, where in (
        ("/v1/chat/completions", lambda v: v["error"]["message"]),
        ("/v1/responses", lambda v: v["error"]["message"]),
        ("/v1/messages", lambda v: v["error"]["message"]),
        ("/api/chat", lambda v: v["error"]),
        ("/api/generate", lambda v: v["error"]),
        ("/api/show", lambda v: v["error"]),
        ("/api/pull", lambda v: v["error"]),
    ):
        for body in (b"", b"{", b"[]", b'"x"', b'{"model": 5}', b"\xff\xfe", b"[" * 5000):
            status, kind, text = curl(server, "POST", path, body)
            assert status == 400 and kind.startswith(JSON) and where(json.loads(text)), (path, body[:20], status, text)


@case
def models_are_made_copied_and_deleted(server):
    with open(server.paths["stories"], "rb") as f:
        data = f.read()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    equal(curl(server, "HEAD", "/api/blobs/" + digest)[0], 404)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "blob")
        with open(path, "wb") as f:
            f.write(data)
        wrong = "sha256:" + "0" * 64
        for name, expected in ((wrong, 400), (digest, 201)):
            command = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "-X", "POST", "-T", path, server.url + "/api/blobs/" + name]
            equal(int(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout), expected)
    equal(curl(server, "HEAD", "/api/blobs/" + digest)[0], 200)
    recipe = {"model": "mine", "files": {"model.gguf": digest}, "system": "Be kind.", "parameters": {"temperature": 0, "num_predict": 5}}
    status, kind, text = curl(server, "POST", "/api/create", recipe)
    assert status == 200 and kind.startswith(NDJSON) and json.loads(text.splitlines()[-1])["status"] == "success", text
    equal(curl(server, "POST", "/api/copy", {"source": "mine", "destination": "yours"})[0], 200)
    names = {m["name"] for m in json.loads(curl(server, "GET", "/api/tags")[2])["models"]}
    assert {"mine:latest", "yours:latest"} <= names, names
    shown = json.loads(curl(server, "POST", "/api/show", {"model": "yours"})[2])
    equal(shown["system"], "Be kind.")
    assert "num_predict" in shown["parameters"] and "SYSTEM" in shown["modelfile"], shown
    answer = json.loads(curl(server, "POST", "/api/generate", {"model": "yours", "prompt": "Hi", "stream": False})[2])
    assert answer["done"] and answer["eval_count"] <= 5, answer
    equal(curl(server, "DELETE", "/api/delete", {"model": "yours"})[0], 200)
    equal(curl(server, "POST", "/api/show", {"model": "yours"})[0], 404)
    equal(curl(server, "DELETE", "/api/delete", {"model": "yours"})[0], 404)
    equal(curl(server, "POST", "/api/show", {"model": "mine"})[0], 200)


@case
def push_and_pull_say_what_is_wrong(server):
    status, _, text = curl(server, "POST", "/api/push", {"model": "qwen"})
    assert status == 501 and "push" in json.loads(text)["error"], (status, text)
    status, _, text = curl(server, "POST", "/api/pull", {"model": "no such name", "stream": False})
    assert status >= 400 and json.loads(text)["error"], (status, text)


if __name__ == "__main__":
    run("--ctx", "4096")
