from __future__ import annotations

import pytest

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.gpu import sick

GOOD = "0, GPU-1, H100, 0\n1, GPU-2, H100, 0\n"


def test_nvidia_smi(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sick(1) == "no nvidia-smi: this node has no NVIDIA driver"
    scheduler.answer("nvidia-smi *", GOOD)
    assert sick(2) is None
    assert sick(4) == "4 GPUs asked, 2 found"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert sick(2) is None
    assert scheduler.asked[-1].endswith("-i 0,1")
    scheduler.answer("nvidia-smi *", GOOD.replace("H100, 0\n1", "H100, 5\n1"))
    assert sick(2) == "GPU 0 has 5 uncorrected memory errors"
    scheduler.answer("nvidia-smi *", err="Unable to determine the device handle", code=15)
    assert "exit status 15: Unable to determine" in str(sick(1))


def test_a_sites_own_check(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLPRM_GPU_CHECK", "exit 0")
    assert sick(1) is None
    monkeypatch.setenv("VLPRM_GPU_CHECK", "echo Xid 79; exit 1")
    assert sick(1) == "the GPU check failed with exit status 1: Xid 79"
    monkeypatch.setenv("VLPRM_GPU_CHECK", "while :; do :; done")
    monkeypatch.setenv("VLPRM_GPU_CHECK_SECONDS", "0.3")
    assert sick(1) == "the GPU check did not answer in 0.3 s"
