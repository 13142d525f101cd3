"""The call that an engine has now, on disk: so that a process that dies says over what it died."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.io.code import code_sha256
from vlprm.records import Record

SUFFIX = ".running.json"
DEATHS = 3
"""A call that ended its process this often is not given to an engine again."""


class AllFailedError(Exception):
    """No request of a call came back: the engine is down, the call is not to blame."""


class Running(Record):
    """What ``<output>.running.json`` says."""

    batch: int
    """From 1."""
    of: int
    key: str
    """Digest of all that decides the call's answer (:mod:`vlprm.engines.recorded`)."""
    ids: tuple[str, ...]
    """Requests of the call, in order."""
    attempt: int
    code: str
    """Digest of the stage's code: with other code the deaths are counted anew."""
    since: datetime
    host: str
    pid: int
    error: str | None = None
    """What the process said when it failed; None when it could say nothing, or still runs."""


class Watch:
    """Writes the file beside a stage's output, and reads what a last run left."""

    def __init__(self, stage: str, output: Path) -> None:
        self.file = output.with_name(output.name + SUFFIX)
        self._code = code_sha256(stage)
        self._deaths: dict[str, int] = {}

    def last(self, key: str) -> Running | None:
        """What the last run left, if it died over this very call; ``attempt`` is the number of
        deaths that count."""
        try:
            found = Running.model_validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return None
        if found.key != key:
            return None
        if found.code != self._code:
            found = found.model_copy(update={"attempt": 0})
        self._deaths[found.key] = found.attempt
        return found

    @contextlib.contextmanager
    def over(self, batch: int, of: int, key: str, ids: tuple[str, ...]) -> Iterator[None]:
        """Note the call while the block runs.

        The note stays when the process dies, and with the error when the block raises one: both
        count as deaths. It goes for :class:`AllFailedError`, a ``UserError`` (a refused key, a full
        disk: the call is not to blame), Ctrl-C and SIGTERM.
        """
        running = Running(
            batch=batch,
            of=of,
            key=key,
            ids=ids,
            attempt=self._deaths.get(key, 0) + 1,
            code=self._code,
            since=datetime.now(UTC),
            host=platform.node(),
            pid=os.getpid(),
        )
        self._write(running)
        try:
            with _on_term(self._clear):
                yield
        except (AllFailedError, UserError):
            self._clear()
            raise
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            self._write(running.model_copy(update={"error": f"{type(error).__name__}: {first}"}))
            raise
        except BaseException:  # Ctrl-C
            self._clear()
            raise
        self._clear()

    def _write(self, running: Running) -> None:
        write_text(self.file, running.model_dump_json(indent=1) + "\n")

    def _clear(self) -> None:
        self.file.unlink(missing_ok=True)


@contextlib.contextmanager
def _on_term(action: Callable[[], None]) -> Iterator[None]:
    """Do ``action`` before a SIGTERM ends the process: walltime, preemption, a deleted job.

    Those come from outside and say nothing against the call. Outside the main thread, where
    Python allows no handler, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ended(number: int, frame: FrameType | None) -> None:
        del frame
        action()
        signal.signal(number, before or signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
