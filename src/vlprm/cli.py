"""The command line: one command a stage, paths and configuration as arguments, nothing else.

The same line runs from a rule, by hand, in a debugger and in a container.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from vlprm.config import slices
from vlprm.config.block import Block
from vlprm.config.models import HubRef
from vlprm.errors import UserError

app = typer.Typer(
    help="Vision-language process reward models: one command a stage of the pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
B = TypeVar("B", bound=Block)

ConfigArg = Annotated[
    str, typer.Option("--config", help="the stage's slice of the configuration (JSON)")
]
In = Annotated[Path, typer.Option(help="input file", show_default=False)]
Out = Annotated[Path, typer.Option(help="output file, written atomically", show_default=False)]
Many = Annotated[str, typer.Option(help="input files, separated by blanks", show_default=False)]


def parse(kind: type[B], text: str) -> B:
    """Read a slice from its JSON argument.

    Raises UserError naming the key that is wrong.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"{key}: {first['msg']}", where="--config", cure=f"pass a {kind.__name__} as JSON"
        ) from error


def paths(text: str) -> list[Path]:
    """The files of a blank-separated list."""
    return [Path(item) for item in text.split()]


@app.command()
def fetch(out: Out, config: ConfigArg) -> None:
    """Download a pinned revision of a model or data set."""
    from vlprm.stages import fetch as stage

    stage.run(parse(HubRef, config), out)


@app.command()
def prepare(samples: Out, images: Out, config: ConfigArg) -> None:
    """Questions and images of one shard of a data set."""
    from vlprm.stages import prepare as stage

    stage.run(parse(slices.PrepareSlice, config), samples, images)


@app.command()
def base(weights: Out, config: ConfigArg) -> None:
    """Train a mini base model from a seed."""
    from vlprm.stages import base as stage

    stage.run(parse(slices.BaseSlice, config), weights)


@app.command()
def rollout(samples: In, images: In, weights: In, rollouts: Out, config: ConfigArg) -> None:
    """Draw solutions from a policy."""
    from vlprm.stages import rollout as stage

    stage.run(parse(slices.RolloutSlice, config), samples, images, weights, rollouts)


@app.command()
def estimate(
    samples: In, images: In, rollouts: In, weights: In, estimates: Out, config: ConfigArg
) -> None:
    """Monte-Carlo value of every step."""
    from vlprm.stages import estimate as stage

    stage.run(parse(slices.EstimateSlice, config), samples, images, rollouts, weights, estimates)


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
def train(examples: In, images: Many, base: In, weights: Out, config: ConfigArg) -> None:
    """Train a PRM."""
    from vlprm.stages import train as stage

    stage.run(parse(slices.TrainSlice, config), examples, paths(images), base, weights)


@app.command()
def grade(samples: In, rollouts: In, grades: Out, config: ConfigArg) -> None:
    """Grade the answer of every rollout."""
    from vlprm.stages import grade as stage

    stage.run(parse(slices.GradeSlice, config), samples, rollouts, grades)


@app.command()
def score(
    samples: In, images: In, rollouts: In, weights: In, scores: Out, config: ConfigArg
) -> None:
    """Score every step of every candidate with a PRM."""
    from vlprm.stages import score as stage

    stage.run(parse(slices.ScoreSlice, config), samples, images, rollouts, weights, scores)


@app.command()
def rank(
    samples: In, images: In, rollouts: In, weights: In, scores: Out, config: ConfigArg
) -> None:
    """Ask a plain VLM which whole solutions are right."""
    from vlprm.stages import rank as stage

    stage.run(parse(slices.RankSlice, config), samples, images, rollouts, weights, scores)


@app.command()
def search(
    samples: In,
    images: In,
    policy: In,
    prm: In,
    rollouts: Out,
    scores: Out,
    config: ConfigArg,
) -> None:
    """Step-guided search of a policy by a PRM."""
    from vlprm.stages import search as stage

    stage.run(parse(slices.SearchSlice, config), samples, images, policy, prm, rollouts, scores)


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


@app.command()
def metrics(
    samples: Many,
    grades: Many,
    selections: Many,
    guided: Many,
    guided_grades: Many,
    metrics: Out,
    config: ConfigArg,
) -> None:
    """Accuracy of every strategy with paired intervals."""
    from vlprm.stages import metrics as stage

    stage.run(
        parse(slices.MetricsSlice, config),
        paths(samples),
        paths(grades),
        paths(selections),
        paths(guided),
        paths(guided_grades),
        metrics,
    )


@app.command("step-metrics")
def step_metrics(
    rollouts: Many,
    verdicts: Many,
    scores: Many,
    metrics: Out,
    bins: Out,
    confusions: Out,
    config: ConfigArg,
) -> None:
    """Step and first-error F1 and calibration of every PRM."""
    from vlprm.stages import step_metrics as stage

    stage.run(
        parse(slices.MetricsSlice, config),
        paths(rollouts),
        paths(verdicts),
        paths(scores),
        metrics,
        bins,
        confusions,
    )


@app.command()
def tables(
    metrics: Many, steps: Many, rollouts: Many, labels: Many, out_dir: Out, config: ConfigArg
) -> None:
    """Tables as CSV, Markdown and LaTeX."""
    from vlprm.stages import tables as stage

    stage.run(
        parse(slices.TablesSlice, config),
        paths(metrics),
        paths(steps),
        paths(rollouts),
        paths(labels),
        out_dir,
    )


@app.command()
def figures(
    metrics: Many, bins: Many, confusions: Many, labels: In, out_dir: Out, config: ConfigArg
) -> None:
    """Figures as SVG and PNG."""
    from vlprm.stages import figures as stage

    stage.run(
        parse(slices.TablesSlice, config),
        paths(metrics),
        paths(bins),
        paths(confusions),
        labels,
        out_dir,
    )


@app.command()
def compare(first: Path, second: Path) -> None:
    """Compare the results of two runs, file by file, by sha256."""
    from vlprm.io.compare import compare_runs

    raise typer.Exit(compare_runs(first, second))


def main() -> None:
    """Run a command; a UserError is one message and exit status 2."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
