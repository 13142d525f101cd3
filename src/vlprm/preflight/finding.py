"""A finding: what one check saw, and the cure where it saw something wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

_MARKS = {"ok": "ok", "warning": "warn", "failure": "FAIL"}


@dataclass(frozen=True)
class Finding:
    """One line of the report; a warning stops nothing, a failure stops the run."""

    name: str
    state: Literal["ok", "warning", "failure"]
    what: str
    cure: str | None = None


def ok(name: str, what: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", what)


def warning(name: str, what: str, cure: str) -> Finding:
    """Worth knowing, but the run can start."""
    return Finding(name, "warning", what, cure)


def failure(name: str, what: str, cure: str) -> Finding:
    """The run cannot succeed."""
    return Finding(name, "failure", what, cure)


def report(findings: Iterable[Finding]) -> list[str]:
    """One aligned line per finding: mark, check, what was seen, ``->`` cure."""
    found = list(findings)
    width = max((len(item.name) for item in found), default=0)
    return [
        f"{_MARKS[item.state]:<4}  {item.name:<{width}}  {_one_line(item.what)}"
        + (f"  -> {_one_line(item.cure)}" if item.cure else "")
        for item in found
    ]


def failures(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that stop a run."""
    return [item for item in findings if item.state == "failure"]


def named(names: Sequence[str], most: int = 4) -> str:
    """A list that fits on a line: the first names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _one_line(text: str) -> str:
    return "; ".join(part.strip() for part in text.splitlines() if part.strip())
