"""Refusals as schedulers word them: what is wrong, and what to do."""

from __future__ import annotations

import pytest

from tests.unit.cluster.conftest import RECORDINGS, Scheduler
from tests.unit.cluster.test_dialects import JOB
from vlprm.cluster.refusals import BAD_NAME, FULL, UNREACHABLE, refusal


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("bad_queue", "there is no such queue"),
        ("bad_select", "knows GPUs under another name"),
        ("bad_walltime", "cannot read a value"),
    ],
)
def test_recorded_refusals(openpbs: Scheduler, name: str, meaning: str) -> None:
    said = (RECORDINGS / f"{name}.stderr").read_text()
    message = str(refusal(JOB, said))
    assert meaning in message
    assert said.strip() in message
    assert message.count("\n") == 1  # what and where on one line, the cure on the next


@pytest.mark.parametrize(
    ("said", "meaning", "cure"),
    [
        ("qsub: Unknown resource: ngpus", "under another name", "VLPRM_GPU_RESOURCE"),
        ("qsub: Unknown resource: scratch", "not know a resource", "select_extra"),
        ("Invalid generic resource (gres) specification", "another name", "VLPRM_GPU_RESOURCE"),
        ("qsub: illegal -N value", "take the job's name", "wildcards"),
        ("qsub: Job name is too long", "take the job's name", "wildcards"),
        ("qsub: Invalid account", "refuses this user", "VLPRM_ACCOUNT"),
        ("no words for it", "refused the job: no words for it", "see its message"),
    ],
)
def test_the_cure_fits(said: str, meaning: str, cure: str) -> None:
    message = str(refusal(JOB, said))
    assert meaning in message.splitlines()[0]
    assert cure in message.splitlines()[1]


def test_refusals_of_slurms_qsub_lose_the_command_line() -> None:
    said = (
        "There was an error running the Slurm sbatch command.\nThe command was:\n"
        "'/usr/bin/sbatch -p nosuch /s.sh 2>&1'\nand the output was:\n"
        "'sbatch: error: invalid partition specified: nosuch\n'\n"
    )
    message = str(refusal(JOB, said))
    assert message.startswith("job train-prm, queue gpu: there is no such queue: sbatch: error:")
    assert "/usr/bin" not in message


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("qsub: cannot connect to server pbs1 (errno=15010)", UNREACHABLE),
        ("qsub: would exceed queue generic's per-user limit of jobs in 'Q' state", FULL),
        ("qsub: Maximum number of jobs already in queue for user", FULL),
        ("Job submit failed: QOSMaxSubmitJobPerUserLimit", FULL),
        ("qsub: illegal -N value", BAD_NAME),
        ("qsub: Unknown queue", None),
        ("qsub: Job violates queue and/or server resource limits", None),
    ],
)
def test_not_now_is_no_refusal(said: str, kind: object) -> None:
    kinds = (UNREACHABLE, FULL, BAD_NAME)
    assert [one for one in kinds if one.search(said)] == ([kind] if kind else [])
