"""Commands read off the stages: every stage has one, and only the one called is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from typer.testing import CliRunner

from vlprm.cli import app
from vlprm.cli.stages import STAGES, _annotation, command
from vlprm.stages import VERSIONS, Argument, In, Out


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, " ".join(done.output.split())


def options(stage: str) -> dict[str, bool]:
    """Names on the command line -> whether they must be given."""
    return {item.opts[0]: item.required for item in command(stage).params}


def test_every_stage_is_listed() -> None:
    status, shown = call("--help")
    assert status == 0
    assert set(STAGES.values()) == set(VERSIONS)
    assert all(f" {name} " in shown for name in STAGES)
    people, rules = shown.split("Stages, called by the workflow's rules")
    assert all(f" {name} " in people for name in ("doctor", "manifest", "verify", "crate"))
    assert " train " in rules


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_explains_itself(name: str) -> None:
    status, shown = call(name, "--help")
    assert status == 0, shown
    assert f"Usage: root {name}" in shown
    assert "``" not in shown


@pytest.mark.parametrize("arguments", ["--help", "doctor --help", "no-such-stage"])
def test_a_call_imports_no_stage_but_its_own(arguments: str) -> None:
    code = (
        "import sys, vlprm.cli; sys.argv = ['vlprm', *sys.argv[1:]]\n"
        "try: vlprm.cli.main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('vlprm.stages.')"
        " or m in ('numpy', 'polars', 'pyarrow', 'torch')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wrong_name_is_told_with_those_like_it() -> None:
    status, said = call("grdae")
    assert status == 2
    assert "Did you mean 'grade'" in said


def test_a_stage_that_runs_models_asks_where_they_stand() -> None:
    placed = {stage for stage in VERSIONS if "--placement" in options(stage)}
    assert placed >= {"rollout", "estimate", "score", "search", "train"}
    assert not placed & {"judge", "grade", "select", "base"}


def test_defaults_and_bounds_are_those_of_the_stage(tmp_path: Path) -> None:
    asked = options("train")
    assert (asked["--workers"], asked["--save-minutes"], asked["--base"]) == (False, False, True)
    given = [word for name, must in asked.items() if must for word in (name, "x")]
    status, said = call("train", *given, "--workers", "-1")
    assert status == 2
    assert "--workers" in said


def test_what_people_call_is_given_by_place(tmp_path: Path) -> None:
    status, said = call("verify", str(tmp_path / "a.json"))
    assert status == 2
    assert "expected" in said.lower()


def test_a_mistake_in_the_slice_is_told_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "x.parquet"
    command = [sys.executable, "-m", "vlprm.cli", "grade", "--samples", "s", "--rollouts", "r"]
    done = subprocess.run(
        [*command, "--grades", str(out), "--config", json.dumps({"kind": "mmmu"})],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --config: scorer_version: ")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_annotation_that_says_nothing_is_refused() -> None:
    for silent in (Path, list[Path], Annotated[Path, "a file"]):
        with pytest.raises(TypeError, match=r"annotate it with vlprm\.stages\.Argument"):
            _annotation(silent)
    for said in (In, Out, list[In], Annotated[int, Argument("how many", least=0)]):
        assert _annotation(said)
