"""Metrics: accuracy of every strategy on one benchmark, with paired intervals."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.slices import MetricsSlice
from vlprm.io import tables
from vlprm.io.manifest import recorded
from vlprm.metrics.accuracy import accuracy_metrics
from vlprm.metrics.columns import GRADES, SEARCHED, SELECTIONS
from vlprm.records import Grade, Metric, Rollout, Sample, Selection
from vlprm.stages import VERSIONS


def run(
    config: MetricsSlice,
    samples: list[Path],
    grades: list[Path],
    selections: list[Path],
    guided: list[Path],
    guided_grades: list[Path],
    metrics: Path,
) -> None:
    """Read grades and selections policy after policy; write metrics.

    ``grades`` hold all shards of the first policy, then of the second, ...; ``guided`` all of
    the first PRM's first policy, ...
    """
    with recorded(
        "metrics",
        VERSIONS["metrics"],
        config.model_dump(mode="json"),
        inputs=[*samples, *grades, *selections, *guided, *guided_grades],
        outputs=[metrics],
    ) as counts:
        ids = tables.frame(samples, Sample, ["id"])["id"].to_list()
        graded = list(GRADES)
        shards, policies = len(samples), len(config.policies)
        found: list[Metric] = []
        for number, policy in enumerate(config.policies):
            searched = {}
            for place, prm in enumerate(config.prms if guided else ()):
                first = (place * policies + number) * shards
                part = slice(first, first + shards)
                searched[prm, config.guided_n] = (
                    tables.frame(guided[part], Rollout, list(SEARCHED)),
                    tables.frame(guided_grades[part], Grade, graded),
                )
            found += accuracy_metrics(
                config.benchmark,
                policy,
                ids,
                tables.frame(grades[number * shards : (number + 1) * shards], Grade, graded),
                tables.frame([selections[number]], Selection, list(SELECTIONS)),
                config=config.metrics,
                guided=searched,
                n=config.n,
            )
        tables.write(found, metrics, Metric)
        counts["questions"] = len(ids)
        counts["metrics"] = len(found)
