"""Step metrics: the PRM against step truth (step F1, first-error F1, calibration)."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.slices import MetricsSlice
from vlprm.io import tables
from vlprm.io.manifest import recorded
from vlprm.metrics.calibration import CalibrationBin, calibration_bins, calibration_metrics
from vlprm.metrics.columns import SCORES, VERDICTS
from vlprm.metrics.step_f1 import ConfusionCell, confusion, judged_steps, step_metrics
from vlprm.records import Metric, Rollout, StepScore, Verdict
from vlprm.stages import VERSIONS


def run(
    config: MetricsSlice,
    rollouts: list[Path],
    verdicts: list[Path],
    scores: list[Path],
    metrics: Path,
    bins: Path,
    confusions: Path,
) -> None:
    """Read verdicts and step scores of every policy and PRM; write metrics, bins, confusion."""
    with recorded(
        "step_metrics",
        VERSIONS["step_metrics"],
        config.model_dump(mode="json"),
        inputs=[*rollouts, *verdicts, *scores],
        outputs=[metrics, bins, confusions],
    ) as counts:
        policies = config.policies
        shards = len(rollouts) // len(policies)
        found: list[Metric] = []
        shares: list[CalibrationBin] = []
        cells: list[ConfusionCell] = []
        for number, policy in enumerate(policies):
            own = slice(number * shards, (number + 1) * shards)
            names = tables.frame(rollouts[own], Rollout, ["sample_id"])["sample_id"]
            ids = names.unique(maintain_order=True).to_list()
            said = tables.frame(verdicts[own], Verdict, list(VERDICTS))
            for place, prm in enumerate(config.prms):
                first = (place * len(policies) + number) * shards
                judged = judged_steps(
                    tables.frame(scores[first : first + shards], StepScore, list(SCORES)), said
                )
                missing = len(said) - len(judged)
                name = (config.benchmark, policy, prm)
                found += step_metrics(*name, ids, judged, n_unjudged=missing, config=config.metrics)
                own_bins = calibration_bins(
                    *name,
                    judged,
                    bins=config.metrics.calibration_bins,
                    confidence=config.metrics.confidence,
                )
                found += calibration_metrics(own_bins, judged, n_unjudged=missing)
                shares += own_bins
                cells += confusion(*name, judged)
                counts["judged"] = counts.get("judged", 0) + len(judged)
                counts["unjudged"] = counts.get("unjudged", 0) + missing
        tables.write(found, metrics, Metric)
        tables.write(shares, bins, CalibrationBin)
        tables.write(cells, confusions, ConfusionCell)
