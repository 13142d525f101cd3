"""Rows that could not be used, each with its place and reason: nothing vanishes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unusable:
    """One row left out."""

    where: str
    """File and line, or the id of the record."""
    reason: str
