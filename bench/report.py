"""A measurement as one JSON line: name, value, unit, target, met, machine, commit."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def print_line(
    name: str,
    value: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> bool:
    """Print the line; return whether the target was met (True without a target)."""
    met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    bounds = [f"<= {at_most:g}"] if at_most is not None else []
    bounds += [f">= {at_least:g}"] if at_least is not None else []
    line = {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "target": " and ".join(bounds) or None,
        "met": met,
        "machine": machine(),
        "commit": commit(),
    }
    print(json.dumps(line))
    return met


def machine() -> str:
    """Processor, cores this process may use, memory, Python; never the host's name."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        processor = models[0].split(":", 1)[1].strip() if models else processor
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def commit() -> str:
    """Short commit, with ``+`` where the checkout has changes.

    Outside git what ``VLPRM_COMMIT`` says (a checkout carried elsewhere), or "unknown".
    """
    head = _git("rev-parse", "--short", "HEAD")
    if head is None:
        return os.environ.get("VLPRM_COMMIT", "unknown")
    return head + ("+" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str | None:
    if shutil.which("git") is None:  # an image holds none
        return None
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else None
