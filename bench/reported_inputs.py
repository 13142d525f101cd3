"""Inputs that people reported: how many of them are treated as they should be.

The list (``data/reported_inputs/inputs.json`` of the reference data beside the checkout, or
``--inputs``) holds one case an entry: ``kind``, ``input``, ``expected`` (what is right). A module
``reported_<part>.py`` checks the kinds of its part: ``CHECKS`` maps a kind to a function from a
case to (as expected?, what was seen). A kind that no module checks counts as not right.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from report import ROOT, print_line

Case = dict[str, str]
Check = Callable[[Case], tuple[bool, str]]

PARTS = ("answers", "rows", "config", "sched")
"""Modules ``reported_<part>``: answers, steps and verdicts; images and rows; configuration and
commands; schedulers."""
SHARED = Path(os.environ.get("VLPRM_SHARED", ROOT.parent / "shared"))
INPUTS = SHARED / "data" / "reported_inputs" / "inputs.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=Path, default=INPUTS)
    parser.add_argument("--kind", help="this kind alone")
    options = parser.parse_args()
    if not options.inputs.is_file():
        print(f"no such file: {options.inputs}; name it with --inputs", file=sys.stderr)
        return 2
    cases: list[Case] = json.loads(options.inputs.read_text(encoding="utf-8"))
    cases = [case for case in cases if options.kind in (None, case["kind"])]
    checks = registry()
    right = 0
    for case in cases:
        good, seen = judged(case, checks)
        right += good
        if not good:
            print(f"not right: {case['kind']}: {case['input']}\n  {case['expected']}; seen: {seen}")
    return 0 if print_line("reported_inputs", right, "cases right", at_least=len(cases)) else 1


def registry() -> dict[str, Check]:
    """The checks of all parts that are there. A kind has one check."""
    checks: dict[str, Check] = {}
    for part in PARTS:
        name = f"reported_{part}"
        if importlib.util.find_spec(name) is None:
            continue
        found: dict[str, Check] = importlib.import_module(name).CHECKS
        twice = checks.keys() & found.keys()
        if twice:
            raise ValueError(f"{name} checks what another part checks: {sorted(twice)}")
        checks |= found
    return checks


def judged(case: Case, checks: dict[str, Check]) -> tuple[bool, str]:
    """Is the case right, and what was seen? An exception is seen, not raised."""
    if case["kind"] not in checks:
        return False, "no check of this kind"
    try:
        return checks[case["kind"]](case)
    except Exception as error:  # a crash is what some reports are about
        return False, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
