"""Which tests stay in one process when several run: those that share a Slurm, or the nano run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent


@cache
def shared(file: str) -> str:
    """What the tests of a file share with those of other files; else the file's own name.

    xdist's own groups (``loadgroup``) need node ids that can be written, which pytest 9.2 has not.
    """
    path = TESTS.parent / file
    if path.is_relative_to(TESTS / "cluster"):
        return "slurm"
    return "nano_run" if "nano_run" in path.read_text(encoding="utf-8") else file


class Together(LoadScopeScheduling):
    """Deals out whole files, and as one what is shared."""

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid.split("::", 1)[0])
