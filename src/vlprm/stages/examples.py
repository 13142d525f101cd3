"""PRM examples: labelled rollouts become training conversations; what is left out is listed.

One shard is joined at a time; what is known of all shards is a word for each rollout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.rehearsal import in_force
from vlprm.config.slices import ExamplesSlice
from vlprm.errors import UserError
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.manifest import recorded
from vlprm.io.meter import note
from vlprm.labels.examples import balanced, build_example, longest_repeated
from vlprm.prm.format import render_turns
from vlprm.prompts import sha256_of_all
from vlprm.records import PRMExample, Rollout, Sample, StepLabel
from vlprm.stages import VERSIONS

Shard = tuple[Path, Path, Path]
"""Samples, rollouts and labels of the same questions."""


def run(
    config: ExamplesSlice,
    samples: list[Path],
    rollouts: list[Path],
    labels: list[Path],
    examples: Path,
    dropped: Path,
) -> None:
    """Read samples, rollouts and labels shard by shard; write conversations.

    The three lists name the same shards in the same order.
    """
    with recorded(
        "examples",
        VERSIONS["examples"],
        config.model_dump(mode="json"),
        inputs=[*samples, *rollouts, *labels],
        outputs=[examples, dropped],
        prompts=sha256_of_all(config.examples.system_prompt, config.user_prompt),
    ) as counts:
        shards = list(zip(samples, rollouts, labels, strict=True))
        kept = None
        if config.examples.balance != "none" or config.examples.max_examples is not None:
            outcomes = {name: wrong for shard in shards for name, wrong in _outcomes(shard)}
            kept = balanced(outcomes, config.examples, config.seed)
        left_out: list[tuple[str, str]] = []
        surplus: list[tuple[str, str]] = []
        values: Counter[int | None] = Counter()

        def chosen() -> Iterator[PRMExample]:
            for shard in shards:
                for item in _conversations(shard, config, left_out):
                    if kept is None or item.rollout_id in kept:
                        yield item
                    else:
                        surplus.append((item.rollout_id, "left out by balancing"))

        found: Iterable[PRMExample] = chosen()
        if rehearsal := in_force():
            found, ratio = longest_repeated(list(found), rehearsal.conversations)
            note("length_ratio", ratio)
        counts["conversations"] = tables.write(_counted(found, values), examples, PRMExample)
        left_out += surplus
        write_text(dropped, listing(left_out))
        counts["left_out"] = len(left_out)
        counts["plus"] = values[1]
        counts["minus"] = values[0]


def _counted(examples: Iterable[PRMExample], values: Counter[int | None]) -> Iterator[PRMExample]:
    for item in examples:
        values.update(item.labels)
        yield item


def _outcomes(shard: Shard) -> Iterator[tuple[str, bool]]:
    """Id of each rollout that makes a conversation, and whether one of its steps is wrong."""
    _, rollouts, labels = shard
    known: dict[str, bool | None] = {}
    columns = tables.frame([labels], StepLabel, ["rollout_id", "label"])
    for name, label in columns.iter_rows():
        seen = known.get(name)
        known[name] = seen if label is None else bool(seen) or label == 0
    for (name,) in tables.frame([rollouts], Rollout, ["id"]).iter_rows():
        wrong = known.get(name)
        if wrong is not None:
            yield name, wrong


def _conversations(
    shard: Shard, config: ExamplesSlice, left_out: list[tuple[str, str]]
) -> Iterator[PRMExample]:
    """The conversations of a shard in rollout order; the others are added to ``left_out``."""
    samples, rollouts, labels = shard
    questions = {item.id: item for item in tables.iterate([samples], Sample)}
    by_rollout = tables.ByKey([labels], StepLabel, "rollout_id")
    system = prompts.render(config.examples.system_prompt)
    asked: dict[str, str] = {}
    for rollout in tables.iterate([rollouts], Rollout):
        known = by_rollout.get(rollout.id)
        if known is None:
            left_out.append((rollout.id, "no labels"))
            continue
        sample = questions.get(rollout.sample_id)
        if sample is None:
            raise UserError(
                f"{rollout.id} solves a question that is not in {samples}",
                where=str(rollouts),
                cure="give the shards of samples, rollouts and labels in the same order",
            )
        if sample.id not in asked:  # solutions of a question stand together
            text = question_text(sample)
            asked = {sample.id: prompts.render(config.user_prompt, question=text)}
        turns = render_turns(asked[sample.id], [step.text for step in rollout.steps])
        example = build_example(sample, rollout, known, turns, system)
        if example is None:
            left_out.append((rollout.id, "no step carries a label"))
        else:
            yield example
