"""Measurements made of several programs: each in a process of its own, its JSON lines gathered.

A step that fails or runs too long is told with the end of its output, and the next one starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu_image import keep
from report import ROOT, commit

LOGS = ROOT / "build" / "gpu_logs"


class Steps:
    """Runs steps of one measurement and keeps what they found, one JSON file a measurement."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []

    def run(self, step: str, *command: object, limit: float = 600) -> dict[str, Any]:
        """What ``python bench/COMMAND...`` printed as JSON lines, joined; empty when it failed.

        A line with name and value (``report.print_line``) becomes one entry.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{self.name}-{step}.log"
        started = time.monotonic()
        words = [str(word) for word in command]
        whole = [sys.executable, str(ROOT / "bench" / words[0]), *words[1:]]
        try:
            with log.open("w") as out:
                done = subprocess.run(
                    whole, stdout=out, stderr=subprocess.STDOUT, timeout=limit, check=False
                )
            status: object = done.returncode
        except subprocess.TimeoutExpired:
            status = f"longer than {limit:.0f} s"
        text = log.read_text(errors="replace")
        lines = [line for line in text.splitlines() if line.startswith("{")]
        seconds = round(time.monotonic() - started, 1)
        if status != 0 or not lines:
            self.failed.append(step)
            print(json.dumps({"step": step, "failed": status, "seconds": seconds}))
            print(_end(text), flush=True)
            return {}
        found: dict[str, Any] = {"wall_seconds": seconds, "commit": commit()}
        for line in map(json.loads, lines):
            found |= {line["name"]: line["value"]} if "value" in line else line
        self.found[step] = found
        print(json.dumps({"step": step} | found), flush=True)
        keep(self.name, {step: found})
        return found


def _end(text: str, lines: int = 25) -> str:
    """The lines that say why: those with "Error" or "Assertion" first, then the end."""
    rows = text.splitlines()
    said = [row for row in rows if "Error" in row or "Assertion" in row][:6]
    return "\n".join(row[:300] for row in [*said, "...", *rows[-lines:]])


def checkpoint(folder: Path, shape: str, *more: object) -> Path:
    """A random checkpoint of a shape, made if it is not there."""
    if not (folder / "model.safetensors").exists():
        make = [sys.executable, str(ROOT / "bench" / "random_checkpoint.py"), shape, str(folder)]
        subprocess.run([*make, *map(str, more)], check=True)
    return folder
