"""Commands of test-time scaling: grade, score, search, select."""

from __future__ import annotations

from vlprm.cli.arguments import (
    ConfigArg,
    In,
    Many,
    Out,
    PlacementArg,
    app,
    parse,
    paths,
    placed,
)
from vlprm.config import slices


@app.command()
def grade(samples: In, rollouts: In, grades: Out, config: ConfigArg) -> None:
    """Grade the answer of every rollout."""
    from vlprm.stages import grade as stage

    stage.run(parse(slices.GradeSlice, config), samples, rollouts, grades)


@app.command()
def score(
    samples: In,
    images: In,
    rollouts: In,
    weights: In,
    scores: Out,
    config: ConfigArg,
    placement: PlacementArg,
) -> None:
    """Score every step of every candidate with a PRM."""
    from vlprm.stages import score as stage

    chosen = placed(parse(slices.ScoreSlice, config), placement, engine="scorer")
    stage.run(chosen, samples, images, rollouts, weights, scores)


@app.command()
def rank(
    samples: In,
    images: In,
    rollouts: In,
    weights: In,
    scores: Out,
    config: ConfigArg,
    placement: PlacementArg,
) -> None:
    """Ask a plain VLM which whole solutions are right."""
    from vlprm.stages import rank as stage

    chosen = placed(parse(slices.RankSlice, config), placement, engine="scorer")
    stage.run(chosen, samples, images, rollouts, weights, scores)


@app.command()
def search(
    samples: In,
    images: In,
    policy: In,
    prm: In,
    rollouts: Out,
    scores: Out,
    config: ConfigArg,
    placement: PlacementArg,
) -> None:
    """Step-guided search of a policy by a PRM."""
    from vlprm.stages import search as stage

    chosen = placed(
        parse(slices.SearchSlice, config), placement, policy_engine="policy", prm_engine="scorer"
    )
    stage.run(chosen, samples, images, policy, prm, rollouts, scores)


@app.command()
def select(
    samples: Many, rollouts: Many, scores: Many, ranks: Many, selections: Out, config: ConfigArg
) -> None:
    """Pick candidates by every strategy; never sees gold answers."""
    from vlprm.stages import select as stage

    stage.run(
        parse(slices.SelectSlice, config),
        paths(samples),
        paths(rollouts),
        paths(scores),
        paths(ranks),
        selections,
    )
