"""An API target as a team might run one: it answers only to its own key, serves a Git repository, a Python index and an
npm registry, and writes down every request's head as it came. Ends with its standard input. A registry names where its
packages lie: in the file `public_url` of its folder stands how clients reach it, where that is not direct.

usage: http_target.py FOLDER KEY
"""

import base64
import gzip
import hashlib
import io
import json
import os
import socketserver
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

FOLDER, KEY = Path(sys.argv[1]), sys.argv[2]
VERSIONS = ["1.0.0", "1.1.0"]


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True, env={**os.environ, "HOME": str(FOLDER)})


def make_repository():
    git("init", "--quiet", "--bare", "--initial-branch=main", str(FOLDER / "parcels.git"))
    git("-C", str(FOLDER / "parcels.git"), "config", "http.receivepack", "true")
    work = FOLDER / "work"
    git("init", "--quiet", "--initial-branch=main", str(work))
    (work / "README").write_text("parcels\n")
    git("-C", str(work), "add", ".")
    git("-C", str(work), "-c", "user.name=a", "-c", "user.email=a@shop.example", "commit", "--quiet", "-m", "first")
    git("-C", str(work), "push", "--quiet", str(FOLDER / "parcels.git"), "main")


def wheel(version):
    """A wheel by itself (PEP 427)."""
    information = f"parcel-{version}.dist-info"
    files = {
        "parcel.py": f"VERSION = '{version}'\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: parcel\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{information}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{information}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def tarball(version):
    """A package as npm packs one."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in {
            "package/package.json": json.dumps({"name": "parcel", "version": version, "main": "index.js"}),
            "package/index.js": f"module.exports = '{version}';\n",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


make_repository()
WHEELS = {version: wheel(version) for version in VERSIONS}
TARBALLS = {version: tarball(version) for version in VERSIONS}
WITNESS = open(FOLDER / "witness", "a", buffering=1)
WRITING = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        body = self.body()
        with WRITING:
            head = {"line": self.requestline, "headers": self.headers.items()}
            WITNESS.write(json.dumps(head) + "\n")
        basic = base64.b64encode(f"job:{KEY}".encode()).decode()
        if self.headers.get("Authorization") not in (f"Bearer {KEY}", f"Basic {basic}"):
            return self.say(401, b"who are you?\n", {"WWW-Authenticate": 'Basic realm="target"'})
        path, _, query = self.path.partition("?")
        for prefix, serve in (
            ("/git/", self.serve_git),
            ("/simple/", self.serve_wheels),
            ("/npm/", self.serve_npm),
            ("/v1/", self.serve_api),
        ):
            if path.startswith(prefix):
                return serve(path.removeprefix(prefix), query, body)
        return self.say(404, b"nothing there\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def say(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def say_json(self, value):
        self.say(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def serve_api(self, path, query, body):
        if path == "gzip":
            return self.say(200, gzip.compress(b"squeezed " * 1000, mtime=0), {"Content-Encoding": "gzip"})
        if path == "cookies":
            return self.say(200, b"two", {"Set-Cookie": ["a=1; Path=/", "b=2; Path=/"]})
        if path == "redirect":
            return self.say(307, b"", {"Location": "echo?after=redirect"})
        if path == "nothing":
            return self.say(204)
        if path == "fault":
            return self.say(500, b"a fault of the target's own")
        if path == "same" and self.headers.get("If-None-Match") == '"1"':
            return self.say(304, b"", {"ETag": '"1"'})
        if path == "same":
            return self.say(200, b"the same as ever", {"ETag": '"1"'})
        if path == "range" and self.headers.get("Range") == "bytes=2-5":
            return self.say(206, b"cdef", {"Content-Range": "bytes 2-5/26"})
        if path == "pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(5):
                piece = f"piece {number}\n".encode() * 1000
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            return self.wfile.write(b"0\r\n\r\n")
        digest = hashlib.sha256(body).hexdigest()
        seen = {name.lower(): value for name, value in self.headers.items()}
        said = {name: seen.get(name) for name in ("content-type", "accept", "x-own", "cookie")}
        # Boundaries of multipart bodies are drawn anew each time.
        kind = (said.pop("content-type") or "").split(";")[0]
        length = None if kind.startswith("multipart/") else [len(body), digest]
        return self.say_json([self.command, path, query, kind, length, said])

    def serve_git(self, path, query, body):
        answered = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                **os.environ,
                "HOME": str(FOLDER),
                "GIT_PROJECT_ROOT": str(FOLDER),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": "/" + path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "postern",
            },
        ).stdout
        head, _, content = answered.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200 OK").split()[0])
        self.say(status, content, headers)

    def serve_wheels(self, path, _query, _body):
        if path == "parcel/":
            links = [f'<a href="../files/parcel-{v}-py3-none-any.whl">parcel-{v}-py3-none-any.whl</a>' for v in VERSIONS]
            page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
            return self.say(200, page.encode(), {"Content-Type": "text/html"})
        for version, packed in WHEELS.items():
            if path == f"files/parcel-{version}-py3-none-any.whl":
                return self.say(200, packed, {"Content-Type": "application/octet-stream"})
        return self.say(404, b"no such package\n")

    def serve_npm(self, path, _query, _body):
        public = FOLDER / "public_url"
        url = public.read_text() if public.exists() else f"http://{self.headers['Host']}"

        def told(version):
            packed = TARBALLS[version]
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
            place = f"{url}/npm/parcel/-/parcel-{version}.tgz"
            return {"name": "parcel", "version": version, "dist": {"tarball": place, "integrity": integrity}}

        if path == "parcel":
            versions = {version: told(version) for version in VERSIONS}
            return self.say_json({"name": "parcel", "dist-tags": {"latest": VERSIONS[-1]}, "versions": versions})
        for version, packed in TARBALLS.items():
            if path == f"parcel/-/parcel-{version}.tgz":
                return self.say(200, packed, {"Content-Type": "application/octet-stream"})
        return self.say(404, b"no such package\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
