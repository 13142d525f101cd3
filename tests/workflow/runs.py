"""Runs of the real workflow in a folder of their own, and what Snakemake says it would do."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NANO = ROOT / "tests" / "workflow" / "nano.yaml"


def nano() -> dict[str, Any]:
    """The smallest complete configuration, as a fresh dictionary."""
    return copy.deepcopy(yaml.safe_load(NANO.read_text()))


class Workdir:
    """A folder in which a run happens; models and DeepSpeed files of the checkout are linked in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        for name in ("models", "configs"):
            if not (path / name).exists():
                (path / name).symlink_to(ROOT / name)

    def write_config(self, config: dict[str, Any]) -> Path:
        file = self.path / "run.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        return file

    def command(self, config: dict[str, Any], *arguments: str) -> list[str]:
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"),
            "--directory", str(self.path), "--configfile", str(self.write_config(config)),
            "--cores", "2", "--nocolor", "--rerun-incomplete", *arguments,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        bin_dir = str(Path(sys.executable).parent)
        path = os.environ.get("PATH", "")
        return os.environ | {"PATH": f"{bin_dir}:{path}", "OMP_NUM_THREADS": "1"}

    def run(
        self, config: dict[str, Any], *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake and return what it printed (stderr joined to stdout)."""
        done = subprocess.run(
            self.command(config, *arguments),
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=1800,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"snakemake exited {done.returncode}:\n{done.stdout[-6000:]}")
        return done

    def planned(self, config: dict[str, Any]) -> dict[str, set[str]]:
        """Outputs of the jobs that Snakemake's own job list names, by rule."""
        printed = self.run(config, "--dry-run").stdout
        jobs: dict[str, set[str]] = {}
        pattern = r"^(?:local)?rule (\w+):\n((?:    .*\n)+)"
        for rule, body in re.findall(pattern, printed, flags=re.MULTILINE):
            output = re.search(r"^    output: (.*)$", body, flags=re.MULTILINE)
            jobs.setdefault(rule, set()).update(output.group(1).split(", ") if output else [])
        jobs.pop("all", None)
        return jobs

    def digests(self) -> dict[str, str]:
        """sha256 of every result; times, logs and ledgers are not results."""
        results = self.path / "results"
        return {
            str(file.relative_to(results)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(results.rglob("*"))
            if file.is_file() and not file.name.endswith((".timing.json", ".ledger"))
        }
