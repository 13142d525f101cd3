"""Commands that measure and show: metrics, tables, figures, comparison of runs."""

from __future__ import annotations

from pathlib import Path

import typer

from vlprm.cli.arguments import ConfigArg, In, Many, Out, app, parse, paths
from vlprm.config import slices


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
