"""What is submitted, and what is taken over from a run that was killed."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.unit.cluster.conftest import Scheduler
from tests.unit.cluster.test_request import PROPERTIES
from vlprm.cluster.cancel import cancel
from vlprm.cluster.registry import Registry
from vlprm.cluster.submit import main, submit
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


def test_one_that_ctrl_c_deleted_is_waited_for_and_not_taken_over(pbs: Scheduler) -> None:
    submit(jobscript())
    live(pbs, "R")  # for as long as the server's kill delay lasts
    cancel(Registry(), ["12.host"], patience=10)
    fake = pbs.folder / "qstat"
    fake.write_text(
        f'#!/bin/sh\nif [ -e "{pbs.folder}/looked" ]; then\n'
        "echo qstat: Unknown Job Id 12.host >&2; exit 153; fi\n"
        f': > "{pbs.folder}/looked"\n'
        "echo 'Job Id: 12.host'; echo '    job_state = R'\n"
    )
    submit(jobscript(), "select")
    assert submissions(pbs) == 2


def test_what_ran_out_in_this_run_is_asked_twice(
    pbs: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"resources": PROPERTIES["resources"] | {"scale": 2}}  # type: ignore[operator]
    monkeypatch.setenv("SNAKEMAKE_CLUSTER_SIDECAR_VARS", "runs/this.ids")
    submit(jobscript(**more))
    registry = Registry()
    first = registry.job("12.host")
    assert first is not None
    registry.fail(first, "over memory (asked 4000 MB)", 0.0, "memory")
    submit(jobscript(**more))
    assert "mem=8000mb" in pbs.asked[-1]
    assert "walltime=02:00:00" in pbs.asked[-1]
    submit(jobscript(**more, wildcards={"policy": "other"}))
    assert "mem=4000mb" in pbs.asked[-1], "other work"
    live(pbs, "F")
    monkeypatch.setenv("SNAKEMAKE_CLUSTER_SIDECAR_VARS", "runs/next.ids")
    submit(jobscript(**more))
    assert "mem=4000mb" in pbs.asked[-1], "another run"


def test_a_name_that_is_refused_is_cut(pbs: Scheduler) -> None:
    pbs.answer("qsub *", err="qsub: illegal -N value", code=1)
    with pytest.raises(UserError, match="does not take the job's name"):
        submit(jobscript())
    names = [line.split()[2] for line in pbs.asked if line.startswith("qsub")]
    assert names == ["rollout-small-000", "rollout-small-0"]


def test_a_submission_without_an_id(pbs: Scheduler) -> None:
    pbs.answer("qsub *", "all is well\n")
    with pytest.raises(UserError, match="qsub took the job and printed no job id: all is well"):
        submit(jobscript())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("qsub: Unknown queue", 2),
        ("qsub: Unknown resource: ngpus", 2),
        ("qsub: Maximum number of jobs already in queue for user", os.EX_TEMPFAIL),
        ("qsub: cannot connect to server pbs1", os.EX_TEMPFAIL),
    ],
)
def test_the_exit_status_tells_what_is_final(
    pbs: Scheduler,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: str,
    code: int,
) -> None:
    monkeypatch.setenv("VLPRM_SUBMIT_PATIENCE", "0")
    monkeypatch.setattr(sys, "argv", ["submit", str(jobscript())])
    pbs.answer("qsub *", err=said, code=1)
    assert main() == code
    printed = capsys.readouterr().out
    assert said in printed
    assert "\n  -> " in printed


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
