"""An OpenAI-compatible address that keeps what it was asked and answers as a test says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Answer = tuple[int, str, str]
"""HTTP status, finish reason, text; with the reason ``raw`` the text is the whole body."""


class Endpoint:
    """``answer``: from the number of a request (from 1) and its body to an answer."""

    def __init__(self, answer: Callable[[int, dict[str, Any]], Answer]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer, self.lock = answer, Lock()
        self.url = ""

    def respond(self, body: dict[str, Any]) -> tuple[int, bytes]:
        with self.lock:
            self.asked.append(body)
            number = len(self.asked)
        status, reason, text = self.answer(number, body)
        if reason == "raw":
            return status, text.encode()
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": reason, "message": message}
        found = {
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        }  # fmt: skip
        return status, json.dumps(found if status == 200 else {"error": {"message": text}}).encode()


@contextlib.contextmanager
def serving(answer: Callable[[int, dict[str, Any]], Answer]) -> Iterator[Endpoint]:
    """The address while the block runs."""
    endpoint = Endpoint(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, data = endpoint.respond(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("x-should-retry", "false")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client waited no longer
                self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
