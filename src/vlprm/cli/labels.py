"""Commands from rollouts to a trained PRM."""

from __future__ import annotations

from typing import Annotated

from typer import Option

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
def rollout(
    samples: In,
    images: In,
    weights: In,
    rollouts: Out,
    config: ConfigArg,
    placement: PlacementArg,
) -> None:
    """Draw solutions from a policy."""
    from vlprm.stages import rollout as stage

    chosen = placed(parse(slices.RolloutSlice, config), placement, engine="policy")
    stage.run(chosen, samples, images, weights, rollouts)


@app.command()
def estimate(
    samples: In,
    images: In,
    rollouts: In,
    weights: In,
    estimates: Out,
    config: ConfigArg,
    placement: PlacementArg,
) -> None:
    """Monte-Carlo value of every step."""
    from vlprm.stages import estimate as stage

    chosen = placed(parse(slices.EstimateSlice, config), placement, engine="policy")
    stage.run(chosen, samples, images, rollouts, weights, estimates)


@app.command()
def judge(samples: In, images: In, rollouts: In, verdicts: Out, config: ConfigArg) -> None:
    """Ask a judge for the first wrong step of every rollout."""
    from vlprm.stages import judge as stage

    stage.run(parse(slices.JudgeSlice, config), samples, images, rollouts, verdicts)


@app.command()
def label(
    rollouts: In, estimates: In, verdicts: In, labels: Out, dropped: Out, config: ConfigArg
) -> None:
    """Turn estimates and verdicts into step labels."""
    from vlprm.stages import label as stage

    stage.run(parse(slices.LabelSlice, config), rollouts, estimates, verdicts, labels, dropped)


@app.command()
def examples(
    samples: Many, rollouts: Many, labels: Many, examples: Out, dropped: Out, config: ConfigArg
) -> None:
    """Turn labelled rollouts into training conversations."""
    from vlprm.stages import examples as stage

    stage.run(
        parse(slices.ExamplesSlice, config),
        paths(samples),
        paths(rollouts),
        paths(labels),
        examples,
        dropped,
    )


@app.command()
def train(
    examples: In,
    images: Many,
    base: In,
    weights: Out,
    config: ConfigArg,
    placement: PlacementArg,
    workers: Annotated[int, Option(min=0, help="processes a GPU that prepare batches")] = 0,
    save_minutes: Annotated[float, Option(min=0, help="how often the state is saved")] = 30,
) -> None:
    """Train a PRM; a run that was killed goes on from its last state."""
    from vlprm.stages import train as stage

    chosen = placed(parse(slices.TrainSlice, config), placement, base="training")
    stage.run(chosen, examples, paths(images), base, weights, workers, save_minutes)
