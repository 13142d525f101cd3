"""Grades: the comparison of ``answers.equal`` as a rollout's grade, and the grading switches."""

from __future__ import annotations

from vlprm.answers.equal import METHODS, Check, check
from vlprm.answers.marks import last_box
from vlprm.answers.symbolic import verify
from vlprm.benchmarks.benchmark import Grader
from vlprm.config.benchmarks import GradingConfig
from vlprm.records import Grade, Rollout, Sample, letter
from vlprm.seeds import seed_for


def graded(rollout: Rollout, outcome: Check) -> Grade:
    """A check as the grade of a rollout."""
    return Grade(
        rollout_id=rollout.id,
        correct=outcome.correct,
        method=outcome.method,
        reason=outcome.reason,
    )


def grade(sample: Sample, rollout: Rollout) -> Grade:
    """Compare by the answer's type: one rule for benchmarks, sources and continuations."""
    return graded(rollout, check(sample, rollout.answer, finish_reason=rollout.finish_reason))


def with_unparsed(grade: Grader, config: GradingConfig) -> Grader:
    """A grader whose answerless solutions count as ``config.unparsed`` says."""
    if config.unparsed == "wrong":
        return grade

    def treated(sample: Sample, rollout: Rollout) -> Grade:
        found = grade(sample, rollout)
        if found.correct is not False or found.reason not in ("no answer", "names no option"):
            return found
        if config.unparsed == "random" and sample.choices:
            drawn = seed_for(config.seed, "unparsed", rollout.id) % len(sample.choices)
            return found.model_copy(
                update={"correct": letter(drawn) == sample.answer, "reason": "random option"}
            )
        return found.model_copy(update={"correct": None})

    return treated


def published(kind: str) -> Grader:
    """Upstream's direct scorer, for parity (specification: evaluation 4.6, 4.7; docs/paper.md).

    Unlike ours it reads only boxes, compares the whole text where there is none, and knows
    nothing of options, decimals or units.
    """

    def grade(sample: Sample, rollout: Rollout) -> Grade:
        method = METHODS[sample.answer_type]
        predicted = last_box(rollout.text) or rollout.text
        if kind in ("mathvista", "mmmu") and sample.answer.isnumeric():
            equal, reason = verify(sample.answer, predicted)
            return Grade(rollout_id=rollout.id, correct=equal, method="math", reason=reason)
        right = predicted.lower() == sample.answer.lower()
        return Grade(rollout_id=rollout.id, correct=right, method=method)

    return grade
