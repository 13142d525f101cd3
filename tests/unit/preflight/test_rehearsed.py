"""The report's arithmetic: sums equal their parts, and the full run follows from counts."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.preflight.machines import plan_of
from tests.workflow.runs import nano
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.rehearsal import derive
from vlprm.config.times import read_rates
from vlprm.config.work import Work
from vlprm.errors import UserError
from vlprm.preflight.rehearsed import arithmetic, by_rule, measure, report_lines, write
from vlprm.provenance import Platform, Timing

PLATFORM = Platform(machine="m", processor="p", cpu="portable", threads=1, torch=None)


def config() -> dict[str, Any]:
    data = nano()
    data["models"]["small"] |= {"gpus": 2, "engines": {"policy": "vllm", "scorer": "transformers"}}
    return data


def on_cards() -> Plan:
    return plan_of(config())


def rehearsal_of(full: Plan) -> Plan:
    return Plan(load_config(derive(config(), full.config, 3, 2), "test"))


def finish(workdir: Path, plan: Plan, without: str = "") -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number, job in enumerate(Work(plan).jobs()):
        if job.rule == without:
            continue
        notes = {"length_ratio": 2.0} if job.rule == "examples" else {}
        timing = Timing(
            stage=job.rule, started=now, finished=now, host="h", commit="c", dirty=False,
            container=None, code="0" * 64, platform=PLATFORM, startup_seconds=10.0 + number,
            work_seconds=3.0 * job.units, peak_host_gb=1.0 + number,
            peak_card_gb=40.0 if job.gpus else None,
            notes=notes | ({"share": 0.5} if job.rule == "train" else {}),
        )  # fmt: skip
        path = workdir / f"{job.path}.timing.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(timing.model_dump_json())
        path.with_name(path.name.replace("timing", "manifest")).write_text("{}")


def test_the_full_run_follows_from_counts(tmp_path: Path) -> None:
    full = on_cards()
    plan = rehearsal_of(full)
    finish(tmp_path, plan)
    report = measure(plan, full, tmp_path)
    assert report.missing == []
    rows = {(row.rule, row.keys): row for row in report.rows}
    row = rows["estimate", "small/matrix-train"]
    assert (row.units, row.unit_s) == (6, 3.0)
    assert (row.full_jobs, row.full_units) == (2, 30)
    assert row.full_s == 2 * row.start_s + 30 * 3.0
    assert row.full_gpu_hours == row.full_s * 2 / 3600
    train = rows["train", "prm-small"]
    # 3 s a conversation, over half of them timed, each twice as long as the mean
    assert train.unit_s == pytest.approx(3.0 / 0.5 / 2.0)
    assert train.gpus == full.config.training["prm"].cards


def test_totals_equal_the_sums(tmp_path: Path) -> None:
    full = on_cards()
    plan = rehearsal_of(full)
    finish(tmp_path, plan)
    report = measure(plan, full, tmp_path)
    rules = by_rule(report.rows)
    assert sum(row.jobs for row in rules) == len(list(Work(plan).jobs()))
    assert sum(row.full_jobs for row in rules) == len(list(Work(full).jobs()))
    assert math.fsum(row.full_gpu_hours for row in rules) == pytest.approx(report.gpu_hours())
    for row in rules:
        told = row.full_jobs * row.start_s + row.full_units * row.unit_s
        assert row.full_s == pytest.approx(told), arithmetic(row)
    page = "\n".join(report_lines(report, "nano"))
    assert f"{report.gpu_hours():,.2f} GPU hours." in page


def test_what_is_missing_is_told_and_the_rest_counts(tmp_path: Path) -> None:
    full = on_cards()
    plan = rehearsal_of(full)
    finish(tmp_path, plan, without="train")
    report = measure(plan, full, tmp_path)
    assert {job.rule for job in report.missing} == {"train"}
    assert "Not in it: 2 jobs that did not end: train." in report_lines(report, "nano")


def test_the_csv_is_read_back_as_rates(tmp_path: Path) -> None:
    full = on_cards()
    plan = rehearsal_of(full)
    finish(tmp_path, plan)
    report = measure(plan, full, tmp_path)
    write(report, "nano", tmp_path)
    rates = read_rates(tmp_path / "rehearsal.csv")
    assert len(rates) == len(report.rows)
    for row in report.rows:
        rate = rates[row.rule, tuple(row.keys.split("/")) if row.keys else ()]
        assert rate.seconds(row.full_units, row.full_jobs) == pytest.approx(row.full_s)


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    full = on_cards()
    plan = rehearsal_of(full)
    finish(tmp_path, plan)
    job = next(iter(Work(plan).jobs()))
    (tmp_path / f"{job.path}.timing.json").write_text("{}")
    with pytest.raises(UserError, match="not a timing record"):
        measure(plan, full, tmp_path)
