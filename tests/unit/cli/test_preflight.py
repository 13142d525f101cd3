"""``vlprm doctor`` and ``vlprm fetch-plan`` as a user calls them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workflow.runs import NANO, ROOT
from vlprm.cli import app


def call(*arguments: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output.splitlines()


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status, lines = call("doctor", "--profile", "profiles/mini")
    assert (status, lines[-1]) == (0, "ready")
    assert lines[0].split() == ["ok", "configuration", "configs/mini.yaml,", "run", "mini"]
    assert all(re.match(r"(ok  |warn)  \S", line) for line in lines[:-1])


def test_what_is_missing_is_one_line_each(tmp_path: Path) -> None:
    status, lines = call("doctor", "--configfile", str(NANO), "--target-dir", str(tmp_path))
    assert (status, lines[-1][:4]) == (2, "1 of")
    (failed,) = [line for line in lines if line.startswith("FAIL")]
    assert "models/mini/small/model.safetensors (models.small)" in failed
    assert "  -> put them there" in failed


def test_a_wrong_configuration_is_a_finding_among_others(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("run: x\nsead: 1\n")
    status, lines = call("doctor", "--configfile", str(tmp_path / "run.yaml"))
    assert status == 2
    wrong = [line for line in lines if line.startswith("FAIL  configuration")]
    assert any("run.yaml:2: sead: unknown key; did you mean 'seed'?" in line for line in wrong)
    assert any("models: missing" in line for line in wrong)
    assert lines[-1].startswith(f"{len(wrong)} of ")
    assert any("write access" in line for line in lines)


def test_the_papers_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status, lines = call("fetch-plan", "--target-dir", str(tmp_path))
    assert (status, lines[5]) == (0, "5 of 5 to fetch, about 170.3 GB")
    assert all(line.startswith("missing  model      ") for line in lines[:5])


def test_data_that_no_hub_holds_is_listed_with_place_and_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    _, lines = call("fetch-plan", "--target-dir", str(tmp_path))
    assert lines[-1] == "11 of 11 to put there by hand"
    by_hand = lines[6:-1]
    assert all(
        re.fullmatch(r"missing  file       (sources|benchmarks)\.\w+ +to data/\S+, from \S.+", line)
        for line in by_hand
    )
    assert any("MMPR" in line for line in by_hand)
    (tmp_path / "data" / "benchmarks" / "mmmu").mkdir(parents=True)
    _, lines = call("fetch-plan", "--target-dir", str(tmp_path))
    assert lines[-1] == "10 of 11 to put there by hand"
    (there,) = [line for line in lines if line.startswith("there")]
    assert "benchmarks.mmmu" in there


def test_sizes_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vlprm.io import hub

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(hub, "size_gb", lambda _: 2.0)
    assert call("fetch-plan", "--online", "--target-dir", str(tmp_path))[1][5] == (
        "5 of 5 to fetch, about 10.0 GB"
    )
