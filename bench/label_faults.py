"""A judge whose endpoints fail 30 % of its items, undisturbed and killed: all are accounted for.

Two endpoints on this machine misbehave by a schedule drawn for every item: 429 with and without
Retry-After, 500, 503, no answer, a slow trickle, a reset, JSON that ends too early, an answer of
another model (each at the first one to three tries); a content filter, an empty reply, a reply cut
at its limit (answers that stay so); and some items that are never answered. The judge stage runs
over 2,000 rollouts until nothing but these is open, and once more with `errors: final`. Then again
from nothing, killed (SIGKILL) at ten random moments. Counted are items that are missing, there
twice or end otherwise than scheduled; files whose bytes differ; and, on the server, calls for items
whose answer was on disk; and answers that a kill lost, at most as many as were under way.

usage: python bench/label_faults.py [--items 2000] [--kills 10] [--timeout 4] [--concurrency 48]
(where other work leaves this one little of the processors: a longer timeout, fewer at a time)
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import openai.types.chat  # noqa: E402, F401  every child has it

from tests.unit.loopback import ANSWERS, Client, looped  # noqa: E402
from tests.unit.puzzles import SPEC, questions  # noqa: E402
from vlprm.config.access import Access, Endpoint  # noqa: E402
from vlprm.config.labels import JudgeConfig  # noqa: E402
from vlprm.config.slices.judge import JudgeSlice  # noqa: E402
from vlprm.engines.chat import dispatch  # noqa: E402
from vlprm.engines.recorded import judge_key  # noqa: E402
from vlprm.errors import UserError  # noqa: E402
from vlprm.io import parquet  # noqa: E402
from vlprm.io.solved import solved  # noqa: E402
from vlprm.ledger.file import answered, ledger_of  # noqa: E402
from vlprm.protocols import Completion  # noqa: E402
from vlprm.records import Rollout, Sample, Verdict  # noqa: E402
from vlprm.seeds import seed_for  # noqa: E402
from vlprm.solutions.rollouts import to_rollout  # noqa: E402
from vlprm.sources.matrix import make_puzzle  # noqa: E402
from vlprm.sources.matrix_text import solution  # noqa: E402
from vlprm.stages import judge  # noqa: E402

from report import print_line  # noqa: E402

PASSING = ("429after", "429", "500", "503", "timeout", "trickle", "reset", "truncated", "model")
STAYING = ("filter", "filtered", "empty", "length")
NEVER = 5
"""Items that no try answers; fewer than make an engine count as down."""
FAULTS = 0.3
EXPECTED = {"filter": "refused", "filtered": "refused", "empty": "unparsed", "length": "unparsed"}
QUESTIONS = 20


def fault(item: int) -> tuple[str, int]:
    """An item's fault, and at how many of its first tries it shows."""
    if item < NEVER:
        return "500", 10**9
    if seed_for(5, "faulty", item) % 1000 >= FAULTS * 1000:
        return "ok", 0
    kind = (PASSING + STAYING)[seed_for(5, "kind", item) % len(PASSING + STAYING)]
    return kind, 10**9 if kind in STAYING else 1 + seed_for(5, "tries", item) % 3


def number_of(rollout: str) -> int:
    """The item, which is the rollout's number."""
    return int(rollout.rpartition("#")[2])


def schedule(item: int, number: int, body: dict[str, Any]) -> str:
    kind, tries = fault(item)
    return kind if number <= tries else "ok"


def aside(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, done in a process of its own: libraries that start threads when they
    read a table must not have done so here, where the stage's processes are forked off."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        with os.fdopen(write, "w") as file:
            json.dump(work(), file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        said = file.read()
    os.waitpid(process, 0)
    return json.loads(said)


class Shard:
    """Rollouts told apart by a number in their text, and the stage that judges them."""

    def __init__(
        self, folder: Path, items: int, server: Client, timeout: int, concurrency: int
    ) -> None:
        self.items, self.timeout, self.concurrency = items, timeout, concurrency
        self.files = {name: folder / f"{name}.parquet" for name in ("s", "i", "r", "v")}
        self.access = Access(
            endpoints=tuple(Endpoint(base_url=server.endpoint(name)) for name in "ab"),
            late_tries=5,
        )
        self.keys: dict[str, int] = aside(self._made)
        assert len(self.keys) == items, "every item is a request of its own"

    def _made(self) -> dict[str, int]:
        """Write the tables; the ledger's keys and their items."""
        samples, store = questions(QUESTIONS)
        texts = [solution(make_puzzle(SPEC, 77, number)) for number in range(QUESTIONS)]
        rollouts = []
        for item in range(self.items):
            which = item * QUESTIONS // self.items
            head, _, rest = texts[which].partition("\n")
            text = f"{head}\nThis is check number {item}.\n{rest}"
            drawn = Completion(text, "stop", None, 1, 1)
            rollouts.append(
                to_rollout(samples[which], "small", item, drawn, seed=0, layout="blank_lines")
            )
        keys = {"dataset": "d", "shard": "000"}
        parquet.write(samples, self.files["s"], Sample, keys=keys)
        store.save(self.files["i"])
        parquet.write(rollouts, self.files["r"], Rollout, keys=keys | {"policy": "small"})
        said, own = self.config("open"), solved(self.files["s"], self.files["r"])
        return {
            judge_key(said.judge, request).hex(): number_of(request.id)
            for request in judge.plan(said, own.questions, own.solutions)
        }

    def config(self, errors: str) -> JudgeSlice:
        return JudgeSlice(
            judge=JudgeConfig(
                name="m", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=99,
                concurrency=self.concurrency, errors=errors,
            )
        )  # fmt: skip

    def start(self, errors: str = "open") -> int:
        """The stage in a process of its own, all modules imported; its id."""
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        code = 0
        try:
            logging.disable(logging.INFO)
            dispatch.FIRST_WAIT_S = 0.1
            files = (self.files[name] for name in "sirv")
            access = self.access.model_dump_json(exclude_defaults=True)
            judge.run(self.config(errors), *files, timeout_seconds=self.timeout, access=access)
        except UserError as error:
            code = 2 if "have no answer yet" in str(error) else 3
            if code == 3:
                print(error, file=sys.stderr, flush=True)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            code = 4
        os._exit(code)

    def finish(self) -> int:
        """Run until all but those that never answer are answered, then give these up; runs."""
        runs = 0
        while len(self.known()) < len(self.keys) - NEVER:
            runs += 1
            assert runs < 20, "items that have an answer do not get it"
            code = os.waitstatus_to_exitcode(os.waitpid(self.start(), 0)[1])
            assert code == 2, f"exit status {code}"
        assert os.waitstatus_to_exitcode(os.waitpid(self.start("final"), 0)[1]) == 0
        return runs + 1

    def known(self) -> set[int]:
        """Items whose answer is on disk."""
        return {self.keys[key.hex()] for key in answered(ledger_of(self.files["v"]))}

    def digests(self) -> list[str]:
        verdicts = self.files["v"]
        both = verdicts, verdicts.with_name(verdicts.name + ".manifest.json")
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in both]

    def wrong(self) -> int:
        """Items that are missing, there twice, or end otherwise than scheduled."""
        return int(aside(self._wrong))

    def _wrong(self) -> int:
        rows = parquet.read(self.files["v"], Verdict)
        seen = collections.Counter(number_of(row.rollout_id) for row in rows)
        found = sum(seen[item] != 1 for item in range(self.items))
        for row in rows:
            item = number_of(row.rollout_id)
            expected = "error" if item < NEVER else EXPECTED.get(fault(item)[0], "ok")
            reasoned = row.status == "ok" or bool(row.reason)
            found += row.status != expected or not reasoned
        return found

    def clear(self) -> None:
        for path in self.files["v"].parent.glob("v.parquet*"):
            path.unlink()


def killed(shard: Shard, server: Client, kills: int) -> tuple[int, int, int]:
    """Kill the stage at random moments and let it end: kills, calls for items whose answer was on
    disk, and for items answered but not yet on disk when the process died."""
    moments = np.random.default_rng(20261127)
    done = on_disk = on_the_wire = seen = 0
    while done < kills:
        left = len(shard.keys) - NEVER - len(shard.known())
        wanted = int(moments.integers(1, max(2, left // (kills - done)))) if left else 0
        before = len(shard.known())
        process = shard.start()
        ended = 0
        while not ended and len(shard.known()) < before + wanted:
            time.sleep(0.1)
            ended = os.waitpid(process, os.WNOHANG)[0]
        if not ended:
            time.sleep(moments.uniform(0, 0.2))
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        done += not ended
        again, wire, seen = judged(shard, server, seen)
        on_disk, on_the_wire = on_disk + again, on_the_wire + wire
    shard.finish()
    again, wire, _ = judged(shard, server, seen)
    return done, on_disk + again, on_the_wire + wire


_DISK: set[int] = set()
_TOLD: set[int] = set()


def judged(shard: Shard, server: Client, seen: int) -> tuple[int, int, int]:
    """Of the calls since the last look: those for answered items; then what is on disk now."""
    calls = server.record()
    again = sum(call["item"] in _DISK for call in calls[seen:])
    wire = sum(call["item"] in _TOLD - _DISK for call in calls[seen:])
    _DISK.update(shard.known())
    _TOLD.update(call["item"] for call in calls if call["answered"])
    return again, wire, len(calls)


def main() -> None:
    """Print a row of what was asked, and the lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--timeout", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=48)
    args = parser.parse_args()
    folder, began = Path(tempfile.mkdtemp(prefix="label-faults-")), time.monotonic()
    with looped(schedule) as server:
        shard = Shard(folder, args.items, server, args.timeout, args.concurrency)
        kinds = collections.Counter(fault(item)[0] for item in range(args.items))
        runs = shard.finish()
        calls = server.record()
        wrong, whole = shard.wrong(), shard.digests()
        times = collections.Counter(call["item"] for call in calls if call["answered"])
        twice = sum(n > 1 for n in times.values())
        row = {"items": args.items, "kinds": kinds, "calls": len(calls), "runs": runs}
        row |= {"wrong": wrong, "answered_twice": twice}
        print(json.dumps(row | {"seconds": round(time.monotonic() - began)}), flush=True)
        shard.clear()
        server.forget()
        kills, again, wire = killed(shard, server, args.kills)
        wrong += shard.wrong()
        differ = sum(a != b for a, b in zip(whole, shard.digests(), strict=True))
        row = {"kills": kills, "calls": len(server.record()), "answered_unseen_asked_again": wire}
        print(json.dumps(row | {"seconds": round(time.monotonic() - began)}), flush=True)
    shutil.rmtree(folder)
    assert set(ANSWERS) >= {*STAYING, "ok"}
    fine = [
        print_line("label_faults_kills", kills, "kills", at_least=args.kills),
        print_line("label_faults_bytes_differ", differ, "files", at_most=0),
        print_line("label_faults_asked_again", again + twice, "calls", at_most=0),
        print_line("label_faults_lost", wire, "answers", at_most=kills * args.concurrency),
        print_line("label_faults", wrong, "items", at_most=0),
    ]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
