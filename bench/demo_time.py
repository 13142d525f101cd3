"""How long and how large: the mini experiment from nothing, then again with nothing to do.

Memory is that of the largest single process; the profile runs at most two at a time.
"""

from __future__ import annotations

import sys

from checkout import fresh_copy, peak_gib_of_largest_child, run_mini
from report import ROOT, print_line

PROGRAMS = ("git",)


def main() -> int:
    copy = fresh_copy(ROOT / "build" / "demo_time")
    first = run_mini(copy)
    again = run_mini(copy)
    met = [
        print_line("demo_minutes", first / 60, "min", at_most=12),
        print_line("demo_again_seconds", again, "s", at_most=20),
        print_line("demo_peak_process_memory", peak_gib_of_largest_child(), "GiB", at_most=4),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
