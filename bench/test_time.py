"""How long `make test` takes once its environment exists."""

from __future__ import annotations

import subprocess
import sys
import time

from report import ROOT, print_line

STARTS = ("pytest",)


def main() -> int:
    started = time.monotonic()
    subprocess.run(["make", "test"], cwd=ROOT, check=True, stdout=sys.stderr)
    return (
        0 if print_line("test_minutes", (time.monotonic() - started) / 60, "min", at_most=20) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
