"""A killed training run goes on from its state and ends with the bytes of one that was not."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.training.prm_runs import ENVIRONMENT, command, recipe, write_inputs
from vlprm.config.training import PRMTrainingConfig
from vlprm.training.prm import state_folder

CONVERSATIONS, EPOCHS = 12, 2
PATIENCE = 600


def run(inputs: Path, weights: Path, processes: int, training: PRMTrainingConfig) -> str:
    done = subprocess.run(
        command(inputs, weights, training, processes, "--workers", "1"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def killed(
    inputs: Path, weights: Path, processes: int, training: PRMTrainingConfig, at: str
) -> None:
    """Start; SIGKILL what was started as soon as a state (or an unfinished one) is there."""
    states = state_folder(weights.parent)
    argv = command(inputs, weights, training, processes, "--save-minutes", "0")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, env=ENVIRONMENT, **quiet) as process:
        deadline = time.monotonic() + PATIENCE
        while not (states / at).exists():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        started = [process.pid, *descendants(process.pid)]
        process.kill()  # under torchrun that is the launcher alone
        process.wait()
        while any(alive(pid) for pid in started):
            assert time.monotonic() < deadline, "a training process outlived its launcher"
            time.sleep(0.01)
    assert not weights.exists()


def descendants(pid: int) -> list[int]:
    """Processes below one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "accumulation", "at"),
    [
        (1, 1, "step-00000007.unfinished"),
        (1, 1, "step-00000014"),  # in the second epoch
        (1, 5, "step-00000002"),  # of 5, 5 and 2 batches: before the short step
        (2, 4, "step-00000003.unfinished"),  # of 4 and 2 batches a process, in the second epoch
    ],
)
def test_a_killed_run_ends_with_the_same_bytes(
    tmp_path: Path, processes: int, accumulation: int, at: str
) -> None:
    write_inputs(tmp_path, CONVERSATIONS)
    training = recipe(
        epochs=EPOCHS if accumulation == 1 else 3 * EPOCHS, accumulation=accumulation,
        weight_decay=0.01, warmup_ratio=0.2, group_by_length=True,
    )  # fmt: skip
    whole = tmp_path / "whole" / "model.safetensors"
    run(tmp_path, whole, processes, training)
    cut = tmp_path / "cut" / "model.safetensors"
    killed(tmp_path, cut, processes, training, at)
    said = run(tmp_path, cut, processes, training)
    assert "goes on from step-" in said
    assert cut.read_bytes() == whole.read_bytes()
    assert not state_folder(cut.parent).exists()


@pytest.mark.slow
def test_a_state_of_another_recipe_is_discarded(tmp_path: Path) -> None:
    write_inputs(tmp_path, CONVERSATIONS)
    weights = tmp_path / "prm" / "model.safetensors"
    killed(tmp_path, weights, 1, recipe(epochs=EPOCHS), "step-00000003")
    other = recipe(epochs=1)
    said = run(tmp_path, weights, 1, other)
    assert "other inputs or settings: discarded" in said
    assert "goes on from" not in said
    fresh = tmp_path / "fresh" / "model.safetensors"
    run(tmp_path, fresh, 1, other)
    assert weights.read_bytes() == fresh.read_bytes()
