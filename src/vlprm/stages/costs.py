"""Costs: tokens per question of every strategy on one benchmark."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from vlprm.config.slices.costs import CostsSlice
from vlprm.io import parquet
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.metrics.costs import DRAWN, READ, SEARCHED, cost_metrics
from vlprm.records import Metric, Rollout, SearchCost, StepScore
from vlprm.stages import VERSIONS, In, Out


def run(
    config: CostsSlice,
    rollouts: list[In],
    scores: list[In],
    ranks: list[In],
    searched: list[In],
    costs: Out,
) -> None:
    """Read candidates, scores and what searches cost; write metrics.

    Tables are found by their keys: the lists may have any order.
    """
    with recorded(
        "costs",
        VERSIONS["costs"],
        config.model_dump(mode="json"),
        inputs=sorted([*rollouts, *scores, *ranks, *searched]),
        outputs=[costs],
    ) as counts:
        own = [
            one | {"policy": policy}
            for policy in config.policies
            for one in shards(config.benchmark, config.shards)
        ]
        drawn = Files(rollouts, Rollout, own)
        scored = Files(scores, StepScore, [one | {"prm": p} for p in config.prms for one in own])
        judged = [one | {"judge": config.judge} for one in own] if config.judge else []
        ranked = Files(ranks, StepScore, judged)
        of_searches = Files(
            searched,
            SearchCost,
            [
                one | {"search": search, "prm": prm}
                for search, prm in product(config.searches, config.prms)
                for one in own
            ],
        )
        found: list[Metric] = []
        for policy in config.policies:
            said: dict[str | None, list[Path]] = {
                prm: scored.of(policy=policy, prm=prm) for prm in config.prms
            }
            said |= {None: ranked.of(policy=policy)} if config.judge else {}
            read = {prm: parquet.frame(paths, StepScore, list(READ)) for prm, paths in said.items()}
            asked = {
                (prm, search, n): parquet.frame(
                    of_searches.of(policy=policy, prm=prm, search=search),
                    SearchCost,
                    list(SEARCHED),
                )
                for (search, n), prm in product(config.searches.items(), config.prms)
            }
            found += cost_metrics(
                config.benchmark,
                policy,
                parquet.frame(drawn.of(policy=policy), Rollout, list(DRAWN)),
                read,
                asked,
                config.ranking,
            )
        parquet.write(found, costs, Metric, keys={"dataset": config.benchmark, "kind": "costs"})
        counts["metrics"] = len(found)
