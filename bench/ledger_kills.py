"""Every stage that asks a model, killed at random moments until it ends: same bytes, nothing twice.

The nano run's own commands, taken from Snakemake, in batches of a few questions. A stage runs once
undisturbed. Then it is killed (SIGKILL) at random moments between its first call and its last,
started again, killed again, and at last left alone. Counted are outputs, manifests and ledgers
whose bytes differ from the undisturbed run's, and calls that an engine was given although the
ledger held their answer when the process began. The judge asks an address on this machine, which
counts too: what it had answered for good and was asked again, beyond the one call under way.

usage: python bench/ledger_kills.py [--kills 4]    (per stage; six stages)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tests.unit.endpoint import Answer, Endpoint, serving  # noqa: E402
from tests.workflow.runs import Workdir, nano  # noqa: E402

from report import print_line  # noqa: E402

SMALL = {
    "rollout": {"QUESTIONS_PER_BATCH": 1},
    "estimate": {"CONTINUATIONS_PER_BATCH": 20},
    "judge": {"ROLLOUTS_PER_BATCH": 4},
    "score": {"ROLLOUTS_PER_BATCH": 2},
    "search": {"QUESTIONS_PER_BATCH": 2},
}
"""What makes a shard of nano many calls; in this bench alone."""
REPLY = "<conclusion>\nCorrect\n</conclusion>"


def child(stage: str, asked: Path, arguments: list[str]) -> None:
    """The stage's command in small batches; every call that an engine gets is noted."""
    from importlib import import_module

    from vlprm.cli import main
    from vlprm.ledger.book import Book

    module = import_module(f"vlprm.stages.{stage}")
    for name, value in SMALL[stage].items():
        assert hasattr(module, name)
        setattr(module, name, value)
    asking = Book.asking

    def noted(self: Book, key: bytes, *others: Any) -> Any:
        with asked.open("a") as file:
            file.write(f"{os.getpid()} {key.hex()} {int(self.holds(key))}\n")
        return asking(self, key, *others)

    Book.asking = noted  # type: ignore[method-assign]
    sys.argv = ["vlprm", *arguments]
    main()


@dataclass
class Command:
    """One stage's command on one shard, and where it writes."""

    rule: str
    stage: str
    arguments: list[str]
    outputs: list[Path]

    def start(self, folder: Path, asked: Path, log: Path) -> subprocess.Popen[bytes]:
        line = [sys.executable, __file__, "--child", self.stage, str(asked), *self.arguments]
        with log.open("ab") as told:
            return subprocess.Popen(
                line,
                cwd=folder,
                env=os.environ | {"JUDGE_KEY": "none", "OMP_NUM_THREADS": "1"},
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    def digests(self) -> dict[str, str]:
        found = {}
        for output in self.outputs:
            for path in sorted(output.parent.glob(f"{output.name}*")):
                if not path.name.endswith((".timing.json", ".running.json")):
                    found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def clear(self) -> None:
        for output in self.outputs:
            for path in output.parent.glob(f"{output.name}*"):
                path.unlink()


def commands(workdir: Workdir, config: dict[str, Any]) -> dict[str, Command]:
    """One command per rule that asks a model, on its first shard; all before them is made."""
    targets = {}
    for rule, outputs in workdir.planned(config).items():
        if rule in ("rollout", "estimate", "judge", "score", "rank", "search"):
            targets[rule] = min(outputs)
    found = {}
    for rule, target in targets.items():
        workdir.run(config, target)
        printed = workdir.run(config, "--dry-run", "--printshellcmds", "--force", target).stdout
        (line,) = re.findall(
            rf"^(?:Shell command:)?\s*python -m vlprm\.cli (.*{re.escape(target)}.*) > ",
            printed,
            re.MULTILINE,
        )
        arguments = shlex.split(line)
        named = ("--rollouts", "--scores") if rule == "search" else None
        stage = arguments[0]
        outputs = [workdir.path / target]
        if named:
            outputs = [workdir.path / arguments[arguments.index(name) + 1] for name in named]
        found[rule] = Command(rule, stage, arguments, outputs)
    return found


def calls(asked: Path) -> list[tuple[str, str, bool]]:
    if not asked.exists():
        return []
    rows = [line.split() for line in asked.read_text().splitlines()]
    return [(pid, key, held == "1") for pid, key, held in rows]


def tried(
    command: Command, folder: Path, kills: int, moments: np.random.Generator, endpoint: Endpoint
) -> dict[str, int]:
    """Run undisturbed, then killed; what differs, and what was asked although it was known."""
    asked, log = folder / f"{command.rule}.asked", folder / f"{command.rule}.log"
    command.clear()
    assert command.start(folder, asked, log).wait() == 0, log.read_text()[-2000:]
    whole, total = command.digests(), len(calls(asked))
    command.clear()
    asked.unlink()
    endpoint.asked.clear()
    killed = 0
    while killed < kills:
        before = len(calls(asked))
        left = max(1, total - before)
        wanted = before + int(moments.integers(1, max(1, left // (kills - killed)) + 1))
        process = command.start(folder, asked, log)
        while process.poll() is None and len(calls(asked)) < wanted:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.15))
        if process.poll() is not None:
            break  # it had ended: what is left is too little to be killed in
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed += 1
    assert command.start(folder, asked, log).wait() == 0, log.read_text()[-2000:]
    again = command.digests()
    # an answer on disk is never asked for; a call that was under way at a kill is, once more
    made = [key for _, key, _ in calls(asked)]
    paid = [json.dumps(body, sort_keys=True) for body in endpoint.asked]
    return {
        "calls": total,
        "kills": killed,
        "differ": sum(whole.get(name) != again.get(name) for name in whole | again),
        "asked_again": sum(held for _, _, held in calls(asked))
        + max(0, repeated(made) - killed)
        + max(0, repeated(paid) - killed),
    }


def repeated(names: list[str]) -> int:
    """How often a name occurs that occurred before."""
    return len(names) - len(set(names))


def main() -> None:
    """Print a row per stage and the lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--child", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]), args.child[2:])
        return
    moments = np.random.default_rng(20250930)
    folder = Path(tempfile.mkdtemp(prefix="ledger-kills-"))
    rows = []

    def answer(number: int, body: dict[str, Any]) -> Answer:
        time.sleep(0.05)
        return 200, "stop", REPLY

    with serving(answer) as endpoint:
        workdir = Workdir(folder / "run")
        os.environ["JUDGE_KEY"] = "none"
        for command in commands(workdir, judged_at(endpoint, nano())).values():
            row = {
                "stage": command.rule,
                **tried(command, workdir.path, args.kills, moments, endpoint),
            }
            print(json.dumps(row), flush=True)
            rows.append(row)
    shutil.rmtree(folder)
    kills = sum(row["kills"] for row in rows)
    fine = [
        print_line("ledger_kills", kills, "kills", at_least=20),
        print_line("ledger_bytes_differ", sum(row["differ"] for row in rows), "files", at_most=0),
        print_line(
            "ledger_asked_again", sum(row["asked_again"] for row in rows), "calls", at_most=0
        ),
    ]
    sys.exit(0 if all(fine) else 1)


def judged_at(endpoint: Endpoint, config: dict[str, Any]) -> dict[str, Any]:
    """Nano with a judge behind an address."""
    config["labels"]["judge"] = {
        "name": "remote", "engine": "api", "prompt": "judge_stepwise_v1", "model": "m",
        "base_url": endpoint.url, "api_key_env": "JUDGE_KEY", "max_tokens": 99,
        "temperature": None, "concurrency": 1,
    }  # fmt: skip
    return config


if __name__ == "__main__":
    main()
