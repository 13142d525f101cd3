"""What is submitted, and what is taken over from a run that was killed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.unit.cluster.conftest import Scheduler
from tests.unit.cluster.test_request import PROPERTIES
from vlprm.cluster.registry import Registry
from vlprm.cluster.submit import submit
from vlprm.errors import UserError


def jobscript(**changes: object) -> Path:
    path = Path("job.sh")
    path.write_text(f"#!/bin/sh\n# properties = {json.dumps(PROPERTIES | changes)}\ntrue\n")
    return path


def live(scheduler: Scheduler, state: str) -> None:
    scheduler.answer("qstat *", f"Job Id: 12.host\n    job_state = {state}\n")


@pytest.fixture
def pbs(scheduler: Scheduler) -> Scheduler:
    scheduler.answer("qstat --version", "pbs_version = 23.06.06\n")
    scheduler.answer("qsub *", "12.host\n")
    scheduler.answer("qdel *")
    return scheduler


def submissions(scheduler: Scheduler) -> int:
    return sum(line.startswith("qsub") for line in scheduler.asked)


def test_one_job(pbs: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert submit(jobscript()) == "12.host"
    line = pbs.asked[-1]
    assert "-l select=1:ncpus=2:mem=4000mb:ngpus=1 -l walltime=02:00:00" in line
    assert "-N rollout-small-000" in line
    script = Path(line.split()[-1])
    assert stat.S_IMODE(script.stat().st_mode) == 0o700
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")  # Slurm's qsub takes nothing else
    assert "export HF_HUB_OFFLINE=1\n" in text
    assert "secret" not in text
    monkeypatch.setenv("VLPRM_PASS", "OPENAI_API_KEY")
    submit(jobscript(rule="judge"))
    assert "export OPENAI_API_KEY=secret\n" in Path(pbs.asked[-1].split()[-1]).read_text()


def test_a_job_that_still_runs_is_taken_over(pbs: Scheduler) -> None:
    assert submit(jobscript()) == "12.host"
    for state in "QRH":
        live(pbs, state)
        assert submit(jobscript()) == "12.host"
    assert submissions(pbs) == 1


def test_one_that_ended_is_submitted_anew(pbs: Scheduler) -> None:
    submit(jobscript())
    live(pbs, "F")
    submit(jobscript())
    assert submissions(pbs) == 2


def test_one_with_other_parameters_is_deleted_first(pbs: Scheduler) -> None:
    submit(jobscript())
    live(pbs, "R")
    # the server forgets the job once it is deleted
    fake, kept = pbs.folder / "qstat", pbs.folder / "deleted"
    forgotten = "echo qstat: Unknown Job Id 12.host >&2; exit 153"
    (pbs.folder / "qdel").write_text(
        f'#!/bin/sh\nprintf "#!/bin/sh\\n{forgotten}\\n" > "{fake}"\necho "$@" > "{kept}"\n'
    )
    submit(jobscript(params={"config": "other"}), "select")
    assert kept.read_text() == "12.host\n"
    assert submissions(pbs) == 2


def test_a_refusal_is_one_message(openpbs: Scheduler, capsys: pytest.CaptureFixture[str]) -> None:
    openpbs.answer("qsub *", err="qsub: Unknown queue\n", code=170)
    with pytest.raises(UserError, match="there is no such queue: qsub: Unknown queue"):
        submit(jobscript())
    assert not list(Registry().root.glob("jobs/*"))


def test_a_server_that_is_away_is_waited_for(
    pbs: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLPRM_SUBMIT_PATIENCE", "1")
    pbs.answer("qsub *", err="qsub: cannot connect to server pbshost (errno=15010)", code=171)
    with pytest.raises(UserError, match="the scheduler cannot be reached"):
        submit(jobscript())
