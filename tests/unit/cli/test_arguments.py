"""The command line: one message for a user's mistake, exit status 2, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vlprm.cli.arguments import parse, paths
from vlprm.config.slices import JudgeSlice
from vlprm.errors import UserError
from vlprm.stages import VERSIONS


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlprm.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_a_slice_names_its_wrong_key() -> None:
    with pytest.raises(UserError, match=r"judge\.engine"):
        parse(JudgeSlice, json.dumps({"judge": {"name": "x", "engine": "oracle", "prompt": "p"}}))


def test_paths_are_separated_by_blanks() -> None:
    assert [str(path) for path in paths("a b")] == ["a", "b"]
    assert not paths("")


def test_every_stage_has_a_command() -> None:
    shown = call("--help").stdout
    assert all(f" {stage.replace('_', '-')} " in shown for stage in VERSIONS)


def test_a_mistake_is_one_message() -> None:
    data = {"kind": "mmmu", "path": "data/mmmu", "origin": "the Hub", "n": 1, "shard_size": 1}
    done = call("absent", "mmmu", "--config", json.dumps(data))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "data/mmmu" in done.stderr
    assert "the Hub" in done.stderr
    assert "Traceback" not in done.stderr
