"""PRM examples: labelled rollouts become training conversations; what is left out is listed.

One shard is joined at a time; what is known of all shards is a word for each rollout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from vlprm import joins, prompts
from vlprm.benchmarks import question_text
from vlprm.config.rehearsal import in_force
from vlprm.config.slices.examples import ExamplesSlice
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.io.meter import note
from vlprm.labels.examples import balanced, build_example, longest_repeated
from vlprm.labels.soft import SoftPRMExample, soften
from vlprm.labels.subsets import PERCEPTION_ERROR, in_subset
from vlprm.leaks.search import LeakHit
from vlprm.metrics.label_statistics import SECTIONS
from vlprm.prompts import sha256_of_all
from vlprm.records import PRMExample, Rollout, Sample, Section, StepEstimate, StepLabel
from vlprm.stages import VERSIONS, In, Out

Shard = tuple[Path, Path, Path, list[Path]]
"""Samples, rollouts and labels of one shard, and its estimates where values are asked for."""


def run(
    config: ExamplesSlice,
    samples: list[In],
    rollouts: list[In],
    labels: list[In],
    hits: list[In],
    estimates: list[In],
    examples: Out,
    dropped: Out,
) -> None:
    """Read samples, rollouts and labels shard by shard; write conversations.

    Shards are found by their keys: the conversations follow the order of ``config.sources``.
    ``hits``: the table of the leak check, if ``config.leaks`` leaves any out; ``estimates``: of
    every shard, where conversations have soft labels.
    """
    with recorded(
        "examples",
        VERSIONS["examples"],
        config.model_dump(mode="json"),
        inputs=sorted([*samples, *rollouts, *labels, *hits, *estimates]),
        outputs=[examples, dropped],
        prompts=sha256_of_all(config.examples.system_prompt, config.user_prompt),
    ) as counts:
        found_shards = _shards(config, samples, rollouts, labels, estimates)
        leaked = _leaked(config, hits)
        kept, settings = None, config.examples
        if (
            settings.balance != "none"
            or settings.max_examples is not None
            or settings.caps
            or settings.weights
        ):
            outcomes = {
                name: wrong
                for shard in found_shards
                for name, wrong in _outcomes(shard, config, leaked)
            }
            kept = balanced(outcomes, config.examples, config.seed)
        left_out: list[tuple[str, str]] = []
        surplus: list[tuple[str, str]] = []
        values: Counter[int | None] = Counter()

        def chosen() -> Iterator[PRMExample]:
            for shard in found_shards:
                for item in _conversations(shard, config, leaked, left_out):
                    if kept is None or item.rollout_id in kept:
                        yield item
                    else:
                        surplus.append((item.rollout_id, "left out by balancing"))

        found: Iterable[PRMExample] = chosen()
        if rehearsal := in_force():
            found, ratio = longest_repeated(list(found), rehearsal.conversations)
            note("length_ratio", ratio)
        counts["conversations"] = parquet.write(
            _counted(found, values),
            examples,
            SoftPRMExample if config.examples.soft else PRMExample,
            keys={"policy": config.policy},
        )
        left_out += surplus
        write_text(dropped, listing(left_out))
        counts["left_out"] = len(left_out)
        counts["plus"] = values[1]
        counts["minus"] = values[0]


def _shards(
    config: ExamplesSlice,
    samples: list[Path],
    rollouts: list[Path],
    labels: list[Path],
    estimates: list[Path],
) -> list[Shard]:
    asked = [keys for source in config.sources for keys in shards(*source)]
    drawn = [keys | {"policy": config.policy} for keys in asked]
    values = Files(estimates, StepEstimate, drawn if config.examples.soft else []).of()
    return list(
        zip(
            Files(samples, Sample, asked).of(),
            Files(rollouts, Rollout, drawn).of(),
            Files(labels, StepLabel, drawn).of(),
            [[path] for path in values] or [[]] * len(drawn),
            strict=True,
        )
    )


def _check(shard: Shard) -> None:
    """Refuse labels without their rollout and rollouts without their question."""
    samples, rollouts, labels, _ = shard
    ids = parquet.frame([rollouts], Rollout, ["sample_id", "id"])
    questions = parquet.frame([samples], Sample, ["id"])["id"]
    joins.match(ids, questions, "rollouts", str(rollouts))
    rows = parquet.frame([labels], StepLabel, ["rollout_id", "step_index"])
    joins.match(rows, ids["id"], "labels", str(labels), each=False)


def _counted(examples: Iterable[PRMExample], values: Counter[int | None]) -> Iterator[PRMExample]:
    for item in examples:
        values.update(item.labels)
        yield item


def _leaked(config: ExamplesSlice, hits: list[Path]) -> frozenset[str]:
    """Questions that the leak check leaves out."""
    found = parquet.frame(hits, LeakHit, ["sample_id", "kind"])
    return frozenset(found.filter(pl.col("kind").is_in(list(config.leaks)))["sample_id"])


def _outcomes(
    shard: Shard, config: ExamplesSlice, leaked: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """Id of each rollout that makes a conversation, and whether one of its steps is wrong."""
    _, rollouts, labels, _ = shard
    columns = parquet.frame([labels], StepLabel, ["rollout_id", "step_index", "label"])
    known = columns.sort("step_index").group_by("rollout_id").agg("label")
    solutions = parquet.frame([rollouts], Rollout, ["id", "sample_id", SECTIONS])
    joined = solutions.filter(~pl.col("sample_id").is_in(list(leaked))).join(
        known, left_on="id", right_on="rollout_id", how="inner", maintain_order="left"
    )
    for name, _, steps, said in joined.iter_rows():
        sections = [Section(step["section"]) for step in steps]
        values = in_subset(config.examples.subset, sections, said)
        if values is not None and any(value is not None for value in values):
            yield name, 0 in values


def _conversations(
    shard: Shard,
    config: ExamplesSlice,
    leaked: frozenset[str],
    left_out: list[tuple[str, str]],
) -> Iterator[PRMExample]:
    """The conversations of a shard in rollout order; the others are added to ``left_out``."""
    _check(shard)
    samples, rollouts, labels, estimates = shard
    questions = {item.id: item for item in parquet.iterate([samples], Sample)}
    by_rollout = parquet.ByKey([labels], StepLabel, "rollout_id")
    values = parquet.ByKey(estimates, StepEstimate, "rollout_id")
    system = prompts.render(config.examples.system_prompt)
    asked: dict[str, str] = {}
    for rollout in parquet.iterate([rollouts], Rollout):
        known = by_rollout.get(rollout.id)
        if known is None:
            left_out.append((rollout.id, "no labels"))
            continue
        if rollout.sample_id in leaked:
            left_out.append((rollout.id, "its question or image is one of a benchmark"))
            continue
        known = _of_subset(config, rollout, known)
        if known is None:
            left_out.append((rollout.id, PERCEPTION_ERROR))
            continue
        sample = questions[rollout.sample_id]
        if sample.id not in asked:  # solutions of a question stand together
            text = question_text(sample)
            asked = {sample.id: prompts.render(config.user_prompt, question=text)}
        example = build_example(sample, rollout, known, asked[sample.id], system)
        if example is not None and config.examples.soft:
            own = values.get(rollout.id, [])
            example = soften(example, own, config.min_graded or 1)
        if example is None:
            left_out.append((rollout.id, "no step carries a label"))
        else:
            yield example


def _of_subset(
    config: ExamplesSlice, rollout: Rollout, labels: list[StepLabel]
) -> list[StepLabel] | None:
    """A rollout's labels as the subset has them; None: it is left out."""
    if config.examples.subset == "all":
        return labels
    ordered = sorted(labels, key=lambda item: item.step_index)
    sections = [step.section for step in rollout.steps]
    values = in_subset(config.examples.subset, sections, [item.label for item in ordered])
    if values is None:
        return None
    return [
        item.model_copy(update={"label": value})
        for item, value in zip(ordered, values, strict=True)
    ]
