"""What a judge is shown: numbered steps, whatever layout the policy writes."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.unit.puzzles import SPEC, questions
from vlprm.config.labels import JudgeConfig
from vlprm.config.slices import JudgeSlice
from vlprm.io import tables
from vlprm.protocols import Completion
from vlprm.records import Rollout, Sample, Verdict
from vlprm.rollouts import to_rollout
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_text import solution
from vlprm.stages import judge

REPLY = "[Visual Elements]\n<analysis_2>\nwrong\n</analysis_2>\n<conclusion>Incorrect</conclusion>"


class Endpoint(BaseHTTPRequestHandler):
    """An OpenAI-compatible address that keeps what it was asked."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        if len(self.asked) == 2:  # the second solution is refused
            choice = {"index": 0, "finish_reason": "content_filter", "message": message("")}
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": message(REPLY)}
        found = {
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        }  # fmt: skip
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        del args


def message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def test_an_api_judge_from_request_to_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, daemon=True).start()
    samples, store = questions(2)
    rollouts = [
        to_rollout(
            sample,
            0,
            Completion(solution(make_puzzle(SPEC, 77, index)), "stop", None, 1, 1),
            seed=0,
            layout="blank_lines",
        )
        for index, sample in enumerate(samples)
    ]
    files = {name: tmp_path / f"{name}.parquet" for name in ("s", "i", "r", "v")}
    tables.write(samples, files["s"], Sample)
    store.save(files["i"])
    tables.write(rollouts, files["r"], Rollout)
    monkeypatch.setenv("JUDGE_KEY", "secret-key")
    config = JudgeConfig(
        name="m", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=99,
        base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key_env="JUDGE_KEY",
        concurrency=1,
    )  # fmt: skip
    judge.run(JudgeSlice(judge=config), files["s"], files["i"], files["r"], files["v"])
    server.shutdown()
    first, second = tables.read(files["v"], Verdict)
    assert (first.status, first.first_error) == ("ok", 1)
    assert second.status == "refused"
    parts = Endpoint.asked[0]["messages"][0]["content"]
    text = next(part["text"] for part in parts if part["type"] == "text")
    assert "<step_1>" in text
    assert "[Visual Elements]" in text
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert [url.partition(",")[0] for url in urls] == ["data:image/png;base64"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret-key" not in written
