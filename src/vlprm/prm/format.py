"""The one renderer of PRM conversations, for training and for scoring.

Layout (paper section 3 and the released checkpoints): a system turn, then one user turn a step;
the first one holds the images, the question and step 1. Every user turn is answered by ``+`` or
``-``; the score of step k is read where the answer to turn k would begin.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlprm.errors import UserError
from vlprm.prm.defuse import defuse_chatml

VALUE_TOKENS = ("+", "-")
"""Answer tokens of label 1 and label 0 (ids 10 and 12 of the Qwen tokenizer)."""

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
ANSWER_HEADER = f"{TURN_START}assistant\n"
"""Opens an assistant turn; the score is read at its last token."""
IMAGE_START, IMAGE_PAD, IMAGE_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"


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
    parts = [f"{TURN_START}system\n{defuse_chatml(system)}{TURN_END}\n"] if system else []
    for turn, answer in zip(turns, answers, strict=True):
        parts.append(f"{TURN_START}user\n{images}{defuse_chatml(turn)}{TURN_END}\n{ANSWER_HEADER}")
        if answer is not None:
            parts.append(f"{answer}{TURN_END}\n")
        images = ""
    return "".join(parts)


def readout_positions(
    token_ids: Sequence[int], answer_header: Sequence[int], turn_end: int
) -> list[int]:
    """Where each turn's score is read in a tokenised ``chat_text``: the answer is predicted there.

    ``answer_header`` are the ids of ``ANSWER_HEADER``, ``turn_end`` the id of ``TURN_END``. One
    position a turn, the last token of the header; the answer token, if the turn has one, follows.
    Found by turn structure, so a ``+`` or ``-`` in a question or step is never taken for an
    answer (upstream defect: HF/sft_qwen.py:301-312).

    Raises ValueError when an answered turn holds anything but one token.
    """
    ids, header = list(token_ids), list(answer_header)
    positions = [
        start + len(header) - 1
        for start, token in enumerate(ids)
        if token == header[0] and ids[start : start + len(header)] == header
    ]
    for position in positions:
        opened = position == len(ids) - 1
        if not opened and ids[position + 2 : position + 3] != [turn_end]:
            raise ValueError(f"the answer after token {position} is not a single token")
    return positions
