"""What every table states about its numbers, out of the configuration."""

from __future__ import annotations

from vlprm.config.estimates import EstimateConfig
from vlprm.config.run import Config

UNFINISHED = {"wrong": "counts as wrong", "left_out": "is left out, on both sides of a difference"}
UNPARSED = {
    "wrong": "counts as wrong",
    "ungraded": "is left out and counted apart",
    "random": "counts as a random option",
}


def facts(config: Config) -> dict[str, str]:
    """Name of a fact to its text: interval, draws, what counts as wrong, judge."""
    measured, ranking = config.metrics, config.evaluation.ranking
    return {
        "run": config.run,
        "interval": (
            f"{100 * measured.confidence:g} % over questions: Korn and Graubard for shares,"
            " Bonett and Price for paired differences"
        ),
        "candidates": f"{ranking.candidates} per question, {ranking.draws} draws of each n below",
        "unfinished": f"a solution cut at its limit {UNFINISHED[measured.unfinished]}",
        "no answer found": _unparsed(config),
        "judge": config.labels.judge.name if config.labels.judge else "none",
        "labels": _labels(config),
        **_replicates(config),
    } | {f"search {name}": config.searches[name].rule for name in config.evaluation.searches}


def _replicates(config: Config) -> dict[str, str]:
    """What the rows of pooled trainings are."""
    return {
        f"PRM {name}": (
            f"the mean of {', '.join(prms)}, trainings that differ in their seed alone; intervals"
            " over questions and trainings"
        )
        for name, prms in config.evaluation.replicates.items()
    }


def _labels(config: Config) -> str:
    """What the training labels rest on."""
    labels, parts = config.labels, [f"rule {config.labels.rule.name}"]
    if labels.estimated and labels.estimates is not None:
        drawn = _drawn(labels.estimates)
        parts.append(f"continuations per step: {drawn}")
    return "; ".join(parts)


def _drawn(estimates: EstimateConfig) -> str:
    """How many continuations of a step, and what ends them."""
    told = {
        "all": str(estimates.continuations),
        "until_decided": f"at most {estimates.continuations}, drawn until a label is decided",
        "sequential": f"at most {estimates.continuations}, a sequential test with an error of at "
        f"most {estimates.error or 0:g} a step",
    }[estimates.draw]
    cut = f", cut at {estimates.max_tokens} tokens" if estimates.max_tokens else ""
    return told + cut + ("; steps by bisection" if estimates.steps == "bisection" else "")


def _unparsed(config: Config) -> str:
    """What a finished solution without an answer counts as, benchmark by benchmark."""
    kinds: dict[str, list[str]] = {}
    for name in config.evaluation.benchmarks:
        grading = config.benchmarks[name].grading
        told = UNPARSED[grading.unparsed]
        if grading.scorer == "published":
            told = "is compared as a whole text"
        kinds.setdefault(told, []).append(name)
    if len(kinds) == 1:
        return f"a finished solution without one {next(iter(kinds))}"
    parts = [f"on {', '.join(names)} it {told}" for told, names in kinds.items()]
    return f"a finished solution without one: {'; '.join(parts)}"
