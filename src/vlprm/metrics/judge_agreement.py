"""Judges of the same rollouts side by side: what each says, how far two agree, who is left.

A verdict is one of five classes: all right, first error in perception, in reasoning, in a solution
without sections, or unusable (unparsed, refused, failed, absent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from vlprm.metrics.intervals import plain, ratio_intervals
from vlprm.metrics.label_statistics import SECTIONS
from vlprm.records import Record, Section

CLASSES = ("all_right", *(section.value for section in Section), "unusable")
UNUSABLE = len(CLASSES) - 1
Codes = npt.NDArray[np.int16]


class JudgePair(Record):
    """Two judges of one source's rollouts; "both" are those that both have a usable verdict of."""

    source: str
    first: str
    second: str
    rollouts: int
    both: int
    same_conclusion: int
    """Both say right, or both say wrong."""
    agreement: float | None
    """Its share of both, with the interval over questions."""
    low: float | None
    high: float | None
    kappa: float | None
    """Cohen's, of the conclusions; None where both judges always say the same one thing."""
    both_wrong: int
    same_step: int
    """Of these: the same first error; the second judge's is earlier; later."""
    earlier: int
    later: int
    confusion: tuple[int, ...]
    """Rollouts by class, 5 x 5, row by row: the first judge's class is the row."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What several judges say of the same rollouts."""

    questions: npt.NDArray[np.int64]
    """Number of each rollout's question, shape (rollouts,)."""
    classes: Codes
    """Index into CLASSES, shape (judges, rollouts)."""
    steps: Codes
    """First error, -1 where there is none, shape (judges, rollouts)."""

    def first(self, judges: int) -> Verdicts:
        """Of the first judges alone; negative: of all but the last."""
        return Verdicts(self.questions, self.classes[:judges], self.steps[:judges])

    def kept(self, keep: str) -> npt.NDArray[np.bool_]:
        """Which rollouts a filter of the panel keeps, shape (rollouts,); ``same_step``, which is
        none of the filters: of which all judges name the same first error, or none."""
        usable: npt.NDArray[np.bool_] = (self.classes != UNUSABLE).all(axis=0)
        wrong = self.steps >= 0
        same = usable & (wrong == wrong[0]).all(axis=0)
        step = same & (self.steps == self.steps[0]).all(axis=0)
        whole = np.ones_like(usable)
        found: dict[str, npt.NDArray[np.bool_]]
        found = {"all": whole, "usable": usable, "same_conclusion": same, "same_step": step}
        return found[keep]

    def left(self) -> dict[str, int]:
        """How many each filter keeps, and of how many all name one step."""
        names = ("all", "usable", "same_conclusion", "same_step")
        return {name: int(self.kept(name).sum()) for name in names}


def read_verdicts(rollouts: pl.DataFrame, judges: Sequence[pl.DataFrame]) -> Verdicts:
    """Verdicts by class.

    ``rollouts``: columns ``id``, ``sample_id`` and ``steps`` (structs with ``section``); each of
    ``judges``: ``rollout_id``, ``first_error`` and ``status``. Raises ValueError for a first error
    beyond the steps.
    """
    own = rollouts.select("id", "sample_id", "steps")
    classes, steps = [], []
    for judge in judges:
        joined = own.join(
            judge, left_on="id", right_on="rollout_id", how="left", maintain_order="left"
        )
        usable = pl.col("status") == "ok"
        beyond = usable & (pl.col("first_error") >= pl.col("steps").list.len())
        if joined.filter(beyond).height:
            raise ValueError(
                f"a verdict names a step beyond those of {joined.filter(beyond)['id'][0]}"
            )
        step = pl.when(usable).then(pl.col("first_error")).fill_null(-1)
        section = pl.col("steps").list.get(pl.col("first_error"), null_on_oob=True)
        code = section.struct.field("section").replace_strict(
            {name: place for place, name in enumerate(CLASSES)}, return_dtype=pl.Int16
        )
        said = pl.when(usable).then(code.fill_null(0)).otherwise(UNUSABLE).fill_null(UNUSABLE)
        found = joined.select(step.cast(pl.Int16).alias("step"), said.cast(pl.Int16).alias("said"))
        classes.append(found["said"].to_numpy())
        steps.append(found["step"].to_numpy())
    numbers = own["sample_id"].rank("dense").cast(pl.Int64) - 1
    return Verdicts(numbers.to_numpy(), np.array(classes), np.array(steps))


def together(parts: Sequence[Verdicts]) -> Verdicts:
    """Several shards or sources as one; their questions are different ones."""
    starts = np.cumsum([0, *(int(p.questions.max(initial=-1)) + 1 for p in parts)])
    numbers = [part.questions + start for part, start in zip(parts, starts[:-1], strict=True)]
    return Verdicts(
        np.concatenate(numbers),
        np.concatenate([part.classes for part in parts], axis=1),
        np.concatenate([part.steps for part in parts], axis=1),
    )


def pair(
    source: str, names: Sequence[str], found: Verdicts, first: int, second: int, confidence: float
) -> JudgePair:
    """How two of the judges agree."""
    one, other = found.classes[first], found.classes[second]
    both = (one != UNUSABLE) & (other != UNUSABLE)
    wrong = found.steps[first] >= 0, found.steps[second] >= 0
    same = both & (wrong[0] == wrong[1])
    both_wrong = both & wrong[0] & wrong[1]
    distance = found.steps[second][both_wrong] - found.steps[first][both_wrong]
    count = int(found.questions.max(initial=-1)) + 1
    agreeing, usable = (
        np.bincount(found.questions[mask], minlength=count).astype(np.float64)[:, None]
        for mask in (same, both)
    )
    value, low, high, _ = (v[0] for v in ratio_intervals(agreeing, usable, confidence))
    table = np.bincount(one.astype(np.int64) * len(CLASSES) + other, minlength=len(CLASSES) ** 2)
    return JudgePair(
        source=source,
        first=names[first],
        second=names[second],
        rollouts=one.size,
        both=int(both.sum()),
        same_conclusion=int(same.sum()),
        agreement=plain(value),
        low=plain(low),
        high=plain(high),
        kappa=kappa(wrong[0][both], wrong[1][both]),
        both_wrong=int(both_wrong.sum()),
        same_step=int((distance == 0).sum()),
        earlier=int((distance < 0).sum()),
        later=int((distance > 0).sum()),
        confusion=tuple(int(n) for n in table),
    )


def kappa(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float | None:
    """Cohen's kappa of two yes-or-no judgements, shape (n,) each (Educational and Psychological
    Measurement 20, 1960): agreement beyond chance. None without a case, or where chance alone
    agrees always."""
    if one.size == 0:
        return None
    agreed, shares = float((one == other).mean()), (float(one.mean()), float(other.mean()))
    chance = shares[0] * shares[1] + (1 - shares[0]) * (1 - shares[1])
    return plain(np.float64((agreed - chance) / (1 - chance))) if chance < 1 else None


COLUMNS = ("id", "sample_id", SECTIONS)
"""Columns of a rollout table that are read."""
