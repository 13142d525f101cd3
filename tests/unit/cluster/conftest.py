"""A fake scheduler on PATH: answers recorded from a real OpenPBS, or written down by a test."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vlprm.cluster.registry import Job, Registry

SHARED = os.environ.get("VLPRM_SHARED")
RECORDINGS = Path(SHARED or "absent") / "recipes" / "hpc" / "openpbs_recordings"

# looks its command line up in a table of (stdout, stderr, exit status), and keeps what was asked
FAKE = """\
#!{python}
import json, os, sys
name = os.path.basename(sys.argv[0])
with open({asked!r}, "a") as asked:
    asked.write(" ".join([name, *sys.argv[1:]]) + "\\n")
table = json.load(open({table!r}))
line = " ".join([name, *sys.argv[1:]])
for wanted in (line, name + " *"):
    if wanted in table:
        out, err, code = table[wanted]
        sys.stdout.write(out); sys.stderr.write(err); sys.exit(code)
sys.stderr.write("usage: " + name + " as recorded\\n"); sys.exit(2)
"""


class Scheduler:
    """Commands on PATH that answer from a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._table = folder / "table.json"
        self._asked = folder / "asked"
        self._answers: dict[str, tuple[str, str, int]] = {}

    def answer(self, line: str, out: str = "", err: str = "", code: int = 0) -> None:
        """What a command line (``qstat *``: every other line of that command) is answered."""
        self._answers[line] = (out, err, code)
        self._table.write_text(json.dumps(self._answers))
        fake = self.folder / line.split()[0]
        fake.write_text(
            FAKE.format(python=sys.executable, asked=str(self._asked), table=str(self._table))
        )
        fake.chmod(0o755)

    def record(self, name: str, line: str | None = None) -> None:
        """Take the answer to a recorded command line (or to ``line``) from a real OpenPBS."""
        file = RECORDINGS / name
        self.answer(
            line or file.with_suffix(".cmd").read_text().strip(),
            file.with_suffix(".stdout").read_text(),
            file.with_suffix(".stderr").read_text(),
            int(file.with_suffix(".rc").read_text()),
        )

    @property
    def asked(self) -> list[str]:
        """Every command line so far."""
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    folder = tmp_path / "bin"
    folder.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", str(folder))  # no real scheduler of this machine
    for name in [name for name in os.environ if name.startswith(("VLPRM_", "SNAKEMAKE_", "PBS_"))]:
        monkeypatch.delenv(name)
    return Scheduler(folder)


@pytest.fixture
def openpbs(scheduler: Scheduler) -> Scheduler:
    """A fake with every recorded answer."""
    if not RECORDINGS.is_dir():
        pytest.skip("no recordings of an OpenPBS: set VLPRM_SHARED")
    for file in sorted(RECORDINGS.glob("*.cmd")):
        scheduler.record(file.stem)
    scheduler.answer("qstat --version", "pbs_version = 23.06.06\n")
    return scheduler


@pytest.fixture
def submitted() -> Callable[..., Job]:
    """Record a job as if it had been submitted from the current folder."""

    def add(job_id: str, dialect: str = "select", **fields: object) -> Job:
        known = {"ticket": f"t{job_id}", "name": "a-1", "rule": "a", "key": f"k{job_id}"}
        given = known | {"digest": "d", "dialect": dialect, "id": job_id, "walltime": 300} | fields
        job = Job(**given)  # type: ignore[arg-type]
        Registry().add(job)
        return job

    return add
