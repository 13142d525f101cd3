"""What PRM guidance gains: small policy, N = 8, the chosen PRM strategy against pass@1, paired.

PRM, strategy and aggregation are chosen on one half of the questions; the gain is that of the
other half (the row ``chosen``), so the best of many rows is not reported for its luck. Reads
results/mini/tables/strategies.csv, so `make demo` goes first. The gain over majority vote is
printed too, without a target: it is reported whichever way it falls.
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
        key = (benchmark, "chosen", str(N))
        best = next((r for r in rows if (r["benchmark"], r["strategy"], r["n"]) == key), None)
        if best is None:
            print(f"{TABLE.relative_to(ROOT)}: no row {key}, run `make demo`", file=sys.stderr)
            return 2
        name = f"{benchmark}_n{N}"
        print(f"{benchmark}: {best['prm']}, {best['aggregation']}, {best['n_samples']} questions")
        met += [
            print_line(f"{name}_delta", 100 * float(best["delta"]), "points", at_least=8),
            print_line(f"{name}_delta_low", 100 * float(best["delta_low"]), "points", at_least=0),
        ]
        for end in ("", "_low", "_high"):
            gap = 100 * float(best[f"over_majority{end}"])
            print_line(f"{name}_over_majority{end}", gap, "points")
    return 0 if met and all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
