"""The one list of deterministic settings: applied, exported, and found nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from vlprm.determinism import (
    ENVIRONMENT,
    THREADS,
    in_force,
    settle_environment,
    settle_one,
    shell_exports,
)
from vlprm.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CAPS = {setting.name for setting in ENVIRONMENT if setting.cap}


def test_the_switch_takes_the_caps_away_and_nothing_else() -> None:
    portable, native = in_force({"VLPRM_CPU": "portable"}), in_force({"VLPRM_CPU": "native"})
    assert portable.keys() - native.keys() == CAPS
    assert CAPS
    assert {k: v for k, v in portable.items() if k not in CAPS} == native


def test_threads_given_to_a_command_stand_and_a_stray_seed_does_not() -> None:
    environment = {"OMP_NUM_THREADS": "4", "PYTHONHASHSEED": "77", "VLPRM_CPU": "native"}
    settle_environment(environment)
    assert environment["OMP_NUM_THREADS"] == "4"
    assert environment["PYTHONHASHSEED"] == "0"
    assert not CAPS & environment.keys()


def test_one_setting_alone_whatever_stood_there() -> None:
    environment = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    settle_one("VLLM_ENABLE_V1_MULTIPROCESSING", environment)
    assert environment == {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}


def test_an_unknown_mode_is_one_message() -> None:
    with pytest.raises(UserError, match="VLPRM_CPU: 'fast' is no mode"):
        in_force({"VLPRM_CPU": "fast"})


@pytest.mark.parametrize("mode", ["portable", "native"])
def test_exports_are_shell(mode: str) -> None:
    done = subprocess.run(
        ["bash", "-euc", shell_exports({"VLPRM_CPU": mode}) + "env"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    wanted = {setting.name: setting.value for setting in ENVIRONMENT if not setting.given_stands}
    if mode == "native":
        wanted = {name: value for name, value in wanted.items() if name not in CAPS}
    assert {name: told.get(name) for name in wanted} == wanted
    assert told["VLPRM_CPU"] == mode
    assert "HF_HUB_OFFLINE" not in told, "rules that fetch lift it"


def test_what_a_rule_books_splits_no_sum() -> None:
    """Snakemake's own names for a rule's `threads`, with a count of its own."""
    done = subprocess.run(
        ["bash", "-euc", shell_exports({"OMP_NUM_THREADS": "8"}) + "env"],
        env={"PATH": os.environ["PATH"]} | dict.fromkeys(THREADS, "8"),
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert {told[name] for name in THREADS} == {"1"}
    found = find_spec("snakemake")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).with_name("shell.py").read_text(encoding="utf-8")
    set_there = re.findall(r'envvars\["(\w+_THREADS)"\] = threads', source)
    assert set(set_there) == set(THREADS)


def test_no_other_file_sets_them() -> None:
    # fetching, and the doctor that asks the Hub, lift offline mode for one command
    names = "|".join(s.name for s in ENVIRONMENT if s.name != "HF_HUB_OFFLINE")
    files = [ROOT / "Makefile", ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    files += [path for path in (ROOT / "src").rglob("*.py") if path.name != "determinism.py"]
    pattern = rf"(?m)^.*(?:export\s+(?:{names})|environ\S*(?:setdefault)?[(\[]\"(?:{names})).*$"
    found = {path.name: re.findall(pattern, path.read_text()) for path in files}
    assert not {name: lines for name, lines in found.items() if lines}
