"""What the doctor computes of each stage's cards, for the paper's run and for ones that fail."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.preflight.machines import command, machine_of, only, plan_of
from tests.workflow.runs import ROOT, nano
from vlprm.config.memory import GIB, card_bytes
from vlprm.errors import UserError
from vlprm.preflight.checks import before_first_job
from vlprm.preflight.finding import Finding, failures
from vlprm.preflight.gpu import memory_of_cards
from vlprm.preflight.memory import check_memory, estimate_gb
from vlprm.preflight.needs import Needs

PAPER: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())


def found(config: dict[str, Any], workdir: Path, sold_gb: float = 80) -> list[Finding]:
    plan = plan_of(config)
    jobs = Needs(plan, workdir).gpu_jobs()
    return list(check_memory(plan, workdir, jobs, card_bytes(sold_gb)))


def paper(**models: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(PAPER)
    for size, change in models.items():
        config["models"][f"qwen2.5-vl-{size.removeprefix('_')}"] |= change
    return config


def test_the_papers_run_fits_80_gb(tmp_path: Path) -> None:
    lines = found(paper(), tmp_path)
    assert not failures(lines)
    assert {line.state for line in lines} == {"ok"}
    stages = {line.what.split()[0] for line in lines}
    assert stages == {"rollout", "estimate", "train", "score", "rank", "search"}
    assert len({line.what for line in lines}) == len(lines), "one line per stage and its models"
    (shared,) = [x for x in lines if x.what.startswith("search qwen2.5-vl-3b + vl-prm-7b: ")]
    assert "of 43.5 GiB, vl-prm-7b 15.4 weights" in shared.what
    assert "of 27.7 GiB" in shared.what


def test_the_old_judge_on_one_card_does_not_fit(tmp_path: Path) -> None:
    lines = failures(found(paper(_32b={"batch_tokens": 65536, "gpus": 1}), tmp_path))
    (rank,) = [line for line in lines if line.what.startswith("rank")]
    assert "of 71.2 GiB" in rank.what
    assert "models.qwen2.5-vl-32b.gpus: 2" in str(rank.cure)
    assert "models.qwen2.5-vl-32b.batch_tokens: " in str(rank.cure)


def test_each_cure_cures(tmp_path: Path) -> None:
    for tokens in (32768, 16384):
        change = {"batch_tokens": tokens, "gpus": 1}
        ranks = [x for x in found(paper(_32b=change), tmp_path) if x.what.startswith("rank")]
        if ranks[0].state == "ok":
            break
    config = paper(_32b={"batch_tokens": 65536, "gpus": 1})
    (line,) = [x for x in failures(found(config, tmp_path)) if x.what.startswith("rank")]
    assert f"batch_tokens: {tokens}" in str(line.cure), "the largest that fits"


def test_shares_that_are_too_small(tmp_path: Path) -> None:
    lines = failures(found(paper(), tmp_path, sold_gb=40))
    (line,) = [x for x in lines if x.what.startswith("search qwen2.5-vl-3b + vl-prm-7b")]
    assert "of 13.8 GiB" in line.what
    assert "evaluation.placement.share" in str(line.cure)
    (line,) = [x for x in lines if x.what.startswith("train vl-prm-7b")]
    assert "training.prm.micro_batch: 1" in str(line.cure)


def test_a_number_of_cards_that_does_not_divide(tmp_path: Path) -> None:
    (line,) = [
        x for x in failures(found(paper(_32b={"gpus": 3}), tmp_path)) if x.what.startswith("rank")
    ]
    assert "on 3 cards: 40 heads do not divide by 3" in line.what
    assert line.cure == "models.qwen2.5-vl-32b.gpus: one of [1, 2, 4, 8]"


def test_a_model_that_nobody_knows_is_a_warning(tmp_path: Path) -> None:
    config = paper()
    config["models"]["gemma-3-12b"]["hub"]["repo"] = "someone/else"
    lines = [x for x in found(config, tmp_path) if "gemma-3-12b" in x.what]
    assert {x.state for x in lines} == {"warning"}


def test_shapes_of_fetched_files_come_before_known_ones(tmp_path: Path) -> None:
    folder = tmp_path / "resources" / "models" / "qwen2.5-vl-7b"
    folder.mkdir(parents=True)
    small = (ROOT / "models" / "mini" / "small" / "config.json").read_text()
    (folder / "config.json").write_text(small)
    (line,) = [x for x in found(paper(), tmp_path) if x.what.startswith("score vl-prm-7b")]
    assert "0.0 weights" in line.what


def test_models_on_the_cpu_have_no_line(tmp_path: Path) -> None:
    assert not found(nano(), tmp_path)


def test_what_is_there_needs_no_card(tmp_path: Path) -> None:
    plan = plan_of(paper())
    for name in plan.config.evaluation.benchmarks:
        for policy in plan.config.evaluation.policies:
            for path in plan.tables("ranks", policy, name):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_text("")
    assert not [x for x in found(paper(), tmp_path) if x.what.startswith("rank")]


def test_a_training_on_the_cards_of_this_machine(tmp_path: Path) -> None:
    plan = plan_of(paper())

    def trained(here: int | None) -> Finding:
        jobs = Needs(plan, tmp_path).gpu_jobs()
        lines = check_memory(plan, tmp_path, jobs, card_bytes(80), here)
        return next(line for line in lines if line.what.startswith("train vl-prm-7b"))

    assert trained(None).state == "ok"
    assert "each of 8 cards" in trained(None).what
    assert trained(1).state == "failure", "its optimizer is on one card"


def test_numbers_for_a_measurement(tmp_path: Path) -> None:
    plan = plan_of(paper())
    jobs = {job.stage: job for job in Needs(plan, tmp_path).gpu_jobs()}
    assert set(estimate_gb(plan, tmp_path, jobs["search"])) == {"policy", "scorer"}
    assert 30 < estimate_gb(plan, tmp_path, jobs["rank"])["scorer"] < 71


def test_the_card_of_this_machine_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = only(monkeypatch, tmp_path / "bin")
    assert memory_of_cards(machine_of(tmp_path)) == []
    command(path, "nvidia-smi", printed="24564\n24564")
    assert [size / GIB for size in memory_of_cards(machine_of(tmp_path))] == [24564 / 1024] * 2
    assert memory_of_cards(machine_of(tmp_path, executor="slurm")) == [], "not the jobs' machine"
    command(path, "nvidia-smi", error="no driver", status=9)
    assert memory_of_cards(machine_of(tmp_path)) == []


def test_a_run_that_cannot_fit_is_not_started(tmp_path: Path) -> None:
    plan = plan_of(paper(_7b={"batch_tokens": 1048576}))
    with pytest.raises(UserError, match=r"vl-prm-7b 15\.4 weights"):
        before_first_job(plan, machine_of(tmp_path, executor="slurm"))
