"""Estimates: failures leave the denominator, or count as wrong where parity asks for it."""

from __future__ import annotations

from vlprm.answers.equal import Check
from vlprm.labels.monte_carlo import estimate

CHECKS = [Check(True, "text"), Check(False, "text"), Check(None, "text", "cut")]


def test_failed_continuations_are_missing() -> None:
    found = estimate("r", 0, CHECKS)
    assert (found.n_correct, found.n_graded, found.n_failed, found.value) == (1, 2, 1, 0.5)


def test_parity_counts_them_as_wrong() -> None:
    found = estimate("r", 0, CHECKS, failed_as="wrong")
    assert (found.n_graded, found.n_failed) == (3, 1)


def test_nothing_graded_has_no_value() -> None:
    assert estimate("r", 0, CHECKS[2:]).value is None
