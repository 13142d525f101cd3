"""The command line: one message for a user's mistake, exit status 2, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vlprm.cli.arguments import parse, paths
from vlprm.config.slices.judge import JudgeSlice
from vlprm.errors import UserError


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


def test_a_mistake_is_one_message() -> None:
    data = {"kind": "mmmu", "path": "data/mmmu", "origin": "the Hub", "n": 1, "shard_size": 1}
    done = call("absent", "mmmu", "--config", json.dumps(data))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "data/mmmu" in done.stderr
    assert "the Hub" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("score", "--samples", "a", "--samples", "b"), "--samples"),
        (("score", "--samples", "a", "--samples=a"), "--samples"),
        (("train", "--workers", "1", "--base", "x", "--workers", "2"), "--workers"),
        (("absent", "mmmu", "--config", "{}", "--config", "{}"), "--config"),
        (("fetch-plan", "--online", "--online"), "--online"),
        (("rehearse", "--questions", "1", "--dry-run", "--questions", "2"), "--questions"),
    ],
)
def test_an_option_given_twice_is_one_line(arguments: tuple[str, ...], name: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert done.stderr == f"error: {name}: given 2 times; give it once\n"


def test_what_takes_a_list_may_be_given_twice() -> None:
    done = call("fetch-plan", "--profile", "no-such-1", "--profile", "no-such-2")
    assert "given 2 times" not in done.stderr
    assert "no-such-1" in done.stderr
