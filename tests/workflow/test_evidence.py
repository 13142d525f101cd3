"""Only the stages that a label rule needs are jobs; a judge behind an address runs on the spot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.runs import ROOT, Workdir, nano

CHAT = {
    "name": "chat", "engine": "api", "prompt": "judge_stepwise_v1", "model": "m",
    "base_url": "http://127.0.0.1", "max_tokens": 8, "concurrency": 1,
}  # fmt: skip


def with_rule(name: str, **labels: Any) -> dict[str, Any]:
    config = nano()
    threshold = {} if name == "judge" else {"threshold": 0.0}
    config["labels"] |= labels
    config["labels"]["rule"] = {"name": name, "after_first_error": "stop", **threshold}
    config["evaluation"]["step_truth"] = False
    return config


@pytest.mark.parametrize(
    ("name", "null", "asked"),
    [("monte_carlo", "judge", {"estimate"}), ("judge", "estimates", {"judge"})],
)
def test_a_rule_asks_for_its_own_evidence_alone(
    tmp_path: Path, name: str, null: str, asked: set[str]
) -> None:
    jobs = Workdir(tmp_path / "run").planned(with_rule(name, **{null: None}))
    assert {"estimate", "judge"} & set(jobs) == asked
    assert {"label", "train"} <= set(jobs)


LOCAL = """
import sys
from pathlib import Path
from snakemake.api import ConfigSettings, ResourceSettings, SnakemakeApi

with SnakemakeApi() as api:
    chosen = ConfigSettings(configfiles=[Path(sys.argv[2])])
    made = api.workflow(ResourceSettings(cores=1), chosen, snakefile=Path(sys.argv[1]))._workflow
    print("judge" in made._localrules)
"""


@pytest.mark.parametrize(
    ("judge", "local"), [(CHAT, True), (CHAT | {"where": "job"}, False), (None, False)]
)
def test_a_judge_behind_an_address_is_asked_where_snakemake_runs(
    tmp_path: Path, judge: dict[str, Any] | None, local: bool
) -> None:
    """A dry run does not tell which rules are local."""
    workdir = Workdir(tmp_path / "run")
    labels = {"judge": judge} if judge else {}
    file = workdir.write_config(with_rule("consensus", **labels))
    done = subprocess.run(
        [sys.executable, "-c", LOCAL, str(ROOT / "Snakefile"), str(file)],
        cwd=workdir.path, env=workdir.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith(str(local)), done.stderr


def test_estimates_that_stop_come_after_the_judge(tmp_path: Path) -> None:
    config = with_rule("consensus")
    config["labels"]["estimates"]["draw"] = "until_decided"
    printed = Workdir(tmp_path / "run").run(config, "--dry-run").stdout
    estimate = printed.split("\nrule estimate:", 1)[1].split("output:", 1)[0]
    assert "/verdicts/" in estimate


def test_a_judge_of_the_panel_is_asked_as_the_judge_is(tmp_path: Path) -> None:
    """Only its name, its table and its own timeout differ."""
    other = nano()["labels"]["judge"] | {"name": "other", "timeout_seconds": 7}
    config = with_rule("consensus", panel={"judges": {"other": other}, "keep": "usable"})
    printed = Workdir(tmp_path / "run").run(config, "--dry-run", "--printshellcmds").stdout
    asked = [line for line in printed.splitlines() if "vlprm.cli judge " in line]
    beside = [line for line in asked if "/panel/other/" in line]
    assert beside
    assert all("--timeout-seconds 7 " in line for line in beside)
    assert all("--timeout-seconds 600 " in line for line in asked if line not in beside)
