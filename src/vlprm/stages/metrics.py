"""Metrics: accuracy of every strategy on one benchmark, with paired intervals."""

from __future__ import annotations

from itertools import product

from vlprm import joins
from vlprm.config.slices.metrics import MetricsSlice
from vlprm.io import parquet
from vlprm.io.keys import Files, grid, shards
from vlprm.io.manifest import recorded
from vlprm.metrics.accuracy import accuracy_metrics
from vlprm.metrics.columns import GRADES, SEARCHED, SELECTIONS
from vlprm.metrics.decoding import Draws
from vlprm.records import Grade, Metric, Rollout, Sample, Selection
from vlprm.selection.draws import disjoint
from vlprm.stages import VERSIONS, In, Out


def run(
    config: MetricsSlice,
    samples: list[In],
    grades: list[In],
    selections: list[In],
    searched: list[In],
    searched_grades: list[In],
    metrics: Out,
) -> None:
    """Read grades and selections of all policies, and what searches found; write metrics.

    Tables are found by their keys: the lists may have any order.
    """
    with recorded(
        "metrics",
        VERSIONS["metrics"],
        config.model_dump(mode="json"),
        inputs=sorted([*samples, *grades, *selections, *searched, *searched_grades]),
        outputs=[metrics],
    ) as counts:
        policies, own = config.policies, shards(config.benchmark, config.shards)
        asked = Files(samples, Sample, own).of()
        graded = Files(grades, Grade, [one | {"policy": name} for name in policies for one in own])
        picked = Files(selections, Selection, grid(policy=policies, dataset=config.benchmark))
        searches = [
            one | {"search": search, "prm": prm, "policy": policy}
            for search, prm, policy in product(config.searches, config.prms, policies)
            for one in own
        ]
        drawn = Files(searched, Rollout, searches)
        drawn_grades = Files(searched_grades, Grade, searches)
        ids = parquet.frame(asked, Sample, ["id"])["id"]
        found: list[Metric] = []
        draws = Draws(
            config.candidates,
            {n: disjoint(config.candidates, n, config.draws) for n in config.n},
        )
        for policy in policies:
            results = {}
            for (search, n), prm in product(config.searches.items(), config.prms):
                of = {"search": search, "prm": prm, "policy": policy}
                results[prm, search, n] = (
                    parquet.frame(drawn.of(**of), Rollout, list(SEARCHED)),
                    parquet.frame(drawn_grades.of(**of), Grade, list(GRADES)),
                )
            picks = parquet.frame(picked.of(policy=policy), Selection, list(SELECTIONS))
            of_questions = picks.select("sample_id").unique(maintain_order=True)
            joins.match(of_questions, ids, "selections", f"{policy} on {config.benchmark}")
            found += accuracy_metrics(
                config.benchmark,
                policy,
                ids.to_list(),
                parquet.frame(graded.of(policy=policy), Grade, list(GRADES)),
                picks,
                config=config.metrics,
                searched=results,
                n=config.n,
                draws=draws,
                replicates=config.replicates,
            )
        keys = {"dataset": config.benchmark, "kind": "accuracy"}
        parquet.write(found, metrics, Metric, keys=keys)
        counts["questions"] = len(ids)
        counts["metrics"] = len(found)
