"""Chat endpoints on this machine that misbehave as a schedule says, and keep what they were asked.

One process of its own serves several endpoints (``/NAME/v1``). ``GET /record`` tells all calls,
``GET /forget`` clears them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

REPLY = "[Visual Elements]\n<analysis_2>\nwrong\n</analysis_2>\n<conclusion>Incorrect</conclusion>"
SLOW_S = 0.02
"""What a good answer takes."""
ANSWERS = ("ok", "filter", "filtered", "empty", "length")
"""Kinds that are answers: one call each is enough."""

Schedule = Callable[[int, int, dict[str, Any]], str]
"""Number of an item, of the try at it (from 1) and the body -> kind of what comes back."""


@dataclass
class Loopback:
    """``models``: what the endpoints list; ``keys``: those that they take, empty for any."""

    schedule: Schedule
    models: tuple[str, ...] = ("m",)
    keys: tuple[str, ...] = ()
    calls: list[dict[str, Any]] = field(default_factory=list)
    tries: dict[int, int] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                path = head.split()[1]
                if not await self.respond(head, path, body, writer):
                    break
        with contextlib.suppress(Exception):
            writer.close()

    async def respond(
        self, head: str, path: str, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer; whether the connection goes on."""
        if path in ("/record", "/forget"):
            data: Any = self.calls if path == "/record" else []
            if path == "/forget":
                self.calls, self.tries = [], {}
            return await said(writer, 200, data)
        key = re.search(r"(?i)(?:authorization: bearer|api-key:) (\S+)", head)
        if self.keys and (key is None or key[1] not in self.keys):
            return await said(writer, 401, {"error": {"message": "who are you?", "code": "key"}})
        if path.endswith("/models"):
            return await said(writer, 200, {"object": "list", "data": [
                {"id": name, "object": "model", "created": 1, "owned_by": "x"}
                for name in self.models
            ]})  # fmt: skip
        asked = json.loads(body)
        if not asked["messages"]:
            return await said(writer, 400, {"error": {"message": "no messages"}})
        parts = asked["messages"][0]["content"]
        text = "".join(part.get("text", "") for part in parts)
        found = re.search(r"[Cc]heck number (\d+)", text)
        item = int(found[1]) if found else -1
        self.tries[item] = self.tries.get(item, 0) + 1
        call = {
            "endpoint": path.split("/")[1], "item": item, "at": time.time(), "answered": None,
            "tokens": len(text) // 4 + asked["max_completion_tokens"],
        }  # fmt: skip
        self.calls.append(call)
        kind = self.schedule(item, self.tries[item], asked)
        went_on = await self.misbehave(kind, asked, len(text) // 4, writer)
        if kind in ANSWERS:
            call["answered"] = time.time()
        return went_on

    async def misbehave(
        self, kind: str, asked: dict[str, Any], prompt: int, writer: asyncio.StreamWriter
    ) -> bool:
        if kind in ("401", "429", "500", "503", "429after"):
            headers = {"retry-after": "0.2"} if kind == "429after" else {}
            return await said(writer, int(kind[:3]), {"error": {"message": "no"}}, headers)
        if kind == "filter":
            return await said(writer, 400, {"error": {"message": "x", "code": "content_filter"}})
        if kind == "reset":
            writer.transport.abort()
            return False
        if kind == "timeout":
            await asyncio.sleep(30)
            return False
        if kind == "trickle":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                         b"content-length: 9999\r\n\r\n")  # fmt: skip
            for _ in range(150):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.2)
            return False
        await asyncio.sleep(SLOW_S)
        reason = {"length": "length", "filtered": "content_filter"}.get(kind, "stop")
        message = {"role": "assistant", "content": "" if kind == "empty" else REPLY}
        answer = {
            "id": "x", "object": "chat.completion", "created": 1,
            "model": "another" if kind == "model" else asked["model"],
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": 50,
                      "total_tokens": prompt + 50},
        }  # fmt: skip
        if kind == "truncated":
            return await said(writer, 200, json.dumps(answer)[:80].encode())
        return await said(writer, 200, answer)


async def said(
    writer: asyncio.StreamWriter, status: int, data: Any, headers: dict[str, str] | None = None
) -> bool:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    writer.write(
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    return True


def _run(loopback: Loopback, told: Any) -> None:
    async def forever() -> None:
        server = await asyncio.start_server(loopback.serve, "127.0.0.1", 0, limit=1 << 24)
        told.send(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    asyncio.run(forever())


class Client:
    """What the test or bench has of the other process."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def endpoint(self, name: str = "a") -> str:
        return f"{self.url}/{name}/v1"

    def record(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/record", timeout=60) as answer:
            return list(json.load(answer))

    def forget(self) -> None:
        urllib.request.urlopen(f"{self.url}/forget", timeout=60).read()


@contextlib.contextmanager
def looped(schedule: Schedule = lambda item, number, body: "ok", **more: Any) -> Iterator[Client]:
    """The endpoints while the block runs."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=_run, args=(Loopback(schedule, **more), theirs), daemon=True)
    process.start()
    try:
        yield Client(mine.recv())
    finally:
        process.kill()
        process.join()
