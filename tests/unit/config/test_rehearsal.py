"""The derived configuration: few questions, and everything else as the run has it."""

from __future__ import annotations

import copy
import subprocess

import pytest
import yaml

from tests.workflow.runs import ROOT, nano
from vlprm.config.checked import load_config
from vlprm.config.rehearsal import VARIABLE, derive, in_force, shell_export
from vlprm.config.run import Config
from vlprm.errors import UserError


def derived(questions: int = 3, steps: int = 2) -> Config:
    config = nano()
    return load_config(derive(config, load_config(config, "nano"), questions, steps), "derived")


def test_only_amounts_change() -> None:
    before, after = load_config(nano(), "nano").model_dump(), derived().model_dump()
    assert after["run"] == "nano-rehearsal"
    for table in ("sources", "benchmarks"):
        for name, item in after[table].items():
            assert item["data"]["n"] == item["data"]["shard_size"] == 3, name
            rest = before[table][name]["data"]
            assert item["data"] == rest | {"n": 3, "shard_size": 3}
            assert {**item, "data": None} == {**before[table][name], "data": None}
    after["training"]["prm"]["epochs"] = before["training"]["prm"]["epochs"]
    for key in (
        "models",
        "policies",
        "prms",
        "training",
        "evaluation",
        "metrics",
        "labels",
        "seed",
    ):
        assert after[key] == before[key], key


def test_the_file_given_is_left_alone() -> None:
    config = nano()
    kept = copy.deepcopy(config)
    derive(config, load_config(config, "nano"), 3, 2)
    assert config == kept


def test_the_papers_run() -> None:
    """Aliases of the file do not tie data sets together; batches and cards are those of the run."""
    data = yaml.safe_load((ROOT / "config.yaml").read_text())
    config = load_config(data, "config.yaml")
    after = load_config(derive(data, config, 4, 3), "derived")
    block = after.rehearsal
    assert block is not None
    assert block.conversations == 3 * 2 * 4 * 8
    assert block.sequences == 256
    assert set(block.pool) == set(config.sources) | set(config.benchmarks)
    assert all(item.data.n == 4 for item in [*after.sources.values(), *after.benchmarks.values()])
    # sizes and licences are left out of slices, not out of what preflight reads
    assert after.models == config.models


def test_a_rehearsal_is_not_rehearsed() -> None:
    config = derived()
    with pytest.raises(UserError, match="nano-rehearsal is a rehearsal itself"):
        derive(config.model_dump(), config, 3, 2)


def test_stages_learn_it_from_the_rules_shell() -> None:
    config = derived()
    prefix = shell_export(config).format()
    done = subprocess.run(
        ["bash", "-c", f'{prefix} printf %s "${VARIABLE}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert in_force({VARIABLE: done.stdout}) == config.rehearsal


def test_another_run_never_takes_itself_for_one() -> None:
    prefix = shell_export(load_config(nano(), "nano")).format()
    done = subprocess.run(
        ["bash", "-c", f'{prefix} printf %s "${{{VARIABLE}-unset}}"'],
        env={VARIABLE: "{}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "unset"
    assert in_force({}) is None
