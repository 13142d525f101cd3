"""Two runs of one configuration, result by result: are they the same bytes?

Volatile files are left out on purpose: ``*.timing.json`` (times, host), logs, reply ledgers (a
remote judge's hold its replies in the order in which they came), and Snakemake's HTML report and
the RO-Crate export, which carry dates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from vlprm.errors import UserError
from vlprm.io.manifest import sha256_of

log = logging.getLogger(__name__)

Outcome = Literal["same", "differs", "missing"]
VOLATILE = (
    *("*.timing.json", "*.log", "*.tmp", "*.ledger", "*.running.json", "*.sqlite*"),
    *("report.html", "ro-crate-metadata.json"),
)
VOLATILE_FOLDERS = frozenset({"logs", ".snakemake"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One artefact in both trees; ``missing`` means that only one tree has it."""

    path: str
    outcome: Outcome
    first: str | None
    """sha256 in the first tree; None where it is missing."""
    second: str | None


def results_of(root: Path) -> Iterator[str]:
    """Relative paths of every artefact under ``root`` that must repeat, sorted."""
    for path in sorted(root.rglob("*")):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        folders = relative.parts[:-1]
        volatile = any(relative.match(pattern) for pattern in VOLATILE)
        volatile |= not VOLATILE_FOLDERS.isdisjoint(folders)
        if path.is_file() and not volatile:
            yield str(relative)


def differences(first: Path, second: Path) -> list[Difference]:
    """Every artefact of either tree with its outcome, sorted by path.

    Raises UserError when a tree does not exist or holds no result at all: two empty folders
    prove nothing.
    """
    trees = []
    for root in (first, second):
        names = set(results_of(root)) if root.is_dir() else set()
        if not names:
            raise UserError(
                "no results to compare",
                where=str(root),
                cure="give the results folders of two finished runs, e.g. a/results/mini",
            )
        trees.append(names)
    return [_compare(name, first, second) for name in sorted(trees[0] | trees[1])]


def compare_runs(first: Path, second: Path) -> int:
    """Log one line per artefact and a final count; 0 when all are the same, otherwise 1."""
    found = differences(first, second)
    for item in found:
        log.info("%-7s %s  %s", item.outcome, (item.first or item.second or "")[:16], item.path)
    count = dict.fromkeys(("same", "differs", "missing"), 0)
    for item in found:
        count[item.outcome] += 1
    log.info(
        "compare: %d results, %d same, %d differ, %d missing on one side",
        len(found),
        count["same"],
        count["differs"],
        count["missing"],
    )
    return 0 if count["same"] == len(found) else 1


def _compare(name: str, first: Path, second: Path) -> Difference:
    one, two = (
        sha256_of(root / name) if (root / name).is_file() else None for root in (first, second)
    )
    outcome: Outcome = "missing" if None in (one, two) else "same" if one == two else "differs"
    return Difference(name, outcome, one, two)
