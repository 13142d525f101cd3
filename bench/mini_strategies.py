"""What PRM guidance gains: small policy, N = 8, best PRM strategy against pass@1, paired.

Reads results/mini/tables/strategies.csv, so `make demo` goes first. The gain over majority vote
is printed too, without a target: it is reported whichever way it falls.
"""

from __future__ import annotations

import csv
import sys

from report import ROOT, print_line

TABLE = ROOT / "results" / "mini" / "tables" / "strategies.csv"
POLICY, N = "small", 8


def main() -> int:
    if not TABLE.exists():
        print(f"{TABLE.relative_to(ROOT)} is missing: run `make demo` first", file=sys.stderr)
        return 2
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["policy"] == POLICY]
    met = []
    for benchmark in sorted({row["benchmark"] for row in rows}):
        of_n = [row for row in rows if row["benchmark"] == benchmark and int(row["n"]) == N]
        guided = [row for row in of_n if row["prm"] and row["delta"]]
        best = max(guided, key=lambda row: float(row["delta"]))
        majority = next(row for row in of_n if row["strategy"] == "majority")
        name = f"{benchmark}_n{N}"
        met += [
            print_line(f"{name}_delta", 100 * float(best["delta"]), "points", at_least=8),
            print_line(f"{name}_delta_low", 100 * float(best["delta_low"]), "points", at_least=0),
        ]
        gap = 100 * (float(best["accuracy"]) - float(majority["accuracy"]))
        print_line(f"{name}_over_majority", gap, "points")
    return 0 if met and all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
