"""Reported inputs that concern configuration and commands (``reported_inputs``).

Each case is rebuilt as files, and given to Snakemake and to ``vlprm`` as a user would: what counts
is what they print and their exit status.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from report import ROOT

Case = dict[str, str]
Seen = tuple[bool, str]

_NANO = ROOT / "tests" / "workflow" / "nano.yaml"
_STEPS = "Job stats:\njob  count\na        3\ntotal    3\n\n3 of 3 steps (100%) done\n"
_END = "Complete log(s): here\n"


def config(case: Case) -> Seen:
    """By its words: a case of several mistakes is made of several files."""
    text = case["input"]
    for words, check in (
        ("names a file that is not there", _deepspeed),
        ("a prompt name that does not exist", _prompts),
        ("(YAML duplicate key)", _twice),
        ("base_url: notaurl", _lists),
        ("a tab or a wrong indent", _syntax),
        ("nope.yaml", _absent),
    ):
        if words in text:
            with tempfile.TemporaryDirectory() as folder:
                return check(Path(folder))
    return False, "no check of this input"


def _deepspeed(folder: Path) -> Seen:
    wrong = _changed("training.prm.deepspeed", "configs/none.json")
    key = "training.prm.deepspeed: configs/none.json: no such file"
    return _refused(folder, wrong, [key, "or null"])


def _prompts(folder: Path) -> Seen:
    for key in ("policies.small.user_prompt", "policies.small.system_prompt",
                "labels.judge.prompt", "prms.prm-small.system_prompt",
                "labels.examples.system_prompt"):  # fmt: skip
        wanted = [f"{key}: no prompt 'nobody'", "judge_stepwise_v1, policy_boxed_v1"]
        right, seen = _refused(folder, _changed(key, "nobody"), wanted)
        if not right:
            return right, seen
    return True, "every prompt is looked up"


def _twice(folder: Path) -> Seen:
    text = yaml.safe_dump(_nano(), sort_keys=False)
    first = text.splitlines().index("models:") + 2  # line of the key that is put below it
    text = text.replace("\nmodels:\n", "\nmodels:\n  small: {source: build}\n", 1)
    return _refused(folder, text, [f"models.small: stands twice, in lines {first} and "])


def _lists(folder: Path) -> Seen:
    wrong = _nano()
    wrong["evaluation"]["benchmarks"] = ["matrix", "matrix"]
    wrong["evaluation"]["prms"] = ["prm-small", "prm-small"]
    wrong["evaluation"]["policies"] = []
    wrong["tables"]["curves"] = ["majorityy"]
    wrong["labels"]["judge"]["base_url"] = "notaurl"
    wanted = [
        "evaluation.benchmarks: names 'matrix' twice", "evaluation.prms: names 'prm-small' twice",
        "evaluation.policies: an empty list", "tables.curves: 'majorityy' is not one of",
        "labels.judge.base_url: 'notaurl' is no address",
    ]  # fmt: skip
    return _refused(folder, wrong, wanted)


def _syntax(folder: Path) -> Seen:
    tab = "run: x\nmodels:\n\ta: 1\n"
    right, seen = _refused(folder, tab, ["run.yaml:3:1: a tab", "indent with spaces"])
    if not right:
        return right, seen
    indent = "run: x\nmodels:\n    a: 1\n  b: 2\n"
    return _refused(folder, indent, ["run.yaml:4:3: an indent", "0, 4"])


def _absent(folder: Path) -> Seen:
    status, said = _snakemake(folder, folder / "nope.yaml")
    right = status == 2 and f"{folder}/nope.yaml: no such file" in said
    return right and "Traceback" not in said, f"exit {status}: {said.strip()[-300:]}"


def _nano() -> dict[str, Any]:
    # without aliases, so that a change stays where it is made
    return copy.deepcopy(yaml.safe_load(yaml.dump(yaml.safe_load(_NANO.read_text()))))


def _changed(path: str, value: object) -> dict[str, Any]:
    wrong = _nano()
    block: Any = wrong
    *keys, last = path.split(".")
    for key in keys:
        block = block[key]
    block[last] = value
    return wrong


def _refused(folder: Path, wrong: dict[str, Any] | str, wanted: list[str]) -> Seen:
    """By Snakemake and by the doctor: all that is wanted is said, status 2, no traceback."""
    file = folder / "run.yaml"
    text = wrong if isinstance(wrong, str) else yaml.safe_dump(wrong, sort_keys=False)
    file.write_text(text, encoding="utf-8")
    for call in (_snakemake, _doctor):
        status, said = call(folder, file)
        missing = [what for what in wanted if what not in said]
        if status != 2 or missing or "Traceback" in said:
            return False, f"{call.__name__}: exit {status}, not said: {missing}; {said[-300:]}"
    return True, "refused by both"


def _snakemake(folder: Path, file: Path) -> tuple[int, str]:
    snakefile = str(ROOT / "Snakefile")
    return _run(
        "-m", "snakemake", "--snakefile", snakefile, "--directory", str(folder), "--dry-run",
        "--configfile", str(file),
    )  # fmt: skip


def _doctor(folder: Path, file: Path) -> tuple[int, str]:
    return _run("-m", "vlprm.cli", "doctor", "--target-dir", str(folder), "--configfile", str(file))


def _run(*arguments: str, cwd: Path = ROOT) -> tuple[int, str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=environment, text=True, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def status(case: Case) -> Seen:
    """`vlprm status` in a folder as a finished run, and a call with nothing to do, leave it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = folder / ".snakemake" / "log"
        logs.mkdir(parents=True)
        (folder / "results" / "mini").mkdir(parents=True)
        (logs / "2026-01-01.snakemake.log").write_text(_STEPS + _END)
        (logs / "2026-01-02.snakemake.log").write_text("Nothing to be done (all there).\n" + _END)
        if "nosuchrun" in case["input"]:
            code, said = _run("-m", "vlprm.cli", "status", "nosuchrun", cwd=folder)
            return code == 2 and "runs here: mini" in said, f"exit {code}: {said.strip()}"
        code, said = _run("-m", "vlprm.cli", "status", cwd=folder)
        return code == 0 and "finished, 3 of 3 jobs" in said, f"exit {code}: {said.strip()}"


CHECKS: dict[str, Callable[[Case], Seen]] = {"config": config, "status": status}
