"""What every strategy costs per question, in tokens: drawn by the policy, and read to choose.

A strategy that sees n of the stored candidates costs n times what a candidate of its question
takes on average, which is the expectation over all draws of n. Reading is by the PRM or the judge:
of the steps, one prompt with all of them; of the whole solution, one with it as one step; image
tokens count. A search costs what it drew and read, steps that were not taken included. Seconds are
another matter: they depend on the machine (``vlprm cost``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from vlprm.config.evaluation import WITH_PRM, EvaluationConfig
from vlprm.joins import match
from vlprm.metrics.accuracy import ORACLE, PASS_AT_1
from vlprm.metrics.rows import Row, without_interval
from vlprm.records import POLICY_TOKENS, READ_TOKENS, WHOLE_SOLUTION, Metric

DRAWN = ("id", "sample_id", "completion_tokens")
READ = ("rollout_id", "step_index", "prompt_tokens")
SEARCHED = ("sample_id", "sampled_tokens", "read_tokens")
_LOOK_AT_ONE = frozenset({"first", "random"})
"""Strategies that need no other candidate than the one they take."""


def cost_metrics(
    benchmark: str,
    policy: str,
    drawn: pl.DataFrame,
    read: Mapping[str | None, pl.DataFrame],
    searched: Mapping[tuple[str, str, int], pl.DataFrame],
    ranking: EvaluationConfig,
) -> list[Metric]:
    """``POLICY_TOKENS`` and ``READ_TOKENS`` of every row of one policy on one benchmark.

    ``drawn``: columns :data:`DRAWN` of the stored candidates; ``read``: PRM (None: the judge, if
    there is one) to columns :data:`READ` of its scores; ``searched``: (PRM, search, n) to
    columns :data:`SEARCHED`. Raises UserError when an id is missing or foreign.
    """
    where = f"{policy} on {benchmark}"
    questions = drawn["sample_id"].unique(maintain_order=True)
    a_candidate = _per(int(drawn["completion_tokens"].sum()), len(drawn))
    views = {
        prm: _views(frame, drawn, f"scores of {prm or 'the judge'}", where)
        for prm, frame in read.items()
    }
    rows: dict[Row, tuple[float, float]] = {(None, PASS_AT_1, None, 1): (a_candidate, 0.0)}
    for n in ranking.n:
        rows[None, ORACLE, None, n] = (n * a_candidate, 0.0)
    for strategy, way, n in _asked(ranking):
        seen = 1 if strategy in _LOOK_AT_ONE else n
        view = "steps" if strategy == "step_aggregation" or way not in (None, "whole") else "whole"
        asks_judge = strategy == "llm_judge"
        for prm in [one for one in read if one] if strategy in WITH_PRM else [None]:
            of = views[prm][view] if prm or asks_judge else 0.0
            rows[prm, strategy, way, n] = (seen * a_candidate, seen * of)
    for (prm, search, n), frame in searched.items():
        match(frame.select("sample_id"), questions, f"costs of {search} by {prm}", where)
        rows[prm, search, None, n] = (
            _per(int(frame["sampled_tokens"].sum()), len(frame)),
            _per(int(frame["read_tokens"].sum()), len(frame)),
        )
    return [
        without_interval(benchmark, policy, row, name, value, len(questions))
        for row, values in rows.items()
        for name, value in zip((POLICY_TOKENS, READ_TOKENS), values, strict=True)
    ]


def _asked(ranking: EvaluationConfig) -> Iterator[tuple[str, str | None, int]]:
    """Strategy, aggregation and n; of one candidate nothing is chosen, so it is pass@1."""
    for strategy in ranking.strategies:
        for way in ranking.ways(strategy):
            yield from ((strategy, way, n) for n in ranking.n if n > 1)


def read_tokens(scores: pl.DataFrame) -> dict[str, int]:
    """Tokens read in all, by view: ``whole`` solutions and ``steps``; columns :data:`READ`."""
    whole = pl.col("step_index") == WHOLE_SOLUTION
    steps = scores.filter(~whole).group_by("rollout_id").agg(pl.col("prompt_tokens").max())
    # sums of integers, so the order of a group matters to no digit
    return {
        "whole": int(scores.filter(whole)["prompt_tokens"].sum()),
        "steps": int(steps["prompt_tokens"].sum()),
    }


def _views(scores: pl.DataFrame, drawn: pl.DataFrame, what: str, where: str) -> dict[str, float]:
    """Tokens read of a candidate, by view; a candidate without steps has none of them read."""
    match(scores.select("rollout_id", "step_index"), drawn["id"], what, where, each=False)
    whole = pl.col("step_index") == WHOLE_SOLUTION  # every candidate is scored as a whole
    match(scores.filter(whole).select("rollout_id"), drawn["id"], what, where)
    return {view: _per(tokens, len(drawn)) for view, tokens in read_tokens(scores).items()}


def _per(tokens: int, among: int) -> float:
    return tokens / among if among else float("nan")
