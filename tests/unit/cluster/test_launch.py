from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.launch import ALONE, hosts, port, torchrun
from vlprm.errors import UserError

COMMAND = ["python", "-m", "vlprm.cli", "train"]


def test_one_gpu_or_none_is_plain_python() -> None:
    assert torchrun(COMMAND, [], 0, 0) == COMMAND
    assert torchrun(COMMAND, [], 0, 1) == COMMAND


def test_several_gpus_of_one_node() -> None:
    assert torchrun(COMMAND, [], 0, 8) == [
        "python", "-m", "torch.distributed.run", "--nproc-per-node=8", *ALONE,
        "-m", "vlprm.cli", "train",
    ]  # fmt: skip


def test_several_nodes() -> None:
    assert torchrun(COMMAND, ["n1", "n2"], 1, 4) == [
        "python", "-m", "torch.distributed.run", "--nproc-per-node=4", "--nnodes=2",
        "--node-rank=1", "--rdzv-backend=static", f"--rdzv-endpoint=n1:{port()}",
        f"--rdzv-id={port()}", "-m", "vlprm.cli", "train",
    ]  # fmt: skip
    with pytest.raises(UserError, match="2 nodes asked, 1 in this job"):
        torchrun(COMMAND, ["n1"], 0, 4, nodes=2)


def test_hosts(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SLURM_JOB_NODELIST", "PBS_NODEFILE", "VLPRM_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    assert hosts() == []
    scheduler.answer("scontrol show hostnames n[1-2]", "n1\nn2\n")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    assert hosts() == ["n1", "n2"]
    (tmp_path / "nodes").write_text("a\na\nb\n")
    monkeypatch.setenv("PBS_NODEFILE", str(tmp_path / "nodes"))
    assert hosts() == ["a", "b"]
    monkeypatch.setenv("VLPRM_HOSTS", "x,y")
    assert hosts() == ["x", "y"]
