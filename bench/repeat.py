"""Same bytes: the mini experiment twice, in two fresh directories, every result compared."""

from __future__ import annotations

import logging
import sys

from vlprm.io.compare import compare_runs

from checkout import fresh_copy, run_mini
from report import ROOT

PROGRAMS = ("git",)


def main() -> int:
    log = logging.getLogger("repeat")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    results = []
    for name in ("first", "second"):
        copy = fresh_copy(ROOT / "build" / "repeat" / name)
        log.info("%s run: %.0f s", name, run_mini(copy))
        results.append(copy / "results" / "mini")
    return compare_runs(*results)


if __name__ == "__main__":
    sys.exit(main())
