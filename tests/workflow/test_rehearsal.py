"""A rehearsal end to end: it finds a checkpoint that cannot be saved, goes on, and its sums hold.

One policy, one PRM and one benchmark of the nano run: 20 jobs, one of which first finds its disk
full. 72 s of CPU time, most of it imports.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import mounted
from tests.workflow.runs import ROOT, Workdir, nano
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.times import Times
from vlprm.config.work import Work


def small() -> dict[str, Any]:
    config = nano()
    evaluation = config["evaluation"]
    config["policies"] = {"small": config["policies"]["small"]}
    config["prms"] = {"prm-small": config["prms"]["prm-small"]}
    config["benchmarks"] = {"matrix": config["benchmarks"]["matrix"]}
    evaluation |= {"policies": ["small"], "prms": ["prm-small"], "benchmarks": ["matrix"]}
    evaluation["step_truth"] = False
    return config


def rehearse(workdir: Workdir, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "vlprm.cli", "rehearse", "--questions", "3", "--steps", "2"),
            *("--configfile", str(workdir.write_config(small()))),
            *("--target-dir", str(workdir.path), "--cores", "2", "--quiet", "all", *arguments),
        ],
        env=workdir.environment() | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_a_rehearsal(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    workdir.run(small(), "results/nano/samples/matrix/000.parquet")
    real = tree(workdir.path / "results" / "nano")
    folder = workdir.path / "results" / "nano-rehearsal"
    (folder / "prm").mkdir(parents=True)

    with mounted(folder / "prm" / "prm-small", "-o", "size=1m"):  # the weights need 3
        broken = rehearse(workdir)
    assert broken.returncode == 1, broken.stdout
    assert "Not in it:" in broken.stdout
    assert "train" in broken.stdout.partition("Not in it:")[2]
    log = (workdir.path / "logs" / "nano-rehearsal" / "train" / "prm-small.log").read_text()
    assert "No space left" in log
    drawn = next(folder.glob("rollouts/small/matrix/*.parquet")).stat().st_mtime_ns

    done = rehearse(workdir)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Not in it:" not in done.stdout
    assert next(folder.glob("rollouts/small/matrix/*.parquet")).stat().st_mtime_ns == drawn
    assert tree(workdir.path / "results" / "nano") == real, "the real run's files stay as they are"

    full, plan = Plan(load_config(small(), "run")), Plan(_config(folder))
    with (folder / "rehearsal.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    jobs = list(Work(plan).jobs())
    assert sum(int(row["jobs"]) for row in rows) == len(jobs)
    for row in rows:
        own = [job for job in Work(full).jobs() if "/".join(job.keys) == row["keys"]]
        units = sum(job.units for job in own if job.rule == row["rule"])
        told = float(row["unit_s"]) * units + float(row["start_s"]) * int(row["full_jobs"])
        assert float(row["full_s"]) == pytest.approx(told), row
        assert float(row["peak_host_gb"]) > 0.05
    assert (folder / "rehearsal.md").read_text().splitlines()[0].startswith("Rehearsal of nano")
    _trained_on_full_batches(folder)
    _feeds_the_real_run(workdir, full, rows)


def _config(folder: Path) -> Any:
    import yaml

    return load_config(yaml.safe_load((folder / "config.yaml").read_text()), "rehearsal")


def _trained_on_full_batches(folder: Path) -> None:
    """Two optimizer steps of eight conversations, whatever the labels left."""
    manifest = json.loads((folder / "prm/prm-small/model.safetensors.manifest.json").read_text())
    assert manifest["counts"]["conversations"] == 16
    assert manifest["counts"]["steps"] == 2


def _feeds_the_real_run(workdir: Workdir, full: Plan, rows: list[dict[str, str]]) -> None:
    """The run's estimates are the rehearsal's, and nothing of it runs again for that."""
    times = Times.of(full, workdir.path)
    total = sum(times.seconds(job) for job in times.jobs)
    assert total == pytest.approx(sum(float(row["full_s"]) for row in rows))
    printed = workdir.run(small(), "--dry-run", "results/nano/samples/matrix/000.parquet").stdout
    assert "Nothing to be done" in printed


def test_work_is_counted_as_snakemake_plans_it(tmp_path: Path) -> None:
    planned = Workdir(tmp_path / "run").planned(nano())
    counted: dict[str, set[str]] = {}
    for job in Work(Plan(load_config(nano(), "nano"))).jobs():
        counted.setdefault(job.rule, set()).add(job.path)
    assert set(planned) == set(counted)
    for rule, paths in counted.items():
        outputs = planned[rule]
        assert paths <= outputs, rule
        assert len(paths) == sum(path in outputs for path in paths)


def test_a_prompt_that_does_not_exist_is_found_before_the_first_job(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    config = small()
    config["policies"]["small"]["user_prompt"] = "policy_mini_v9"
    file = workdir.write_config(config)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "vlprm.cli", "rehearse", "--configfile", str(file)),
            *("--target-dir", str(workdir.path)),
        ],
        env=workdir.environment() | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Building DAG" not in said, "Snakemake is not even started"
    assert "policies.small.user_prompt: no prompt 'policy_mini_v9'" in said
    assert "Traceback" not in said
    assert not list(workdir.path.rglob("*.parquet"))
