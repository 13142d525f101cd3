"""Published training conversations: rows of VL-PRM300K and its kin, in either schema.

Raw (``VL_PRM300K_V2``): ``id``, ``conversations``, ``image``, ``source``, ``question`` and what the
labels were made of; training (``VL-PRM300K-V1-train``): ``conversations`` and ``image``
(specification, section 3.6). A conversation is a list of messages ``{role, content}``, content a
text or a list of ``{type, text}`` items; or, as the Qwen trainer reads it, of ``{from, value}``
with ``<image>`` in the first question. Turns must have the layout that this package trains in, so
that training on an imported row shows the model the published text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlprm.errors import UserError
from vlprm.records import Label

_ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant"}
_ROLES |= {"gpt": "assistant"}
_ANSWERS: dict[str, Label] = {"+": 1, "-": 0, "<+>": 1, "<->": 0}
_FIRST = re.compile(r"### Question:\n(.*?)\n\n### Solution Process:\n(.*)", re.DOTALL)
_IMAGE = re.compile(r"\A<image>\n?")
IMAGES = ("image", "images", "image_qwen_smart_resize")
"""Columns that may hold the image; the first that does is taken."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of a published file, its images still encoded."""

    source: str
    """The corpus of its question; ``published`` where the row does not say."""
    system: str
    question: str
    steps: tuple[str, ...]
    labels: tuple[Label, ...]
    images: tuple[bytes, ...]

    @property
    def sample(self) -> str:
        """Source and a digest of question and images: the same for all solutions of a question."""
        digest = hashlib.sha256(self.question.encode("utf-8", "surrogatepass"))
        for image in self.images:
            digest.update(hashlib.sha256(image).digest())
        return f"{self.source}/{digest.hexdigest()[:16]}"


def conversation(row: Mapping[str, Any], where: str) -> Conversation:
    """The conversation of one row.

    Raises UserError for a row without conversation or image, an answer that is no label, and turns
    in another layout.
    """
    messages = _messages(row, where)
    system = messages.pop(0)[1] if messages and messages[0][0] == "system" else ""
    turns, answers = messages[::2], messages[1::2]
    roles = {role for role, _ in turns}, {role for role, _ in answers}
    if not turns or len(turns) != len(answers) or roles != ({"user"}, {"assistant"}):
        raise UserError("questions and answers do not take turns", where=where)
    unknown = [text for _, text in answers if text.strip() not in _ANSWERS]
    if unknown:
        raise UserError(f"answer {unknown[0]!r:.40} is neither + nor -", where=where)
    question, steps = _steps([text for _, text in turns], where)
    source = row.get("source")
    return Conversation(
        source=_name(source) if isinstance(source, str) and source.strip() else "published",
        system=system,
        question=question,
        steps=steps,
        labels=tuple(_ANSWERS[text.strip()] for _, text in answers),
        images=_images(row, where),
    )


def _messages(row: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    found = row.get("conversations", row.get("messages"))
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError as error:
            raise UserError("'conversations' is no JSON", where=where) from error
    if not isinstance(found, list) or not found:
        raise UserError("no 'conversations'", where=where)
    return [_message(item, where) for item in found]


def _message(item: object, where: str) -> tuple[str, str]:
    if isinstance(item, Mapping):
        role = _ROLES.get(str(item.get("role") or item.get("from")))
        content = item.get("content", item.get("value"))
        if isinstance(content, str) and role:
            return role, _IMAGE.sub("", content) if role == "user" else content
        if isinstance(content, list) and role and all(isinstance(x, Mapping) for x in content):
            parts = [part for part in content if part.get("type") == "text"]
            return role, "".join(str(part.get("text") or "") for part in parts)
    raise UserError("a message is neither {role, content} nor {from, value}", where=where)


def _steps(turns: Sequence[str], where: str) -> tuple[str, tuple[str, ...]]:
    """Question and steps of user turns: the inverse of the families' layout."""
    if not all(turn.endswith("\n\n") for turn in turns):
        raise UserError("a turn does not end with a blank line", where=where)
    first, *others = (turn.removesuffix("\n\n") for turn in turns)
    opened = _FIRST.fullmatch(first)
    if opened is None:
        raise UserError(
            "the first turn has no '### Question:' and '### Solution Process:'", where=where
        )
    return opened[1], (opened[2], *others)


def _images(row: Mapping[str, Any], where: str) -> tuple[bytes, ...]:
    for column in IMAGES:
        value = row.get(column)
        cells = value if isinstance(value, list) else [value]
        found = [cell.get("bytes") if isinstance(cell, Mapping) else cell for cell in cells]
        encoded = tuple(item for item in found if isinstance(item, bytes))
        if encoded and len(encoded) == len(found):
            return encoded
    raise UserError(f"no image in {', '.join(map(repr, IMAGES))}", where=where)


def _name(source: str) -> str:
    """A corpus's name as part of an id: ``CLEVR-Math`` is ``clevr-math``."""
    return re.sub(r"[^a-z0-9]+", "-", source.strip().lower()).strip("-") or "published"
