"""Grades: the comparison of ``answers.equal`` with what benchmarks of the field allow beyond it.

Answers come out of a box or an answer sentence, where the official scorers let a language
model read them out. Two readings make up for that, and both are only tried when the plain one
finds nothing: an option named by its value (``145^\\circ`` for the option ``145°``), and a
number with words around it (``0.0115 \\text{ m}``).
"""

from __future__ import annotations

import re

from vlprm.answers.equal import METHODS, Check, check
from vlprm.answers.extract import choice_letter, last_box
from vlprm.answers.normal import number, plain, unwrapped
from vlprm.answers.symbolic import verify
from vlprm.benchmarks.benchmark import Grader, letter
from vlprm.config.benchmarks import GradingConfig
from vlprm.records import AnswerType, Grade, Rollout, Sample
from vlprm.seeds import seed_for

_NUMBER = re.compile(
    r"(?<![\w.,^_{])[-+−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\d^])"
)
_POWER = re.compile(r"(?<=[A-Za-z])\^\{?-?\d+\}?")
_SUFFIX = re.compile(r"[A-Za-z]+$")
_NUMERIC = (AnswerType.INTEGER, AnswerType.FLOAT)


def graded(rollout: Rollout, outcome: Check) -> Grade:
    """A check as the grade of a rollout."""
    return Grade(
        rollout_id=rollout.id,
        correct=outcome.correct,
        method=outcome.method,
        reason=outcome.reason,
    )


def grade_plain(sample: Sample, rollout: Rollout) -> Grade:
    """The comparison of the answer's type and nothing beyond it."""
    return graded(rollout, check(sample, rollout.answer, finish_reason=rollout.finish_reason))


def grade_read(sample: Sample, rollout: Rollout) -> Grade:
    """As :func:`grade_plain`, then options by value and numbers among words."""
    return graded(rollout, check_read(sample, rollout))


def check_read(sample: Sample, rollout: Rollout) -> Check:
    """The check behind :func:`grade_read`."""
    outcome = check(sample, rollout.answer, finish_reason=rollout.finish_reason)
    answer = rollout.answer
    if outcome.correct is not False or answer is None:
        return outcome
    if sample.answer_type is AnswerType.CHOICE:
        named = choice_letter(answer, sample.choices) or choice_by_value(answer, sample.choices)
        if named is None:
            return outcome
        # equal options (they occur) are equally right
        texts = {letter(i): plain(text) for i, text in enumerate(sample.choices)}
        return Check(texts[named] == texts[sample.answer], "choice")
    if sample.answer_type in _NUMERIC and outcome.reason == "not a number":
        value = lone_number(answer)
        return outcome if value is None else check(sample, value)
    return outcome


def choice_by_value(answer: str, choices: tuple[str, ...]) -> str | None:
    """The one option whose number the answer states; a unit all options share may be left out."""
    ends = {match[0] if (match := _SUFFIX.search(unwrapped(c))) else "" for c in choices}
    unit = ends.pop() if len(ends) == 1 else None
    value = number(answer, unit)
    same = [i for i, c in enumerate(choices) if value is not None and number(c, unit) == value]
    return letter(same[0]) if len(same) == 1 else None


def lone_number(text: str) -> str | None:
    """The only number in a phrase (``4 objects``, ``d = 0.01 \\text{ m}``), as written."""
    bare = _POWER.sub("", unwrapped(text).replace("−", "-").replace("{,}", ","))
    found = [match[0] for match in _NUMBER.finditer(bare) if any(c.isdigit() for c in match[0])]
    return found[0] if len(found) == 1 else None


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
    """The released code's direct scorer (spec: evaluation 4.6 row 1, 4.7), for parity.

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
