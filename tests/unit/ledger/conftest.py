"""Where the small stage of ``asked`` writes, and what it writes undisturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ledger.asked import Engine, run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "grades.parquet"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """What an uninterrupted run writes."""
    return run(tmp_path / "whole" / "grades.parquet", Engine())
