"""`vlprm verify` on a real run: same on a clean run; file, rule and cause after a change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.runs import ROOT, Workdir, nano
from vlprm.io.run_manifest import collect

EXPECTED = ROOT / "configs" / "expected" / "nano"


def vlprm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlprm.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copied(nano_run: Workdir, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the run's results, to be damaged, and the manifest of the original."""
    original = tmp_path / "expected.json"
    assert vlprm("manifest", nano_run.path / "results/nano", "--out", original).returncode == 0
    results = tmp_path / "results" / "nano"
    shutil.copytree(nano_run.path / "results" / "nano", results)
    return results, original


def verified(results: Path, expected: Path) -> tuple[int, str]:
    assert vlprm("manifest", results).returncode == 0
    done = vlprm("verify", results / "manifest.json", expected)
    return done.returncode, done.stdout


def edit(path: Path, pattern: str, value: str) -> None:
    text, count = re.subn(pattern, value, path.read_text())
    assert count
    path.write_text(text)


def test_a_clean_run_is_the_same_wherever_it_lies(copied: tuple[Path, Path]) -> None:
    results, expected = copied
    status, page = verified(results, expected)
    assert (status, page.splitlines()[-1]) == (0, "same"), page
    assert (results / "manifest.json").read_bytes() == expected.read_bytes()
    assert ", 0 differs, 0 missing, 0 extra" in page


def test_every_result_has_a_stage(nano_run: Workdir) -> None:
    claimed = {path for stage in collect(nano_run.path / "results/nano").stages.values()
               for path in stage.outputs}  # fmt: skip
    there = {
        path.relative_to(nano_run.path).as_posix()
        for path in (nano_run.path / "results" / "nano").rglob("*")
        if path.is_file() and not path.name.endswith((".manifest.json", ".timing.json", ".ledger"))
    }
    assert claimed == there


def test_one_byte_changed(copied: tuple[Path, Path]) -> None:
    results, expected = copied
    table = results / "tables" / "strategies.csv"
    content = bytearray(table.read_bytes())
    content[100] ^= 1
    table.write_bytes(content)
    status, page = verified(results, expected)
    assert status == 1
    assert "1 differs, 0 missing" in page
    assert "rule tables: results/nano/tables/strategies.csv" in page
    assert "file changed after the stage wrote it" in page
    table.unlink()
    status, page = verified(results, expected)
    assert status == 1
    assert "0 differs, 1 missing" in page


def test_changed_seed(copied: tuple[Path, Path]) -> None:
    """One rollout job is run again: enough to see where the difference starts."""
    results, expected = copied
    other = Workdir(results.parents[1])
    config = nano()
    config["seed"] += 1
    one = "results/nano/rollouts/small/matrix-unseen/000.parquet"
    other.run(config, one, "--force")
    status, page = verified(results, expected)
    assert status == 1
    first = page.split("A difference starts in:")[1]
    assert first.splitlines()[1] == f"  rule rollout: {one}"
    assert f"config seed: {nano()['seed']} -> {config['seed']}" in first


def test_changed_pin(copied: tuple[Path, Path]) -> None:
    results, expected = copied
    record = results / "scores/prm-small/small/matrix/000.parquet.manifest.json"
    edit(record, r'"transformers": "[^"]+"', '"transformers": "4.55.3"')
    status, page = verified(results, expected)
    assert status == 1
    assert "packages transformers: 4.55.2 -> 4.55.3: 1 stages (score)" in page
    assert "results/nano/scores/prm-small/small/matrix/000.parquet.manifest.json" in page


def test_a_platform_without_an_expected_run_is_said_and_compared(copied: tuple[Path, Path]) -> None:
    results, expected = copied
    for timing in results.rglob("*.timing.json"):
        edit(timing, r'"cpu": "[^"]+"', '"cpu": "SomeVendor-1-avx9"')
    status, page = verified(results, expected)
    assert "NO EXPECTED RUN" in page
    assert status == 0, "the bytes are the expected ones all the same"


def test_a_manifest_alone_is_compared_as_it_states_things(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    _, expected = copied
    alone = tmp_path / "brought" / "manifest.json"
    alone.parent.mkdir()
    shutil.copy(expected, alone)
    done = vlprm("verify", alone, expected)
    assert done.returncode == 0
    assert "no results beside" in done.stderr


def test_user_errors_exit_2(tmp_path: Path) -> None:
    for arguments in (("manifest", tmp_path), ("verify", tmp_path / "manifest.json", EXPECTED)):
        done = vlprm(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_expected_manifest_of_this_run(nano_run: Workdir, tmp_path: Path) -> None:
    """Continuous integration's check: the committed bytes, on every machine of a known class."""
    run = collect(nano_run.path / "results" / "nano")
    expected = {path.stem for path in EXPECTED.glob("*.json")}
    assert expected, "no expected manifest: make expected"
    if run.platform not in expected:
        pytest.skip(f"platform {run.platform} has no expected run, only {', '.join(expected)}")
    # a copy of the manifest would be compared without its files: verify what lies on disk
    folder = tmp_path / "results" / "nano"
    shutil.copytree(nano_run.path / "results" / "nano", folder)
    status, page = verified(folder, EXPECTED)
    assert status == 0, page


def test_crate_describes_every_job_and_file(nano_run: Workdir, tmp_path: Path) -> None:
    results = nano_run.path / "results" / "nano"
    texts = []
    for name in ("one", "two"):
        assert vlprm("crate", results, tmp_path / name).returncode == 0
        texts.append((tmp_path / name / "ro-crate-metadata.json").read_text())
    assert texts[0] == texts[1]
    graph = {item["@id"]: item for item in json.loads(texts[0])["@graph"]}
    run = collect(results)
    jobs = [item for item in graph if item.startswith("#job/")]
    assert len(jobs) == len(run.stages)
    for stage in run.stages.values():
        for path, sha256 in stage.outputs.items():
            assert graph[path.removeprefix("results/nano/")]["sha256"] == sha256
    used = re.findall(r'"@id": "([^"]+)"', texts[0])
    assert {name for name in used if not name.startswith("http")} <= graph.keys()
