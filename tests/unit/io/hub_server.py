"""A server on this machine that speaks the part of the Hub's API that a download uses."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REVISION = "a" * 40
RESOLVE = re.compile(r"^/(?:datasets/)?(owner/[\w-]+)/resolve/([0-9a-f]{40})/(.+)$")
INFO = re.compile(r"^/api/(?:models|datasets)/(owner/[\w-]+)/revision/([0-9a-f]{40})$")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was killed has closed its end: no news."""


class HubServer:
    """One repository, ``owner/name``, with files of two kinds: by sha256 and by git blob.

    Faults, set by a test: ``cuts`` (how many bodies to cut off half-way), ``stall`` (send half
    a body, then wait), ``token`` (wanted; else 401), ``corrupt`` (a file whose bytes are not the
    stated ones), ``status`` (answer everything with it). ``xet`` offers that protocol, too.
    """

    def __init__(self, files: dict[str, bytes], large: set[str]) -> None:
        self.files, self.large = files, large
        self.revision = REVISION
        self.cuts, self.stall, self.status, self.xet = 0, False, 0, False
        self.token: str | None = None
        self.corrupt: str | None = None
        self.stalled, self.released = threading.Event(), threading.Event()
        self.requests: list[tuple[str, str, str | None]] = []
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def info(self, repo: str) -> dict[str, Any]:
        return {
            "id": repo,
            "sha": self.revision,
            "siblings": [self._sibling(name, data) for name, data in self.files.items()],
        }

    def _sibling(self, name: str, data: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
        if name in self.large:
            sha256 = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
        return entry

    def ranges(self, name: str) -> list[str | None]:
        """The Range header of every GET of a file."""
        return [r for verb, path, r in self.requests if verb == "GET" and path.endswith(name)]


def _handler(server: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _answer(self, body: bool) -> None:
            path = urlsplit(self.path).path
            server.requests.append((self.command, path, self.headers.get("Range")))
            if server.status:
                return self._refuse(server.status, "ServerError")
            if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                has_token = "Authorization" in self.headers
                return self._refuse(403 if has_token else 401, "GatedRepo")
            if match := INFO.match(path):
                if match[2] != server.revision:
                    return self._refuse(404, "RevisionNotFound")
                return self._json(server.info(match[1]))
            match = RESOLVE.match(path)
            if match is None or match[3] not in server.files:
                return self._refuse(404, "EntryNotFound")
            return self._file(match[3], body)

        def _json(self, data: object) -> None:
            content = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _file(self, name: str, body: bool) -> None:
            data = server.files[name]
            etag = hashlib.sha256(data).hexdigest()
            start = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
            if name == server.corrupt:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", server.revision)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("Content-Length", str(len(data) - start))
            if server.xet:
                self.send_header("X-Xet-Hash", etag)
                self.send_header("X-Xet-Refresh-Route", f"{server.url}/xet")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if body:
                self._body(data[start:], name)

        def _body(self, data: bytes, name: str) -> None:
            half = len(data) * 2 // 3
            if name in server.large and server.cuts:
                server.cuts -= 1
                self.wfile.write(data[:half])
                self.close_connection = True
            elif name in server.large and server.stall:
                self.wfile.write(data[:half])
                self.wfile.flush()
                server.stalled.set()
                server.released.wait(30)
                self.close_connection = True
            else:
                self.wfile.write(data)

    return Handler
