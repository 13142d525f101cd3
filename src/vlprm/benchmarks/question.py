"""The question as it is shown to a policy, a judge and a PRM."""

from __future__ import annotations

from vlprm.records import AnswerType, Sample, letter


def question_text(sample: Sample) -> str:
    """Question, lettered options, and the form that the answer must have.

    Text and formula answers get no hint, because the question says what it asks for. Options that
    are only their own letters are drawn in the picture and not repeated.
    """
    lines = [sample.question.strip()]
    letters = [letter(i) for i in range(len(sample.choices))]
    if sample.choices and list(sample.choices) != letters:
        lines += [f"({a}) {text}" for a, text in zip(letters, sample.choices, strict=True)]
    hint = _hint(sample, letters)
    return "\n".join([*lines, hint] if hint else lines)


def _hint(sample: Sample, letters: list[str]) -> str:
    unit = f" (unit: {sample.unit})" if sample.unit else ""
    match sample.answer_type:
        case AnswerType.CHOICE:
            return f"Answer with one letter, {', '.join(letters[:-1])} or {letters[-1]}."
        case AnswerType.INTEGER:
            return f"Answer with a whole number{unit}."
        case AnswerType.FLOAT if sample.precision is None:
            return f"Answer with a number{unit}."
        case AnswerType.FLOAT:
            places = (
                "1 decimal place" if sample.precision == 1 else f"{sample.precision} decimal places"
            )
            return f"Answer with a number rounded to {places}{unit}."
        case AnswerType.LIST:
            return f"Answer with a list such as [1, 2, 3]{unit}."
        case _:
            return f"Answer in {sample.unit}." if sample.unit else ""
