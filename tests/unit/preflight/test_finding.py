"""One aligned line a finding."""

from __future__ import annotations

from vlprm.preflight.finding import failure, failures, named, ok, report, warning


def test_report() -> None:
    found = [ok("disk", "fine"), warning("cache", "cold", "wait"), failure("GPU", "a\n b", "c")]
    assert report(found) == [
        "ok    disk   fine",
        "warn  cache  cold  -> wait",
        "FAIL  GPU    a; b  -> c",
    ]
    assert failures(found) == found[2:]
    assert report([]) == []


def test_named() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named(list("abcdef"), 2) == "a, b and 4 more"
