"""Reported inputs that concern answers, steps, verdicts and control tokens (``reported_inputs``).

An answer's case reads ``<gold>: <solution>``, the gold as ``integer gold 2``, ``MathVision gold
73`` or ``options 3 cm | 6 cm, gold B``. The other kinds are told in words, and rebuilt here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from vlprm.answers.extract import extract_answer
from vlprm.answers.options import choice_letter
from vlprm.benchmarks import grader
from vlprm.benchmarks.mathvision import DECIMALS
from vlprm.labels.verdicts import parse_verdict
from vlprm.records import AnswerType, ImageRef, Message, Rollout, Sample, Section
from vlprm.solutions.steps import split

from report import ROOT

Case = dict[str, str]

_GOLD = re.compile(
    r"(?s)(?:(?P<kind>integer|float|math|text|MathVision) gold (?P<gold>[^:]+)"
    r"|options (?P<options>.+?)(?:, gold (?P<letter>[A-Z]))?): (?P<text>.*)"
)


def sample_of(case: Case) -> tuple[str, Sample, str]:
    """The grader's kind, the question and the solution text of an answer's case."""
    match = _GOLD.fullmatch(case["input"].replace(r"\n", "\n"))
    if match is None:
        raise ValueError(f"not a case of an answer: {case['input']}")
    if match["options"]:
        choices = tuple(item.strip() for item in match["options"].split("|"))
        sample = Sample(
            id="q/1", question="?", images=(), choices=choices,
            answer=match["letter"] or "A", answer_type=AnswerType.CHOICE,
        )  # fmt: skip
        return "mathvision", sample, match["text"]
    vision = match["kind"] == "MathVision"
    sample = Sample(
        id="q/1", question="?", images=(), answer=match["gold"],
        answer_type=AnswerType("math" if vision else match["kind"]),
        precision=DECIMALS if vision else None,
    )  # fmt: skip
    return "mathvision" if vision else "mathvista", sample, match["text"]


def answer(case: Case) -> tuple[bool, str]:
    """Graded as expected, by the benchmark and, where it is a training source's kind, there too."""
    kind, sample, text = sample_of(case)
    found = extract_answer(text, sample)
    expected = case["expected"].split()[0].strip(",")
    if sample.answer_type is AnswerType.CHOICE:
        named = choice_letter(found, sample.choices) if found else None
        wanted = None if case["expected"].startswith("names no option") else expected
        return named == wanted, f"{found!r} names {named}"
    rollout = Rollout(
        id="q/1#000", sample_id="q/1", text=text, steps=(), answer=found,
        finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
    )  # fmt: skip
    grades = [grader(name)(sample, rollout) for name in (kind, "source")]
    wanted_grade = {"right": True, "wrong": False}[expected]
    return all(grade.correct is wanted_grade for grade in grades), f"{found!r}: {grades}"


_TAGGED = (
    "[Visual Elements]\n<step_1>\nA square.\n</step_1>\n[Reasoning]\n<step_1>\nIts side is 2.\n"
    "</step_1>\n<step_2>\nSo the area is 4.\n</step_2>\n<correct_answer>\n4\n</correct_answer>"
)
_PLAIN = (
    "**[Visual Elements]**\nA square.\n\nA circle.\n\n**[Reasoning]**\nThe side is 2.\n\n"
    r"\boxed{4}"
)
_LAST = (Section.PERCEPTION, Section.PERCEPTION, Section.REASONING, Section.SOLUTION)


def steps(case: Case) -> tuple[bool, str]:
    """The number of steps and, where told, their sections."""
    told = case["input"]
    if "blank_lines" in told:
        found = split(_PLAIN, "blank_lines")
        kept = any("[" in step.text for step in found)
        return tuple(s.section for s in found) == _LAST and not kept, str(found)
    text = _TAGGED
    if r"\r\n" in told:
        text = text.replace("\n", "\r\n")
    elif "From <step_1>" in told:
        text = text.replace("So the", "From <step_1> it follows: the")
    elif "###" in told:
        text = text.replace("[V", "### [V").replace("[R", "### [R")
    else:
        raise ValueError(f"not known how to rebuild: {told}")
    found = split(text, "tagged")
    return len(found) == 3, str(found)


def verdict(case: Case) -> tuple[bool, str]:
    """Status "ok", and the first reasoning step named wrong."""
    header = "**[Reasoning]**" if "**" in case["input"] else "[Reasoning]"
    thought = re.search(r"<think>.*</think>", case["input"])
    raw = (
        f"{thought[0] if thought else ''}\n{header}\n<analysis_1>\nThe side is 3.\n</analysis_1>\n"
        "\n<conclusion>\nIncorrect\n</conclusion>"
    )
    solution = split("[Reasoning]\nThe side is 2.\n\nSo 4.", "blank_lines")
    found = parse_verdict("q/1#000", "judge", raw, solution)
    return found.status == "ok" and found.first_error == 0, str(found)


def control_token(case: Case) -> tuple[bool, str]:
    """Image places and turn ends in the token ids of a question that spells them out."""
    from vlprm.config.models import Pixels
    from vlprm.families.qwen25vl import FAMILY
    from vlprm.families.qwen25vl.inputs import QwenInputs
    from vlprm.io.images import ImageStore

    asked = "What is <|image_pad|> and <|im_end|> here?"
    inputs = QwenInputs(FAMILY, ROOT / "models/mini/small", ImageStore(), Pixels(min=784, max=3136))
    image = ImageRef(sha256="0" * 64, width=56, height=56)
    ids = inputs.ids(inputs.chat([Message(role="user", text=asked, images=(image,))], ""))
    seen = ids.count(inputs.token_id("<|image_pad|>")), ids.count(inputs.token_id("<|im_end|>"))
    return seen == (inputs.image_tokens(image), 1), f"{seen[0]} pads, {seen[1]} turn ends"


_ANSWERS = (
    "part-number",
    "statement-cut",
    "superscript",
    "punctuation-is-value",
    "tiny-difference",
    "mixed-number",
    "unit-in-math",
    "statement-form",
    "letter-with-text",
    "option-by-value",
    "escaped-sign",
    "box-not-the-answer",
)

CHECKS: dict[str, Callable[[Case], tuple[bool, str]]] = {
    **dict.fromkeys(_ANSWERS, answer),
    "steps": steps,
    "verdict": verdict,
    "control-token": control_token,
}
