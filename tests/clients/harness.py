"""
harness: what the client tests share. It starts `pith serve` (the program in PITH_PROGRAM) on a free
port of the loopback with tiny models, runs the cases of the calling file against it and prints TAP.

The models have random weights: flows, shapes, sums and errors are asserted, never sense. They are
made at start in a temporary folder: fixtures of tests/golden/models with the chat templates of the
shared folder in them. Whole file skipped: a client is not installed (./dev check installs them into
build-clients/) or the shared folder is missing.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

ROOT = os.environ.get("PITH_SOURCE_ROOT") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SHARED = os.path.join(ROOT, "..", "shared")
PROGRAM = os.environ.get("PITH_PROGRAM") or os.path.join(ROOT, "build", "pith")
FACTOR = float(os.environ.get("PITH_CLIENTS_PATIENCE", "1"))  # sanitizers are slow

# name of the model -> fixture, template
MODELS = {
    "qwen": ("qwen25", "Qwen-Qwen2.5-7B-Instruct.jinja"),
    "llama": ("llama32", "meta-llama-Llama-3.2-3B-Instruct.jinja"),
    "think": ("qwen3", "Qwen-Qwen3-0.6B.jinja"),
}
STORIES = os.path.join(SHARED, "models", "stories260K.gguf")
CONTEXT = 4096

_cases = []


def case(function):
    """Registers a case; it is told the server, or takes nothing."""
    _cases.append(function)
    return function


class Skip(Exception):
    pass


def make_models(folder):
    """Writes the Hugging Face folders and returns name -> path."""
    paths = {}
    for name, (fixture, template) in MODELS.items():
        source = os.path.join(ROOT, "tests", "golden", "models", fixture)
        paths[name] = os.path.join(folder, name)
        shutil.copytree(source, paths[name])
        with open(os.path.join(SHARED, "templates", template), encoding="utf-8") as f:
            text = f.read()
        change = {"tokenizer_config.json": {"chat_template": text}, "config.json": {"max_position_embeddings": CONTEXT}}
        for file, members in change.items():
            path = os.path.join(paths[name], file)
            os.chmod(path, 0o644)
            with open(path, encoding="utf-8") as f:
                value = json.load(f)
            value.update(members)
            with open(path, "w", encoding="utf-8") as f:
                json.dump(value, f)
    paths["stories"] = STORIES
    return paths


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """pith serve with the models, until close()."""

    def __init__(self, *options, models=None, home=None):
        self.folder = tempfile.mkdtemp(prefix="pith-clients-")
        self.paths = make_models(self.folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home or os.path.join(self.folder, "home")
        command = [PROGRAM, "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        for name in models or self.paths:
            command += ["--model", f"{name}={self.paths[name]}"]
        self.log_path = os.path.join(self.folder, "log")
        env = dict(os.environ, PITH_HOME=self.home, XDG_DATA_HOME=self.home, OLLAMA_MODELS=os.path.join(self.folder, "none"))
        env.pop("OLLAMA_HOST", None)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command + list(options), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        until = time.monotonic() + 20 * FACTOR
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"pith serve ended with {self.process.returncode}:\n{self.log()}")
            try:
                urllib.request.urlopen(self.url + "/health", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > until:
                    self.close()
                    raise RuntimeError("pith serve does not answer /health:\n" + self.log())
                time.sleep(0.02)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def call(self, method, path, body=None, headers=None):
        """-> status, headers, text, without any client library."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        if data is not None and not request.has_header("Content-type"):
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30 * FACTOR) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def metric(self, name):
        """The sum of a metric over its labels."""
        total, found = 0.0, False
        for line in self.call("GET", "/metrics")[2].splitlines():
            match = re.match(r"([A-Za-z_:][\w:]*)(\{.*\})? (\S+)$", line)
            if match and match.group(1) == name:
                total, found = total + float(match.group(3)), True
        if not found:
            raise AssertionError(f"/metrics has no {name}")
        return total

    def wait_metric(self, name, good, seconds=5.0):
        until = time.monotonic() + seconds * FACTOR
        while True:
            value = self.metric(name)
            if good(value):
                return value
            assert time.monotonic() < until, f"{name} is still {value}"
            time.sleep(0.02)

    def wait_log(self, word, seconds=5.0):
        """The line of a request is written after its answer was sent."""
        until = time.monotonic() + seconds * FACTOR
        while word not in self.log():
            assert time.monotonic() < until, f"no '{word}' in the log"
            time.sleep(0.02)

    def close(self):
        """Stops it as a service manager would; leaves the exit code in self.code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20 * FACTOR)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.code = self.process.returncode
        text = self.log()
        shutil.rmtree(self.folder, ignore_errors=True)
        return text


def equal(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


def raises(kind, call, exactly=True):
    """Calls, wants exactly this class of exception (not a subclass) and returns it."""
    try:
        found = call()
    except Exception as error:  # noqa: BLE001 - the class is the test
        assert type(error) is kind or not exactly and isinstance(error, kind), f"expected {kind.__name__}, raised {type(error).__name__}: {error}"
        return error
    raise AssertionError(f"expected {kind.__name__}, got {found!r}")


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def need_shared():
    if not os.path.isdir(SHARED):
        skip_all("there is no ../shared folder")


def run(*options):
    """Runs the registered cases against one server."""
    need_shared()
    print(f"1..{len(_cases)}", flush=True)
    server = Server(*options)
    failed = 0
    for number, function in enumerate(_cases, 1):
        start = time.monotonic()
        name = function.__name__
        try:
            function(server) if function.__code__.co_argcount else function()
            print(f"ok {number} {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} {name} # SKIP {reason}", flush=True)
        except BaseException as error:  # noqa: BLE001 - reported, and the others go on
            failed += 1
            print(f"not ok {number} {name}", flush=True)
            traceback.print_exc()
            if isinstance(error, KeyboardInterrupt):
                break
            if server.process.poll() is not None:
                print(f"the server died with {server.process.returncode}", file=sys.stderr)
                break
        print(f"# {name}: {time.monotonic() - start:.2f} s", file=sys.stderr)
    log = server.close()
    if failed or server.code != 0:
        print(f"# the server ended with {server.code}; its log:\n{log[-8000:]}", file=sys.stderr)
    sys.exit(1 if failed or server.code != 0 else 0)
