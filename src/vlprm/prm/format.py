"""The one renderer of PRM conversations, for training and for scoring.

Layout (paper section 3 and the released checkpoints): a system turn, then one user turn a step;
the first one holds the images, the question and step 1. Every user turn is answered by ``+`` or
``-``; the score of step k is read where the answer to turn k would begin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlprm.errors import UserError

VALUE_TOKENS = ("+", "-")
"""Answer tokens of label 1 and label 0 (ids 10 and 12 of the Qwen tokenizer)."""

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
IMAGE_START, IMAGE_PAD, IMAGE_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"

_CONTROL = re.compile(r"<\|(\w+)\|>")


def render_turns(question: str, steps: Sequence[str]) -> tuple[str, ...]:
    """User turns of a solution: the question precedes the first step, a blank line ends each.

    ``question`` is the whole text the policy was asked. Raises UserError without steps.
    """
    if not steps:
        raise UserError("a solution without steps cannot be scored", cure="filter it out before")
    first = f"### Question:\n{question}\n\n### Solution Process:\n{steps[0]}\n\n"
    return (first, *(f"{step}\n\n" for step in steps[1:]))


def chat_text(
    system: str,
    turns: Sequence[str],
    answers: Sequence[str | None],
    image_tokens: Sequence[int],
) -> str:
    """ChatML text of a conversation, ready for the tokenizer.

    ``answers`` has one value token a turn; a last answer of None leaves the assistant turn open
    (the read-out position is then the last token). ``image_tokens`` holds the number of visual
    tokens of each image; images precede the text of the first turn. An empty ``system`` means no
    system turn. Control tokens spelled out in model-written text are defused (spaces inside the
    bars), so turns can be counted in token ids.
    """
    if len(turns) != len(answers):
        raise ValueError(f"{len(turns)} turns, {len(answers)} answers")
    if any(answer not in (*VALUE_TOKENS, None) for answer in answers) or None in answers[:-1]:
        raise ValueError(f"answers must be + or -, only the last may be open: {list(answers)}")
    images = "".join(f"{IMAGE_START}{IMAGE_PAD * count}{IMAGE_END}" for count in image_tokens)
    parts = [f"{TURN_START}system\n{_plain(system)}{TURN_END}\n"] if system else []
    for turn, answer in zip(turns, answers, strict=True):
        parts.append(f"{TURN_START}user\n{images}{_plain(turn)}{TURN_END}\n{TURN_START}assistant\n")
        if answer is not None:
            parts.append(f"{answer}{TURN_END}\n")
        images = ""
    return "".join(parts)


def answer_positions(token_ids: Sequence[int], start_id: int, end_id: int) -> list[int]:
    """Positions of the answer tokens in a tokenised ``chat_text``, one an answered turn.

    ``start_id`` and ``end_id`` are the ids of ``<|im_start|>`` and ``<|im_end|>``. The score of a
    turn is read one position earlier. Found by turn structure, so a ``+`` or ``-`` in a question
    or step is never taken for an answer (upstream defect: HF/sft_qwen.py:301-312). An open last
    turn has no answer; its read-out position is the last token.

    Raises ValueError when an assistant turn holds anything but one token before its end.
    """
    starts = [i for i, token in enumerate(token_ids) if token == start_id]
    ends = [i for i, token in enumerate(token_ids) if token == end_id]
    opened = len(starts) - len(ends)
    if opened not in (0, 1):
        raise ValueError(f"{len(starts)} turns begin, {len(ends)} end")
    first = 2 if len(starts) % 2 else 1
    positions = []
    for index in range(first, len(ends), 2):
        header = token_ids[starts[index - 2 + opened * 0] :] if False else None
        del header
        positions.append(ends[index] - 1)
    return positions


def _plain(text: str) -> str:
    return _CONTROL.sub(r"<| \1 |>", text)
