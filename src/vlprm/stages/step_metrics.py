"""Step metrics: the PRM against step truth (step F1, first-error F1, calibration)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from vlprm import joins
from vlprm.config.slices.metrics import MetricsSlice
from vlprm.io import parquet
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.metrics.calibration import CalibrationBin, calibration_metrics
from vlprm.metrics.columns import SCORES, VERDICTS
from vlprm.metrics.section_steps import sections_of, within
from vlprm.metrics.step_f1 import ConfusionCell, Judged, confusion, judged_steps, step_metrics
from vlprm.records import BY_VERDICTS_WITHIN, Metric, Rollout, StepScore, Verdict
from vlprm.stages import VERSIONS, In, Out

COLUMNS = ["id", "sample_id", "steps.list.element.section"]


def run(
    config: MetricsSlice,
    rollouts: list[In],
    verdicts: list[In],
    scores: list[In],
    metrics: Out,
    bins: Out,
    confusions: Out,
) -> None:
    """Read verdicts and step scores of every policy and PRM; write metrics, bins, confusion.

    Tables are found by their keys: the lists may have any order.
    """
    with recorded(
        "step_metrics",
        VERSIONS["step_metrics"],
        config.model_dump(mode="json"),
        inputs=sorted([*rollouts, *verdicts, *scores]),
        outputs=[metrics, bins, confusions],
    ) as counts:
        policies, prms = config.policies, config.prms
        shards_of = [
            one | {"policy": policy}
            for policy in policies
            for one in shards(config.benchmark, config.shards)
        ]
        drawn = Files(rollouts, Rollout, shards_of)
        judged_by = Files(verdicts, Verdict, shards_of if config.step_truth else [])
        scored = Files(scores, StepScore, [one | {"prm": prm} for prm in prms for one in shards_of])
        found: list[Metric] = []
        shares: list[CalibrationBin] = []
        cells: list[ConfusionCell] = []
        for policy in policies:
            solutions = parquet.frame(drawn.of(policy=policy), Rollout, COLUMNS)
            sections = sections_of(solutions)
            ids = solutions["sample_id"].unique(maintain_order=True).to_list()
            said = parquet.frame(judged_by.of(policy=policy), Verdict, list(VERDICTS))
            if config.step_truth:
                _match(said.select("rollout_id"), solutions, f"verdicts on {policy}", config)
            for prm in prms:
                steps = parquet.frame(scored.of(policy=policy, prm=prm), StepScore, list(SCORES))
                keys = steps.select("rollout_id", "step_index")
                _match(keys, solutions, f"scores of {prm} on {policy}", config)
                judged = judged_steps(steps, said)
                missing = len(said) - len(judged)
                name = (config.benchmark, policy, prm)
                found += step_metrics(*name, ids, judged, n_unjudged=missing, config=config.metrics)
                found += _by_section(config, name, ids, judged, sections)
                own_bins, calibrated = calibration_metrics(
                    *name, judged, n_unjudged=missing, config=config.metrics
                )
                found += calibrated
                shares += own_bins
                cells += confusion(*name, judged)
                counts["judged"] = counts.get("judged", 0) + len(judged)
                counts["unjudged"] = counts.get("unjudged", 0) + missing
        dataset = {"dataset": config.benchmark}
        parquet.write(found, metrics, Metric, keys=dataset | {"kind": "steps"})
        parquet.write(shares, bins, CalibrationBin, keys=dataset)
        parquet.write(cells, confusions, ConfusionCell, keys=dataset)


def _by_section(
    config: MetricsSlice,
    name: tuple[str, str, str],
    ids: Sequence[str],
    judged: Sequence[Judged],
    sections: Mapping[str, Sequence[str]],
) -> list[Metric]:
    """The same measures within each section that the solutions have."""
    found: list[Metric] = []
    for section, strategy in BY_VERDICTS_WITHIN.items():
        part = within(judged, sections, section)
        if not part:
            continue
        settings = config.metrics
        found += step_metrics(*name, ids, part, n_unjudged=0, config=settings, strategy=strategy)
        _, calibrated = calibration_metrics(
            *name, part, n_unjudged=0, config=settings, strategy=strategy
        )
        found += calibrated
    return found


def _match(rows: pl.DataFrame, solutions: pl.DataFrame, what: str, config: MetricsSlice) -> None:
    joins.match(rows, solutions["id"], what, config.benchmark)
