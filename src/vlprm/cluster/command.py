"""Run a command of the machine and read its text: without input, and not for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


def ask(argv: Sequence[str], patience: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its exit status, for at most ``patience`` seconds.

    Raises OSError when it cannot be started and subprocess.TimeoutExpired.
    """
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=patience,
        check=False,
    )
