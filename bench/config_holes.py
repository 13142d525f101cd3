"""How many wrong values does a configuration let pass? Every key of the shipped files, made wrong.

``make bench NAME=config_holes``: each key of ``config.yaml`` and ``configs/mini.yaml`` gets values
of other kinds, an absent file, an unknown name, a duplicate, a misspelling; each of these files
must be refused with the key and its line. Holes are listed; one is a missed target.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from pathlib import Path

from report import ROOT, print_line

sys.path.insert(0, str(ROOT))

from tests.unit.config.holes import Reader, cases

FILES = ("config.yaml", "configs/mini.yaml")


def main() -> bool:
    """Print holes, counts by kind, and the line; return whether there is no hole."""
    counts: collections.Counter[str] = collections.Counter()
    holes = 0
    for name in FILES:
        with tempfile.TemporaryDirectory() as folder:
            reader = Reader(ROOT, Path(folder, "run"), ROOT / name)
            if said := reader.says((ROOT / name).read_text(encoding="utf-8")):
                raise SystemExit(f"{name} itself is refused:\n{said}")
            for case in cases(ROOT / name):
                counts[case.kind] += 1
                if why := reader.hole(case):
                    holes += 1
                    print(f"HOLE {name} {case}: {why}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    print_line("config_cases", counts.total(), "wrong files", at_least=1)
    return print_line("config_holes", holes, f"of {counts.total()} wrong files", at_most=0)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
