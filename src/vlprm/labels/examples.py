"""Labelled rollouts to training conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlprm.config.labels import ExamplesConfig
from vlprm.labels.subsets import by_source, sizes
from vlprm.records import PRMExample, Rollout, Sample, StepLabel
from vlprm.seeds import seed_for

_DISTINCT = 2
"""Conversations that a rehearsal repeats: more would shorten the batches."""


def build_example(
    sample: Sample,
    rollout: Rollout,
    labels: Sequence[StepLabel],
    question: str,
    system: str,
) -> PRMExample | None:
    """The conversation of one rollout: question and steps, cut after the last label.

    ``question`` is the whole text the policy was asked. None when no step carries a label.

    Raises ValueError when labels do not cover steps 0..m-1 of this rollout.
    """
    ordered = sorted(labels, key=lambda item: item.step_index)
    if rollout.sample_id != sample.id or any(item.rollout_id != rollout.id for item in ordered):
        raise ValueError(f"{rollout.id}: sample or labels belong to another rollout")
    if [item.step_index for item in ordered] != list(range(len(ordered))):
        raise ValueError(f"{rollout.id}: labels must cover the first steps without a gap")
    if len(ordered) > len(rollout.steps):
        raise ValueError(f"{rollout.id}: {len(rollout.steps)} steps, {len(ordered)} labels")
    values = tuple(item.label for item in ordered)
    if all(value is None for value in values):
        return None
    return PRMExample(
        rollout_id=rollout.id,
        images=sample.images,
        system=system,
        question=question,
        steps=tuple(step.text for step in rollout.steps[: len(values)]),
        labels=values,
    )


def balanced(outcomes: Mapping[str, bool], config: ExamplesConfig, seed: int) -> set[str]:
    """Ids of the conversations that stay; ``outcomes``: by id, whether one has a wrong step.

    ``outcome`` keeps as many conversations with an error as without. Who stays is drawn per
    record (its smallest seeds), so neither order nor shards of the examples matter. Caps and
    weights of sources come first.
    """
    if config.caps or config.weights:
        named = by_source(outcomes)
        kept = sizes({name: len(ids) for name, ids in named.items()}, config.caps, config.weights)
        stay = {name for key, ids in named.items() for name in _drawn(ids, kept[key], seed)}
        outcomes = {name: wrong for name, wrong in outcomes.items() if name in stay}
    if config.balance == "outcome":
        wrong = [name for name, error in outcomes.items() if error]
        right = [name for name, error in outcomes.items() if not error]
        size = min(len(wrong), len(right))
        if config.max_examples is not None:
            size = min(size, config.max_examples // 2)
        return _drawn(wrong, size, seed) | _drawn(right, size, seed)
    if config.max_examples is not None:
        return _drawn(list(outcomes), config.max_examples, seed)
    return set(outcomes)


def _drawn(ids: Sequence[str], n: int, seed: int) -> set[str]:
    """The ``n`` ids whose own seeds are smallest."""
    return set(sorted(ids, key=lambda name: seed_for(seed, "balance", name))[:n])


def longest_repeated(examples: Sequence[PRMExample], n: int) -> tuple[list[PRMExample], float]:
    """``n`` conversations for a rehearsal, and how much longer they are than the mean.

    The longest ones, each as often as it takes: whatever falls into one batch is padded to a
    length that is among the largest seen. Lengths are rough: characters, and pixels at the rate of
    a visual token (28 x 28) of 4 characters. Copies get ids of their own.
    """
    if not examples:
        return [], 1.0
    ordered = sorted(examples, key=_length, reverse=True)
    chosen = ordered[: max(1, min(len(ordered), _DISTINCT))]
    mean = sum(map(_length, examples)) / len(examples)
    found = [
        item.model_copy(update={"rollout_id": f"{item.rollout_id}~{copy}"})
        for copy in range(-(-n // len(chosen)))
        for item in chosen
    ][:n]
    return found, sum(map(_length, found)) / len(found) / mean


def _length(example: PRMExample) -> float:
    pixels = sum(ref.width * ref.height for ref in example.images)
    return len(example.question) + sum(map(len, example.steps)) + pixels / 784 * 4
