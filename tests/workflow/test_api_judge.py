"""A judge behind several addresses, in a real workflow.

Its key is written nowhere, moving it reruns nothing, and no money is spent before somebody has said
how much."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.loopback import Client, looped
from tests.workflow.runs import Workdir, nano

KEY = "sk-this-key-must-appear-nowhere-7f3a"
TARGET = "results/nano/verdicts/small/matrix-train/000.parquet"
PRICES = {"m": {"input": 1.0, "output": 4.0, "currency": "USD"}}


def config_of(server: Client, *names: str, **more: Any) -> dict[str, Any]:
    """The smallest run with a judge at these endpoints."""
    config = nano()
    config["prices"] = PRICES
    config["labels"]["judge"] = {
        "name": "chat", "engine": "api", "prompt": "judge_stepwise_v1", "model": "m",
        "max_tokens": 99, "concurrency": 4, "budget": 5.0,
        "endpoints": [
            {"base_url": server.endpoint(name), "key_env": "LOOP_KEY", "requests_per_minute": 6000}
            for name in names
        ],
    } | more  # fmt: skip
    return config


def command_lines(stop: threading.Event, seen: set[str]) -> None:
    """What every process of this machine is called with, as ``ps`` shows it to anyone."""
    while not stop.wait(0.05):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_KEY", KEY)


def test_a_key_is_written_nowhere_and_endpoints_move_freely(tmp_path: Path) -> None:
    workdir, seen, stop = Workdir(tmp_path / "run"), set(), threading.Event()
    with looped(keys=(KEY,)) as server:
        unpaid = workdir.run(config_of(server, "a", budget=None), TARGET, check=False)
        assert unpaid.returncode
        assert "labels.judge.budget" in unpaid.stdout
        assert server.record() == []
        watching = threading.Thread(target=command_lines, args=(stop, seen), daemon=True)
        watching.start()
        ran = workdir.run(config_of(server, "a", "b"), TARGET)
        stop.set()
        watching.join()
        calls = server.record()
        assert {call["endpoint"] for call in calls} == {"a", "b"}
        moved = workdir.run(config_of(server, "c", budget="unlimited"), "--dry-run", TARGET)
        assert "Nothing to be done" in moved.stdout
        # asked again from nothing but its ledger: nothing is sent to the new place
        (workdir.path / TARGET).unlink()
        workdir.run(config_of(server, "c"), TARGET)
        assert len(server.record()) == len(calls)
    assert any("vlprm.cli judge" in line for line in seen)
    assert not [line for line in seen if KEY in line]
    assert KEY not in ran.stdout
    written = [path for path in workdir.path.rglob("*") if path.is_file() and not path.is_symlink()]
    folders = {path.relative_to(workdir.path).parts[0] for path in written}
    assert {"results", "logs", ".snakemake"} <= folders
    for suffix in (".ledger", ".manifest.json", ".sqlite", ".log"):
        assert any(path.name.endswith(suffix) for path in written), suffix
    found = subprocess.run(
        ["grep", "-rlF", KEY, *sorted(folders)], cwd=workdir.path, capture_output=True, text=True
    )
    assert found.stdout == ""
