"""A batch that ends its process is told with what it held, tried again, and at last refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.ledger.asked import BATCHES, SAMPLES, Engine, answered, run, stopped
from vlprm.errors import UserError
from vlprm.ledger import running


def noted(out: Path) -> Path:
    return out.with_name(out.name + running.SUFFIX)


def test_an_engine_that_cannot_start_is_no_death_of_a_batch(out: Path) -> None:
    def load() -> None:
        raise UserError("no GPU")

    for _ in range(running.DEATHS + 1):
        engine = Engine()
        engine.load = load  # type: ignore[method-assign]
        with pytest.raises(UserError, match="no GPU"):
            run(out, engine)
    assert not noted(out).exists()


def test_an_engine_that_fails_in_a_batch_is_told_thrice_then_refused(
    out: Path, whole: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(running.DEATHS):
        stopped(out, 2, RuntimeError)
    assert "died in batch 2 of 3 with 4 questions" in caplog.text
    assert "(RuntimeError: stopped); attempt 3 of 3" in caplog.text
    engine = Engine()
    with pytest.raises(UserError) as told:
        run(out, engine)
    assert engine.starts == 0
    said = str(told.value)
    assert "batch 2 of 3 has ended its process 3 times (RuntimeError: stopped)" in said
    assert f"({SAMPLES[4].id} … {SAMPLES[7].id})" in said
    assert str(noted(out)) in said
    assert "1 answered calls are in the ledger" in said
    # other code is worth another try, and so is a cause that someone has removed
    with monkeypatch.context() as patched:
        patched.setattr(running, "code_sha256", lambda stage: "other code")
        stopped(out, 2, RuntimeError)
    noted(out).unlink()
    assert run(out, Engine()) == whole


def test_a_refused_key_is_no_death_of_a_batch(out: Path, whole: bytes) -> None:
    for _ in range(running.DEATHS + 1):
        stopped(out, 2, UserError)
        assert not noted(out).exists()
    assert run(out, Engine()) == whole


def test_a_running_file_that_cannot_be_read_is_none(out: Path, whole: bytes) -> None:
    stopped(out, 2)
    noted(out).write_text("{")
    assert run(out, Engine()) == whole


PROCESS = """
    import os, sys
    from pathlib import Path
    from tests.unit.ledger.asked import Engine, run
    from vlprm.errors import UserError

    def end(number):
        if number == 2:
            os.kill(os.getpid(), int(sys.argv[2]))

    engine = Engine()
    if sys.argv[2] != "write":
        engine.before = end
    else:
        sync, os.fsync = os.fsync, lambda number: torn(number)
        def torn(number):
            if engine.asked[-1:] == [2]:
                os.truncate(number, os.fstat(number).st_size - 9)
                os.abort()
            sync(number)
    try:
        run(Path(sys.argv[1]), engine)
    except UserError as error:
        print(error)
        sys.exit(2)
"""


def ended(out: Path, how: signal.Signals | str) -> subprocess.CompletedProcess[str]:
    """A process that a signal ends in the engine's second batch, or while that is written."""
    word = how if isinstance(how, str) else str(int(how))
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROCESS), str(out), word],
        cwd=Path(__file__).resolve().parents[3],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_process_that_aborts_is_told_with_the_requests_it_held(
    out: Path, whole: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for attempt in range(1, running.DEATHS + 1):
        done = ended(out, signal.SIGABRT)
        assert done.returncode == -signal.SIGABRT, done.stderr
        left = json.loads(noted(out).read_text())
        assert (left["batch"], left["of"], left["attempt"]) == (2, 3, attempt)
        assert left["ids"] == [item.id for item in BATCHES[1]]
    assert answered(out) == 1
    done = ended(out, signal.SIGABRT)
    assert done.returncode == 2, done.stderr
    assert "batch 2 of 3 has ended its process 3 times: 4 questions" in done.stdout
    noted(out).unlink()
    assert run(out, Engine()) == whole
    assert "died" not in caplog.text


def test_a_process_that_is_asked_to_end_does_not_accuse_its_batch(out: Path, whole: bytes) -> None:
    done = ended(out, signal.SIGTERM)
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert answered(out) == 1
    assert not noted(out).exists()
    handler = signal.getsignal(signal.SIGTERM)
    assert run(out, Engine()) == whole
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_process_that_dies_writing_an_entry_loses_that_entry_only(
    out: Path, whole: bytes
) -> None:
    done = ended(out, "write")
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert not noted(out).exists()  # the call is not to blame: it had been answered
    engine = Engine()
    assert run(out, engine) == whole
    assert engine.asked == [2, 3]
