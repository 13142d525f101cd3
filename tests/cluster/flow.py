"""Small workflows through a profile, in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.slurm import Slurm
from tests.workflow.runs import ROOT

# nothing of the images here: these rules are shell lines
QUICK = (
    *("--software-deployment-method", "env-modules", "--nocolor", "--latency-wait", "10"),
    *("--seconds-between-status-checks", "1"),
)


class Flow:
    """One working directory, one Snakefile, one profile on one Slurm."""

    def __init__(self, folder: Path, slurm: Slurm, profile: str, snakefile: str) -> None:
        self.folder, self.slurm, self.profile = folder, slurm, profile
        folder.mkdir(parents=True)
        (folder / "Snakefile").write_text(snakefile)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own, as a terminal does."""
        argv = [
            # a background shell has its children ignore Ctrl-C
            *("env", "--default-signal=INT"),
            *(
                sys.executable,
                "-m",
                "snakemake",
                "--profile",
                str(ROOT / "profiles" / self.profile),
            ),
            *(*QUICK, "--retries", "0", *arguments),
        ]
        with (self.folder / "printed").open("a") as printed:
            return subprocess.Popen(
                argv,
                cwd=self.folder,
                env=os.environ | self.slurm.environment | environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: str, **environment: str) -> int:
        """Run to the end; Snakemake's exit status."""
        process = self.start(*arguments, **environment)
        try:
            return process.wait(timeout=600)
        finally:
            process.kill()

    def status(self) -> str:
        """What ``vlprm status`` prints of this run."""
        done = subprocess.run(
            [sys.executable, "-m", "vlprm.cli", "status", "--directory", str(self.folder)],
            env={**os.environ, **self.slurm.environment, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """Everything of one kind that the run wrote down about its jobs."""
        files = sorted(self.folder.glob(f".snakemake/cluster/{kind}/*.json"))
        return [json.loads(file.read_text()) for file in files]

    def ids(self, *states: str) -> list[str]:
        """Ids of this run's jobs that Slurm has in one of the states (squeue's words)."""
        ours = {fact["id"] for fact in self.facts("jobs")}
        listed = self.slurm.client("squeue", "-h", "-t", ",".join(states), "-o", "%A")
        return [job for job in listed.split() if job in ours]


def wait_for(ready: Callable[[], object], what: str, seconds: float = 240) -> None:
    """Wait until ``ready`` is true; AssertionError naming ``what`` when it does not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        time.sleep(0.2)
