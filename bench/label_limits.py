"""Four endpoints of different limits, asked as fast as they allow: is any exceeded, are all used?

The endpoints are on this machine, two limited by requests, one by tokens, one by both. The judge's
engine has more calls than they take. The server keeps when each call came and its tokens (prompt
and max_tokens). Counted are sliding minutes, one ending at every call, that hold more than a
limit; and the calls that came within the whole minutes of the run, as a share of what the limits
allow in these.

usage: python bench/label_limits.py [--seconds 130]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT))

from tests.unit.loopback import looped  # noqa: E402
from vlprm.config.access import Access, Endpoint  # noqa: E402
from vlprm.config.labels import JudgeConfig  # noqa: E402
from vlprm.engines.judges import ChatJudge  # noqa: E402
from vlprm.io.images import ImageStore  # noqa: E402
from vlprm.protocols import JudgeRequest  # noqa: E402
from vlprm.records import Message, Sample  # noqa: E402

from report import print_line  # noqa: E402

MINUTE = 60.0
MAX_TOKENS = 200
LIMITS: dict[str, tuple[int | None, int | None]] = {
    "a": (24, None), "b": (60, None), "c": (None, 8_000), "d": (36, 12_000),
}  # fmt: skip
"""Requests and tokens a minute."""


def requests(count: int) -> list[JudgeRequest]:
    """Calls of some 300 tokens each, MAX_TOKENS of them for the reply."""
    sample = Sample(id="q", question="?", images=(), answer="4", answer_type="integer")
    return [
        JudgeRequest(
            id=f"q#{item}",
            sample=sample,
            steps=(),
            messages=(Message(role="user", text=f"Check number {item}. " + "word " * 75),),
        )
        for item in range(count)
    ]


def allowed(requests_a_minute: int | None, tokens: int | None, each: float) -> float:
    """Calls a minute."""
    bounds = [requests_a_minute] if requests_a_minute else []
    return min([*bounds, *([tokens / each] if tokens else [])])


def exceeded(calls: list[dict[str, Any]], most: int | None, key: str | None) -> tuple[int, float]:
    """Sliding minutes over the limit, and the fullest one."""
    start = total = over = fullest = 0
    for call in calls:
        total += call[key] if key else 1
        while call["at"] - calls[start]["at"] >= MINUTE:
            total -= calls[start][key] if key else 1
            start += 1
        fullest = max(fullest, total)
        over += most is not None and total > most
    return over, fullest


def main() -> None:
    """Print a row per endpoint and the lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=130)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    with looped() as server, tempfile.TemporaryDirectory() as folder:
        access = Access(
            endpoints=tuple(
                Endpoint(
                    base_url=server.endpoint(name), requests_per_minute=most,
                    tokens_per_minute=tokens,
                )
                for name, (most, tokens) in LIMITS.items()
            ),
            account=str(Path(folder, "accounts.sqlite")), bill="m",
        )  # fmt: skip
        config = JudgeConfig(
            name="m", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=MAX_TOKENS,
            concurrency=64,
        )  # fmt: skip
        judge, answers = ChatJudge(config, ImageStore(), access), 0
        ends = 0.0
        for _, reply in judge.judge(requests(int(40 * args.seconds))):
            answers += reply.status == "ok"
            ends = ends or time.monotonic() + args.seconds
            if time.monotonic() > ends:
                break
        calls = sorted(server.record(), key=lambda call: call["at"])
    first, last = calls[0]["at"], calls[-1]["at"]
    minutes, over, most_calls = max(1, int((last - first) // MINUTE)), 0, 0.0
    each = sum(call["tokens"] for call in calls) / len(calls)
    for name, (most, tokens) in LIMITS.items():
        own = [call for call in calls if call["endpoint"] == name]
        too_many, fullest = exceeded(own, most, None)
        too_much, largest = exceeded(own, tokens, "tokens")
        over += too_many + too_much
        most_calls += allowed(most, tokens, each) * minutes
        row = {"endpoint": name, "calls": len(own), "requests": most, "fullest": fullest}
        print(json.dumps(row | {"tokens": tokens, "largest": largest}), flush=True)
    whole = sum(call["at"] - first < minutes * MINUTE for call in calls)
    row = {"calls": len(calls), "answers": answers, "seconds": round(last - first, 1)}
    print(json.dumps(row | {"in_whole_minutes": whole}))
    fine = [
        print_line("label_limits_exceeded", over, "sliding minutes", at_most=0),
        print_line("label_limits", whole / most_calls, "of the limits", at_least=0.9),
    ]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
