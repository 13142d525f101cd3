"""Run one of the machine's own commands for its answer, never for long."""

from __future__ import annotations

import subprocess

from vlprm.cluster.command import ask

TIMEOUT_S = 20.0


def answer(*command: str, timeout: float = TIMEOUT_S) -> tuple[int, str, str]:
    """Exit status, standard output, standard error; status -1 when it gave no answer in time."""
    try:
        done = ask(command, timeout)
    except subprocess.TimeoutExpired:
        return -1, "", f"no answer within {timeout:.0f} s"
    except OSError as error:
        return -1, "", str(error)
    return done.returncode, done.stdout, done.stderr


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
