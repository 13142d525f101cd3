"""What an addition touches: a search, a benchmark, a label rule and a family added to a copy.

The toys of ``bench/toys`` are added one after another to a copy of this checkout, by the steps of
docs/extending.md: the module, its line in the registry, its table of cases where the tests ask for
one, and the configuration that names it. Counted are the files of the package that each changed,
and once more with the configuration of the run.
Then the copy's own tests read the registries, and the smallest configuration runs with all four
through Snakemake, to the tables; results and manifests must name them.

usage: python bench/additions.py [--keep FOLDER]    (some minutes, on the processor)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from PIL import Image, ImageDraw

from checkout import fresh_copy
from report import ROOT, print_line

TOYS = ROOT / "bench" / "toys"
CONFIG = "configs/additions.yaml"
DATA = "build/counting"
"""Questions of the toy benchmark; data, not the package: git ignores it."""
QUESTIONS = 5
MOST = 3
STARTS = ("pytest", "snakemake")
PROGRAMS = ("git",)
KEEP = "src/vlprm/search/keep/__init__.py"
RULES = "src/vlprm/label_rules/__init__.py"
FAMILIES = "src/vlprm/families/__init__.py"
TESTS = (
    "tests/unit/benchmarks/test_grading_cases.py",
    "tests/unit/families/test_families.py",
    "tests/unit/label_rules/test_label_rules.py",
    "tests/unit/search/keep",
    "tests/architecture/test_sizes.py",
    "tests/architecture/test_source_rules.py",
)


@dataclass(frozen=True)
class Addition:
    """One toy: files that are copied, lines that are changed, and what names it."""

    name: str
    files: dict[str, str]
    """Of ``bench/toys`` -> of the copy."""
    lines: tuple[tuple[str, str, str], ...]
    """File, text that stands in it once, text instead."""
    configure: Callable[[dict[str, Any]], None]


def searched(config: dict[str, Any]) -> None:
    config["searches"] = {
        "cautious-3": {
            "kind": "cautious", "n": 3, "beams": 1, "max_steps": 9, "step_tokens": 24,
            "deduplicate": True, "stop_at_box": False,
        }
    }  # fmt: skip
    config["evaluation"]["searches"] = {"cautious-3": config["evaluation"]["benchmarks"]}
    config["tables"]["curves"] = ["majority", "cautious-3"]


def benchmarked(config: dict[str, Any]) -> None:
    data = {"kind": "counting", "path": DATA, "n": QUESTIONS, "shard_size": QUESTIONS}
    config["benchmarks"] = {"dots": {"data": data, "scorer_version": 2}}
    config["evaluation"]["benchmarks"] = ["dots"]
    config["evaluation"]["searches"] = {name: ["dots"] for name in config["searches"]}


def ruled(config: dict[str, Any]) -> None:
    config["labels"]["rule"] = {"name": "seconded", "threshold": 0.5, "after_first_error": "stop"}


def familiar(config: dict[str, Any]) -> None:
    config["models"]["small"]["family"] = "thumbnail"


ADDITIONS = (
    Addition(
        "search",
        {"cautious.py": "src/vlprm/search/keep/cautious.py"},
        (
            (
                KEEP,
                "import SearchBlock\n",
                "import SearchBlock\nfrom vlprm.search.keep.cautious import Cautious\n",
            ),
            (KEEP, "| DVTS,", "| DVTS | Cautious,"),
        ),
        searched,
    ),
    Addition(
        "benchmark",
        {
            "counting.py": "src/vlprm/benchmarks/counting.py",
            "counting.json": "tests/cases/counting.json",
        },
        (("src/vlprm/kinds.py", '    "mmmu",\n', '    "mmmu",\n    "counting",\n'),),
        benchmarked,
    ),
    Addition(
        "label_rule",
        {"seconded.py": "src/vlprm/label_rules/seconded.py"},
        (
            (
                RULES,
                "import Evidence, LabelRule\n",
                "import Evidence, LabelRule\nfrom vlprm.label_rules.seconded import Seconded\n",
            ),
            (RULES, "    JudgeAlone,\n", "    JudgeAlone,\n    Seconded,\n"),
        ),
        ruled,
    ),
    Addition(
        "family",
        {
            "thumbnail.py": "src/vlprm/families/thumbnail.py",
            "thumbnail.json": "tests/cases/families/thumbnail.json",
        },
        (
            (FAMILIES, "gemma3, qwen25vl\n", "gemma3, qwen25vl, thumbnail\n"),
            (FAMILIES, "qwen25vl, gemma3)", "qwen25vl, gemma3, thumbnail)"),
        ),
        familiar,
    ),
)


def smallest() -> dict[str, Any]:
    """The nano run cut to one policy, one PRM, one benchmark, one search; without the toys."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "tests/workflow/nano.yaml").read_text("utf-8"))
    config["run"] = "additions"
    for table, name in (("models", "small"), ("policies", "small"), ("prms", "prm-small")):
        config[table] = {name: config[table][name]}
    config["base_models"] = {"small": config["base_models"]["small"]}
    config["sources"]["matrix-train"]["data"]["n"] = 8
    config["policies"]["small"]["sampling"] |= {"temperature": 0.7, "max_tokens": 48}
    # a rule's own ``reads`` decides what is drawn
    config["labels"]["estimates"] |= {"continuations": 2, "min_graded": 1, "draw": "until_decided"}
    config["benchmarks"] = {"matrix": config["benchmarks"]["matrix"]}
    config["searches"] = {"greedy-2": config["searches"]["greedy-2"]}
    evaluation = config["evaluation"]
    evaluation |= {
        "policies": ["small"], "prms": ["prm-small"], "benchmarks": ["matrix"],
        "searches": {"greedy-2": ["matrix"]}, "step_truth": False, "llm_judge": None,
    }  # fmt: skip
    evaluation["ranking"] |= {
        "candidates": 2, "n": [1, 2], "draws": 1, "aggregations": ["min"], "vote_weights": ["min"],
        "strategies": ["first", "majority", "step_aggregation"],
    }  # fmt: skip
    config["tables"]["curves"] = ["majority", "greedy-2"]
    return config


def add(addition: Addition, copy: Path) -> list[str]:
    """Add it to the copy; the files that this made or changed."""
    before = tree(copy)
    for toy, target in addition.files.items():
        assert not (copy / target).exists(), target
        (copy / target).write_bytes((TOYS / toy).read_bytes())
    for name, old, new in addition.lines:
        text = (copy / name).read_text("utf-8")
        assert text.count(old) == 1, (name, old)
        (copy / name).write_text(text.replace(old, new), "utf-8")
    config = yaml.safe_load((copy / CONFIG).read_text("utf-8"))
    addition.configure(config)
    write(copy / CONFIG, config)
    after = tree(copy)
    return sorted(name for name in before | after if before.get(name) != after.get(name))


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file under a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(file: Path, config: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")


def questions(folder: Path) -> None:
    """Pictures of one dot, of two, ... and a row for each."""
    folder.mkdir(parents=True)
    with (folder / "dots.jsonl").open("w", encoding="utf-8") as file:
        for count in range(1, QUESTIONS + 1):
            picture = Image.new("RGB", (112, 84), "white")
            for at in range(count):
                ImageDraw.Draw(picture).ellipse((20 * at + 4, 34, 20 * at + 18, 48), fill="black")
            picture.save(folder / f"{count}.png")
            row = {"id": f"dots-{count}", "image": f"{count}.png", "question": "How many dots?"}
            file.write(json.dumps(row | {"count": count}) + "\n")


def start(copy: Path, *command: str) -> None:
    """A Python module in the copy, as one who works there starts it."""
    scripts = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy / "src"), "PATH": scripts, "OMP_NUM_THREADS": "1"},
        check=True,
    )


def named(results: Path) -> list[str]:
    """What the results do not name although it was added."""
    strategies = (results / "tables/strategies.csv").read_text("utf-8")
    rules = {
        rule.partition(":")[0]
        for path in results.glob("labels/**/*.parquet")
        if "rule" in (table := pq.read_table(path)).column_names
        for rule in table["rule"].to_pylist()
    }
    manifests = {
        path.relative_to(results).parts[0]: path.read_text("utf-8")
        for path in results.rglob("*.manifest.json")
    }
    seen = {
        "search: a row of strategies.csv": ",cautious-3," in strategies,
        "benchmark: a row of strategies.csv": "dots," in strategies,
        "label rule: every label": rules == {"seconded"},
        **{
            f"family: the manifest of {stage}": '"thumbnail"' in manifests[stage]
            for stage in ("rollouts", "scores", "searches")
        },
    }
    return [what for what, found in seen.items() if not found]


def measured(copy: Path) -> bool:
    """Add all four, test and run the copy; print the lines; whether the target was met."""
    fresh_copy(copy)
    write(copy / CONFIG, smallest())
    touched = {addition.name: add(addition, copy) for addition in ADDITIONS}
    for name, files in touched.items():
        print(json.dumps({"addition": name, "files": files}), flush=True)
    questions(copy / DATA)
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)  # tests ask git for the files
    start(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS)
    start(copy, "snakemake", "--configfile", CONFIG, "--cores", "2", "--quiet", "all")
    if absent := named(copy / "results/additions"):
        raise SystemExit(f"not in the results: {'; '.join(absent)}")
    # an addition is the package's part; the run's configuration names all four in one file
    package = {name: set(files) - {CONFIG} for name, files in touched.items()}
    most = max(map(len, touched.values()))
    print_line("additions_with_configuration", most, "files at most")
    met = [
        print_line(f"additions_{name}", len(files), "files", at_most=MOST)
        for name, files in package.items()
    ]
    most = max(map(len, package.values()))
    return all([*met, print_line("additions", most, "files at most", at_most=MOST)])


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="an absent folder for the copy, left there")
    args = parser.parse_args()
    if args.keep:
        return measured(args.keep.resolve())
    with tempfile.TemporaryDirectory(prefix="additions-") as folder:
        return measured(Path(folder, "copy"))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
