"""How the mini experiment's PRMs are trained: recipes compared on puzzles that nothing else uses.

The training puzzles and labels are the mini experiment's; the candidates are of 256 puzzles with a
seed of their own, at the main jitter. So the recipe is chosen without a look at the benchmarks.
Each recipe is BATCHxEPOCHS or BATCHxEPOCHSxLEARNING_RATE, of the small PRM.

usage: python bench/mini_recipe.py [--recipes 16x1 16x2 8x1 8x2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from gpu_config import write
from report import ROOT, print_line

NAME = "tuning"
SEED, N = 77007, 256
"""Of the puzzles."""
RECIPES = ("16x1", "16x2", "8x1", "8x2")


def recipe(asked: str, like: dict[str, Any]) -> dict[str, Any]:
    """The training of one recipe."""
    batch, epochs, *rate = asked.split("x")
    rates = {"learning_rate": float(rate[0])} if rate else {}
    return like | {"micro_batch": int(batch), "epochs": int(epochs)} | rates


def config(recipes: list[str]) -> dict[str, Any]:
    """The mini experiment with one benchmark of its own, and a small PRM per recipe."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())
    found["run"] = "mini-recipe"
    like, prm = found["training"]["prm"], found["prms"]["prm-small"]
    found["training"] = {f"recipe-{asked}": recipe(asked, like) for asked in recipes}
    found["prms"] = {asked: prm | {"training": f"recipe-{asked}"} for asked in recipes}
    benchmark = found["benchmarks"]["matrix"]
    benchmark["data"] |= {"seed": SEED, "n": N, "shard_size": N}
    found["benchmarks"] = {NAME: benchmark}
    kept = {"prms": recipes, "benchmarks": [NAME], "searches": {}}
    found["evaluation"] |= kept
    found["tables"]["curves"] = [x for x in found["tables"]["curves"] if x not in found["searches"]]
    return found


def rows(results: Path, recipes: list[str]) -> list[dict[str, Any]]:
    """AUROC and accuracy of every recipe, in %; first the rows that ask no PRM."""
    steps = pl.read_parquet(results / "metrics" / NAME / "steps.parquet")
    auroc = dict(steps.filter(name="auroc", strategy="verdicts").select("prm", "value").iter_rows())
    table = pl.read_csv(results / "tables" / "strategies.csv", infer_schema=False)
    at = table.filter((pl.col("benchmark") == NAME) & pl.col("n").is_in(["1", "8"]))
    plain = at.filter(pl.col("strategy").is_in(["pass@1", "majority", "oracle"]))
    found = [
        {"strategy": row["strategy"], "n": int(row["n"]), "accuracy": 100 * float(row["accuracy"])}
        for row in plain.unique(["strategy", "n"], maintain_order=True).iter_rows(named=True)
    ]
    chosen = at.filter((pl.col("strategy") == "step_aggregation") & (pl.col("n") == "8"))
    for asked in recipes:
        own = chosen.filter(pl.col("prm") == asked)
        best = {
            row["aggregation"]: 100 * float(row["accuracy"]) for row in own.iter_rows(named=True)
        }
        found.append({"recipe": asked, "auroc": 100 * auroc[asked], "best_of_8": best})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    recipes = parser.parse_args().recipes
    file = ROOT / "build" / "mini_recipe.yaml"
    write(config(recipes), file)
    command = ["snakemake", "--configfile", str(file), "--profile", "profiles/mini"]
    subprocess.run(command, cwd=ROOT, check=True)
    found = rows(ROOT / "results" / "mini-recipe", recipes)
    for row in found:
        print(json.dumps(row))
    best = max((row for row in found if "recipe" in row), key=lambda row: row["auroc"])
    print_line(f"mini_recipe_auroc_{best['recipe']}", best["auroc"], "%")
    return 0


if __name__ == "__main__":
    sys.exit(main())
