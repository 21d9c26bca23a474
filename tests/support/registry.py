#!/usr/bin/env python3
"""registry.py FOLDER: a replica on this machine of the registries that pith pulls from, with faults.

FOLDER/hub/ORG/REPO/FILE          repositories as on Hugging Face
FOLDER/library/NAMESPACE/NAME/TAG manifests as in Ollama's registry, FOLDER/blobs/sha256-HEX
FOLDER/files/NAME                 plain files, with an ETag
FOLDER/faults.json                what goes wrong, read anew for each request:
  break_after N, break_times K    the connection ends after N bytes of a body, K times
  status [CODE, ...]              the next bodies answer these instead; retry_after with them
  no_range                        ranges are ignored
  flip N                          byte N of each whole file is changed
  grow N / shrink N               the size that is said is N more, or the body N bytes less than said
  slow N                          bytes a second of each connection
  etag TEXT                       of plain files
FOLDER/log.jsonl                  a line for each body: path, first, sent, status, auth

The first line of its output is its address. It ends with its standard input.
"""
import hashlib, json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

ROOT = sys.argv[1]
LOCK = threading.Lock()
COUNT = {"break": 0, "status": 0}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def faults():
    try:
        with open(os.path.join(ROOT, "faults.json")) as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def log(**row):
    with LOCK, open(os.path.join(ROOT, "log.jsonl"), "a") as f:
        f.write(json.dumps(row) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def json(self, value, link=None):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if link:
            self.send_header("Link", '<%s>; rel="next"' % link)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, retry_after=None):
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect(self, to):
        self.send_response(307)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self, path):
        f = faults()
        with LOCK:
            codes = f.get("status", [])
            turn = COUNT["status"]
            if turn < len(codes):
                COUNT["status"] += 1
                code = codes[turn]
            else:
                code = 0
        auth = self.headers.get("Authorization", "")
        if code:
            log(path=self.path, first=-1, sent=0, status=code, auth=auth)
            return self.fail(code, f.get("retry_after"))
        try:
            size = os.path.getsize(path)
            file = open(path, "rb")
        except OSError:
            return self.fail(404)
        with file:
            self.send(file, size, f, auth)

    def send(self, file, size, f, auth):
        total = size + f.get("grow", 0)
        first, last = 0, size - 1
        ranged = self.headers.get("Range", "")
        if ranged.startswith("bytes=") and not f.get("no_range"):
            a, b = ranged[6:].split("-")
            first, last = int(a), min(int(b) if b else size - 1, size - 1)
            if first >= size:
                return self.fail(416)
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, total))
            said = last - first + 1
        else:
            self.send_response(200)
            said = total
        if "/files/" in self.path:
            self.send_header("ETag", f.get("etag", '"one"'))
        self.send_header("Content-Length", str(said))
        self.end_headers()
        limit = max(0, last + 1 - first - f.get("shrink", 0))
        broken = False
        with LOCK:
            if "break_after" in f and limit > f["break_after"] and COUNT["break"] < f.get("break_times", 1 << 30):
                COUNT["break"] += 1
                limit, broken = f["break_after"], True
        sent = 0
        try:
            file.seek(first)
            while sent < limit:
                piece = bytearray(file.read(min(16384 if f.get("slow") else 262144, limit - sent)))
                n = len(piece)
                if 0 <= f.get("flip", -1) - first - sent < n:
                    piece[f["flip"] - first - sent] ^= 1
                self.wfile.write(piece)
                sent += n
                if f.get("slow"):
                    self.wfile.flush()
                    time.sleep(n / f["slow"])
        except OSError:
            broken = True
        log(path=self.path, first=first, sent=sent, status=206 if ranged and not f.get("no_range") else 200, auth=auth)
        if broken or f.get("shrink") or f.get("grow"):
            self.close_connection = True

    def do_GET(self):
        url = urlsplit(self.path)
        parts = [unquote(p) for p in url.path.split("/") if p]
        port = self.server.server_address[1]
        if parts[:1] == ["files"] or parts[:1] == ["cdn"]:
            return self.body(os.path.join(ROOT, "files" if parts[0] == "files" else ".", *parts[1:]))
        if parts[:2] == ["api", "models"] and len(parts) >= 6:
            repo = os.path.join(ROOT, "hub", parts[2], parts[3])
            if not os.path.isdir(repo):
                return self.fail(404)
            if parts[4] == "revision":
                return self.json({"sha": COMMIT, "cardData": {"license": "apache-2.0"}})
            rows = []
            for folder, _, names in os.walk(repo):
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as h:
                        data = h.read()
                    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                    row = {"type": "file", "path": os.path.relpath(path, repo), "size": len(data), "oid": git}
                    if name.endswith((".gguf", ".safetensors")):
                        row["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
                    rows.append(row)
            rows.sort(key=lambda r: r["path"])
            # Two files a page, so that pages are followed.
            at = int(url.query.split("cursor=")[1]) if "cursor=" in url.query else 0
            link = "http://127.0.0.1:%d%s?cursor=%d" % (port, url.path, at + 2) if at + 2 < len(rows) else None
            return self.json(rows[at:at + 2], link)
        if len(parts) >= 5 and parts[2] == "resolve":
            if not os.path.isfile(os.path.join(ROOT, "hub", parts[0], parts[1], *parts[4:])):
                return self.fail(404)
            log(path=self.path, first=-1, sent=0, status=307, auth=self.headers.get("Authorization", ""))
            # Another host, as a CDN is: a token must not follow.
            return self.redirect("http://localhost:%d/cdn/hub/%s/%s/%s" % (port, parts[0], parts[1], "/".join(parts[4:])))
        if parts[:1] == ["v2"] and len(parts) >= 5:
            if parts[-2] == "manifests":
                path = os.path.join(ROOT, "library", *parts[1:-2], parts[-1])
                try:
                    with open(path) as h:
                        return self.json(json.load(h))
                except OSError:
                    return self.fail(404)
            if parts[-2] == "blobs":
                return self.redirect("http://127.0.0.1:%d/cdn/blobs/%s" % (port, parts[-1].replace(":", "-")))
        self.fail(404)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # clients that cut the connection are part of the tests


def main():
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print("http://127.0.0.1:%d" % server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
