"""Commands for data sets and base models."""

from __future__ import annotations

import os

from vlprm.cli.arguments import ConfigArg, In, Out, app, parse
from vlprm.config import slices
from vlprm.config.data import FileData
from vlprm.config.models import HubRef
from vlprm.errors import UserError


@app.command()
def fetch(out: Out, config: ConfigArg) -> None:
    """Download a pinned revision of a model or data set."""
    # read when the Hub's client is imported. Its Xet protocol starts a file over after a cut;
    # plain HTTP goes on where it stopped
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from vlprm.stages import fetch as stage

    stage.run(parse(HubRef, config), out)


@app.command()
def absent(dataset: str, config: ConfigArg) -> None:
    """Say which file a data set lacks, and where it is found; exit status 2."""
    data = parse(FileData, config)
    raise UserError(
        f"the files of data set {dataset!r} are not there",
        where=data.path,
        cure=f"put them there; origin: {data.origin or 'not stated'}",
    )


@app.command()
def prepare(samples: Out, images: Out, config: ConfigArg) -> None:
    """Questions and images of one shard of a data set."""
    from vlprm.stages import prepare as stage

    stage.run(parse(slices.PrepareSlice, config), samples, images)


@app.command()
def published(
    rollouts: In,
    requests: In,
    results: In,
    samples: Out,
    images: Out,
    to_rollouts: Out,
    estimates: Out,
    verdicts: Out,
    config: ConfigArg,
) -> None:
    """Records of a published run: rollouts, estimates, verdicts."""
    from vlprm.stages import published as stage

    stage.run(
        parse(slices.PublishedSlice, config),
        (rollouts, requests, results),
        (samples, images, to_rollouts, estimates, verdicts),
    )


@app.command()
def base(weights: Out, config: ConfigArg) -> None:
    """Train a mini base model from a seed."""
    from vlprm.stages import base as stage

    stage.run(parse(slices.BaseSlice, config), weights)
