from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.cluster.conftest import Scheduler
from tests.workflow.runs import ROOT
from vlprm.cluster import dialects
from vlprm.cluster.registry import Job
from vlprm.errors import UserError

CASES = json.loads((ROOT / "tests/cases/job_ids.json").read_text(encoding="utf-8"))
JOB = Job(
    ticket="t", name="train-prm", rule="train", key="k", digest="d", dialect="select",
    threads=8, mem_mb=64000, walltime=86400, gpus=4, nodes=2, log="/l",
    options={"queue": "gpu", "account": "abc", "gpu_model": "a100"},
)  # fmt: skip


def test_select() -> None:
    assert dialects.submission(JOB, "s.sh") == [
        "qsub", "-N", "train-prm",
        "-l", "select=2:ncpus=8:mem=64000mb:ngpus=4:gpu_type=a100",
        "-l", "walltime=24:00:00", "-l", "place=scatter",
        "-j", "oe", "-o", "/l", "-q", "gpu", "-A", "abc", "s.sh",
    ]  # fmt: skip


def test_select_of_one_node_without_gpu_and_with_site_extras() -> None:
    options = {"project": "p1", "select_extra": "host=n7", "submit_extra": "-W group_list='a b'"}
    plain = replace(JOB, gpus=0, nodes=1, options=options)
    assert dialects.submission(plain, "s.sh")[3:] == [
        "-l", "select=1:ncpus=8:mem=64000mb:host=n7", "-l", "walltime=24:00:00",
        "-j", "oe", "-o", "/l", "-P", "p1", "-W", "group_list=a b", "s.sh",
    ]  # fmt: skip


def test_nodes_counts_memory_over_the_job_in_torque_and_per_node_in_slurm(
    scheduler: Scheduler,
) -> None:
    job = replace(JOB, dialect="nodes")
    assert "nodes=2:ppn=8:gpus=4:a100,mem=128000mb,walltime=24:00:00" in dialects.submission(
        job, "s.sh"
    )
    scheduler.answer("sbatch *")
    assert "nodes=2:ppn=8:gpus=4:a100,mem=64000mb,walltime=24:00:00" in dialects.submission(
        job, "s.sh"
    )


def test_slurm() -> None:
    assert dialects.submission(replace(JOB, dialect="slurm"), "s.sh") == [
        "sbatch", "--parsable", "--job-name=train-prm", "--nodes=2", "--ntasks-per-node=1",
        "--cpus-per-task=8", "--mem=64000M", "--time=1440", "--output=/l", "--open-mode=append",
        "--gres=gpu:a100:4", "--partition=gpu", "--account=abc", "s.sh",
    ]  # fmt: skip


def test_detect(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no scheduler: there is no qsub on PATH"):
        dialects.detect()
    scheduler.answer("sbatch *")
    assert dialects.detect() == "slurm"
    scheduler.answer("qsub *")
    scheduler.answer("qstat *", "pbs_version = 23.06.06\n")
    assert dialects.detect() == "select"
    scheduler.answer("qstat *", err="Unknown option: version\n", code=2)
    assert dialects.detect() == "nodes"
    monkeypatch.setenv("VLPRM_DIALECT", "slurm")
    assert dialects.detect() == "slurm"
    with pytest.raises(UserError, match="no dialect 'sge'"):
        dialects.detect("sge")


def test_a_sites_name_for_gpus(scheduler: Scheduler) -> None:
    job = replace(JOB, options={"gpu_resource": "accel", "gpu_model": "a100"})
    assert "select=2:ncpus=8:mem=64000mb:accel=4:gpu_type=a100" in dialects.submission(job, "s")
    assert "--gres=accel:a100:4" in dialects.submission(replace(job, dialect="slurm"), "s")
    (line,) = [
        word
        for word in dialects.submission(replace(job, dialect="nodes"), "s")
        if word.startswith("nodes=")
    ]
    assert line.startswith("nodes=2:ppn=8:accel=4:a100,")


def test_torque_takes_15_characters_of_a_name(scheduler: Scheduler) -> None:
    long = replace(JOB, name="rollout-small-matrix-000")
    for dialect, name in (("select", long.name), ("nodes", "rollout-small-m")):
        assert dialects.submission(replace(long, dialect=dialect), "s")[2] == name
    scheduler.answer("sbatch *")  # the qsub of Slurm takes all of it
    assert dialects.submission(replace(long, dialect="nodes"), "s")[2] == long.name
    assert dialects.short_name("estimate-prm-a-_x") == "estimate-prm-a"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dialect']} {case['printed']!r}")
def test_job_ids_in_what_is_printed(case: dict[str, str | None]) -> None:
    assert dialects.accepted(str(case["dialect"]), str(case["printed"])) == case["id"]
