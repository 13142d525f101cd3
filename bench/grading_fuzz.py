"""Generated adversarial answers: grading neither crashes nor hangs, and metamorphic laws hold.

Two parts. Noise: answers put together from pieces that readers stumble over, graded for every
answer type; what counts is that a grade comes back, and how soon where rules decide alone (where
Math-Verify is asked, its own limit holds). Laws: for golds of every numeric type and for options,
a right or wrong answer keeps its grade under a unit, a blank, a font command, a sentence round the
box; swapping the number always makes a right answer wrong. The seed is fixed: the same answers
every time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from vlprm.answers import symbolic
from vlprm.answers.extract import extract_answer
from vlprm.answers.votes import vote_keys
from vlprm.benchmarks import grader
from vlprm.records import AnswerType, Rollout, Sample
from vlprm.seeds import seed_for

from report import print_line

P99_MS = 50.0
ASKED = 200
"""Answers of noise that Math-Verify is really asked about."""
SECONDS = 1.0
PIECES = (
    "0", "1", "2", "12", ".5", "1,000", "1 000", "3.14", "1e9", "-", "+", "*", "/", "^", "!", "%",
    "=", "(", ")", "[", "]", "{", "}", "\\{", "\\}", ",", ";", ":", ".", "..", "?", "'", '"', "`",
    "**", "__", "$", "\\$", "\\%", "\\&", "&", "#", "<", ">", "≤", "≈", "±", "²", "½", "√", "∛",
    "π", "°", "−", "–", "—", "×", "\\frac", "\\frac{1}{2}", "\\frac{1}{0}", "\\sqrt", "\\sqrt{2}",
    "\\sqrt[3]{8}", "\\pi", "\\times ", "\\cdot ", "\\left(", "\\right)", "\\text{",
    "\\text{ cm}", "\\mathrm{~m}", "\\boxed{", "\\boxed {3}", "\\begin{pmatrix}",
    "\\end{pmatrix}", "\\\\", "\\,", "\\!", "~", " ", "\n", "\r\n", "\t", "\u200b", "\u00a0",
    "\x08oxed{", "x", "y", "A", "B", "(C)", "D.", "a", "the", "The answer is", "Answer:",
    "<answer>", "</answer>", "<think>", "</think>", "or", "and", "not", "about", "million", "K",
    "cm", "km/h", "apples", "seven", "10^{10^{10}}", "9^9^9", "99!", "\\infty", "\\int_0^1 x dx",
    "\\lim", "😀", "一", "١٢", "٪", "Ａ", "（", "）", "ﬁ", "\x00", "\x7f", "1" * 300, "(" * 60,
    "{" * 60, "\\text{" * 20, "2^" * 30, "a" * 200,
)  # fmt: skip
UNITS = (
    "\\text{ cm}",
    "\\mathrm{~kg}",
    " apples",
    "\\%",
    "^\\circ",
    "\\text{ cm}^2",
    " km/h",
    "\\text{ people}",
)
BLANKS = ("\\,{}", " {} ", "~{}", "\\;{}\\;", "{}\\ ", "\\quad {}", "\n{}\n")
FONTS = (
    "\\text{%s}", "\\mathbf{%s}", "\\textbf{%s}", "\\mathrm{%s}", "\\boldsymbol{%s}",
    "\\underline{%s}",
    "$%s$",
    "\\(%s\\)", "**%s**", "{\\bf %s}", "\\displaystyle %s", "\\left(%s\\right)",
)  # fmt: skip
SENTENCES = (
    "Hence {}.", "So the result is {}, as was to be shown.", "The answer is {} because it fits.",
    "<think>Perhaps 99, or \\boxed{{99}}?</think>\n{}",
    "**Final answer:** {}\n\nI hope it is correct.",
    "We tried \\boxed{{98}} first.\n\n{}", "{}\r\n\r\nThis answer is consistent with the figure.",
)  # fmt: skip
CHOICES = ("14 cm", "27 cm", "31 cm", "55 cm")


Thing = TypeVar("Thing")


class Dice:
    """Draws from one seeded generator."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed_for(seed, "grading_fuzz"))

    def whole(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high + 1))

    def choice(self, things: Sequence[Thing]) -> Thing:
        return things[self.whole(0, len(things) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="answers of either part")
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    rng = Dice(options.seed)
    crashes, asked, p99, slowest = noise(rng, options.n)
    broken = laws(rng, options.n)
    print(f"of {options.n} answers of noise {asked} reached Math-Verify; slowest {slowest:.0f} ms")
    met = [
        print_line("grading_fuzz_crashes", crashes, "answers", at_most=0),
        print_line("grading_fuzz_laws_broken", sum(broken.values()), "answers", at_most=0),
        print_line("grading_fuzz", p99, "ms, 99th percentile by rules", at_most=P99_MS),
    ]
    return 0 if all(met) else 1


def noise(rng: Dice, n: int) -> tuple[int, int, float, float]:
    """Crashes, answers that reached Math-Verify, 99th percentile and maximum by rules in ms."""
    real, asked, crashes, times = symbolic.verify, 0, 0, []
    reached: list[tuple[str, str]] = []

    def noted(gold: str, answer: str, **_: float) -> tuple[bool | None, str | None]:
        reached.append((gold, answer))
        return None, "not asked"

    symbolic.verify = noted
    try:
        for _ in range(n):
            text = "".join(rng.choice(PIECES) for _ in range(rng.whole(1, 14)))
            if rng.whole(1, 5) <= 3:
                text = f"So \\boxed{{{text}}}."
            sample = _questions(rng)
            start = time.perf_counter()
            try:
                grade = _grade(sample, text)
                vote_keys([extract_answer(text, sample), text], sample)
                if grade not in (True, False, None):
                    raise TypeError(f"a grade is no {grade!r}")
            except Exception as error:
                crashes += 1
                print(f"crash: {type(error).__name__}: {error} on {text[:200]!r}")
            times.append(1000 * (time.perf_counter() - start))
    finally:
        symbolic.verify = real
    asked = len(reached)
    for gold, answer in reached[:ASKED]:
        real(gold, answer, seconds=SECONDS)
    times.sort()
    return crashes, asked, times[int(0.99 * len(times))], times[-1]


def laws(rng: Dice, n: int) -> Counter[str]:
    """How many answers broke each law."""
    broken: Counter[str] = Counter()
    for number in range(n):
        sample, right, wrong = (_option if number % 4 == 0 else _number)(rng)
        spelled, other = rng.choice(right), rng.choice(wrong)
        changes = _changes(rng, numeric=sample.answer_type is not AnswerType.CHOICE)
        for written, grade in ((spelled, True), (other, False)):
            plain, changed = f"\\boxed{{{written}}}", _changed(written, changes)
            for law, text in (
                ("swap" if not grade else "as written", plain),
                (changes[0], changed),
            ):
                found = _grade(sample, text)
                if found is not grade:
                    broken[law] += 1
                    print(f"{law}: {text!r} graded {found}, not {grade} (gold {sample.answer!r})")
        keys = vote_keys([extract_answer(_changed(spelled, changes), sample), spelled], sample)
        if keys[0] != keys[1]:
            broken["votes"] += 1
            print(f"votes: {_changed(spelled, changes)!r} and {spelled!r} are two votes: {keys}")
    return broken


def _changes(rng: Dice, *, numeric: bool) -> tuple[str, str, str, str, str]:
    """What is laid round an answer: kind, unit, font, blank, sentence; "" for none."""
    kind = rng.choice(("unit", "blank", "font", "sentence", "all"))
    if kind == "unit" and not numeric:
        kind = "font"
    unit = rng.choice(UNITS) if kind in ("unit", "all") and numeric else ""
    font = rng.choice(FONTS) if kind in ("font", "all") else ""
    blank = rng.choice(BLANKS) if kind in ("blank", "all") else ""
    sentence = rng.choice(SENTENCES) if kind in ("sentence", "all") else ""
    return kind, unit, font, blank, sentence


def _changed(written: str, changes: tuple[str, str, str, str, str]) -> str:
    _, unit, font, blank, sentence = changes
    inside = font.startswith("\\left")  # a unit inside brackets is another matter
    if inside and ("," in written or "=" in written):
        font = ""  # in brackets a comma parts two numbers
    content = written if inside else written + unit
    if font:
        content = font % content
    content += unit if inside else ""
    content = (blank or "{}").replace("{}", content, 1)
    box = f"\\boxed{{{content}}}"
    return sentence.format(box) if sentence else box


def _number(rng: Dice) -> tuple[Sample, list[str], list[str]]:
    """A question of a numeric type; its answer, and another number, each in several notations."""
    kind = rng.choice((AnswerType.INTEGER, AnswerType.FLOAT, AnswerType.MATH))
    sign = rng.choice((1, 1, -1))
    top, bottom = rng.whole(1, 99_999), rng.choice((1, 1, 2, 4, 5, 8, 3, 7))
    if kind is not AnswerType.MATH:
        bottom = 1 if kind is AnswerType.INTEGER else rng.choice((1, 2, 4, 5, 8))
    value = sign * Fraction(top, bottom)
    other = rng.choice((value + 1, value - 1, -value, value * 10, value + Fraction(1, bottom)))
    places = rng.choice((None, 2)) if kind is AnswerType.MATH else None
    gold = _spellings(value)[0]
    return _sample(gold, kind, places), _spellings(value), _spellings(other)


def _spellings(value: Fraction) -> list[str]:
    sign, size = "-" if value < 0 else "", abs(value)
    top, bottom = size.numerator, size.denominator
    whole, part = divmod(top, bottom)
    if bottom == 1:
        return [f"{sign}{top}", f"{sign}{top:,}", f"{sign}{top}.0",
                f"{sign}{top:,}".replace(",", "{,}"),
                f"x = {sign}{top}", f"{sign}\\frac{{{2 * top}}}{{2}}"]  # fmt: skip
    found = [
        f"{sign}\\frac{{{top}}}{{{bottom}}}",
        f"{sign}{top}/{bottom}",
        f"{sign}\\dfrac{{{top}}}{{{bottom}}}",
    ]
    if whole:
        found.append(f"{sign}{whole}\\frac{{{part}}}{{{bottom}}}")
    if 1000 % bottom == 0:
        decimal = f"{sign}{whole}.{part * 1000 // bottom:03d}".rstrip("0")
        found.insert(0, decimal)
    return found


def _option(rng: Dice) -> tuple[Sample, list[str], list[str]]:
    letters = "ABCD"
    right = rng.whole(0, 3)
    wrong = (right + rng.whole(1, 3)) % 4
    return _sample(letters[right], AnswerType.CHOICE), *(
        [
            letters[i],
            f"({letters[i]})",
            CHOICES[i],
            f"{letters[i]}. {CHOICES[i]}",
            CHOICES[i].split()[0],
        ]
        for i in (right, wrong)
    )  # type: ignore[return-value]


def _questions(rng: Dice) -> Sample:
    kind = rng.choice(tuple(AnswerType))
    gold = {"choice": "B", "text": "left", "list": "[1, 2]", "math": "2\\sqrt{3}"}.get(kind, "12")
    return _sample(gold, kind)


def _sample(gold: str, kind: AnswerType, places: int | None = None) -> Sample:
    choices = CHOICES if kind is AnswerType.CHOICE else ()
    return Sample(
        id="q/1", question="?", images=(), choices=choices, answer=gold, answer_type=kind,
        precision=places,
    )  # fmt: skip


def _grade(sample: Sample, text: str) -> bool | None:
    rollout = Rollout(
        id="q/1#000", sample_id="q/1", text=text, steps=(), answer=extract_answer(text, sample),
        finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
    )  # fmt: skip
    return grader("mathvision")(sample, rollout).correct


if __name__ == "__main__":
    sys.exit(main())
