from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cluster.conftest import RECORDINGS, Scheduler
from vlprm.cluster import dialects
from vlprm.cluster.registry import Job
from vlprm.errors import UserError

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


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("bad_queue", "there is no such queue"),
        ("bad_select", "does not know a resource"),
        ("bad_walltime", "cannot read a value"),
    ],
)
def test_recorded_refusals(openpbs: Scheduler, name: str, meaning: str) -> None:
    said = (RECORDINGS / f"{name}.stderr").read_text()
    message = str(dialects.refusal(JOB, said))
    assert meaning in message
    assert said.strip() in message
    assert message.count("\n") == 1  # what and where on one line, the cure on the next


def test_refusals_of_slurms_qsub_lose_the_command_line() -> None:
    said = (
        "There was an error running the Slurm sbatch command.\nThe command was:\n"
        "'/usr/bin/sbatch -p nosuch /s.sh 2>&1'\nand the output was:\n"
        "'sbatch: error: invalid partition specified: nosuch\n'\n"
    )
    message = str(dialects.refusal(JOB, said))
    assert message.startswith("job train-prm, queue gpu: there is no such queue: sbatch: error:")
    assert "/usr/bin" not in message
