"""Chat text of Qwen2.5-VL: what a policy reads, and the one layout of PRM conversations.

The latter serves training and scoring alike (paper section 3 and the released checkpoints): a
system turn, then one user turn per step; the first one holds the images, the question and step 1.
Every user turn is answered by ``+`` or ``-``; the score of step k is read where the answer to turn
k would begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlprm.errors import UserError
from vlprm.families.defuse import defuse_chatml
from vlprm.families.family import PRMLayout
from vlprm.records import ImageRef, Message

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
    images = "".join(map(_image, image_tokens))
    parts = [f"{TURN_START}system\n{defuse_chatml(system)}{TURN_END}\n"] if system else []
    for turn, answer in zip(turns, answers, strict=True):
        parts.append(f"{TURN_START}user\n{images}{defuse_chatml(turn)}{TURN_END}\n{ANSWER_HEADER}")
        if answer is not None:
            parts.append(f"{answer}{TURN_END}\n")
        images = ""
    return "".join(parts)


def conversation_text(
    system: str,
    question: str,
    steps: Sequence[str],
    answers: Sequence[str | None],
    image_tokens: Sequence[int],
) -> str:
    """``chat_text`` of question and steps (``families.family.PRMLayout``)."""
    return chat_text(system, render_turns(question, steps), answers, image_tokens)


PRM_LAYOUT = PRMLayout(VALUE_TOKENS, ANSWER_HEADER, TURN_END, conversation_text)


def policy_text(
    messages: Sequence[Message],
    prefix: str,
    image_tokens: Callable[[ImageRef], int],
    defuse: Callable[[str], str],
) -> str:
    """ChatML text with the assistant turn opened and ``prefix`` already in it.

    Control tokens spelled out in the texts or the prefix are defused.
    """
    parts = []
    for message in messages:
        images = "".join(_image(image_tokens(ref)) for ref in message.images)
        parts.append(f"{TURN_START}{message.role}\n{images}{defuse(message.text)}{TURN_END}\n")
    return "".join([*parts, ANSWER_HEADER, defuse(prefix)])


def _image(tokens: int) -> str:
    return f"{IMAGE_START}{IMAGE_PAD * tokens}{IMAGE_END}"
