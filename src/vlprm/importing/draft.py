"""Drafts: a sample whose images are still where the data set keeps them.

Sources and benchmarks make drafts; the prepare stage stores the images and completes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pydantic import ValidationError

from vlprm.errors import UserError
from vlprm.records import AnswerType, ImageRef, Sample

Decode = Callable[[bytes, str], Image.Image]
"""An encoded image and its place, for messages, as a picture."""
ImageSource = Path | bytes | Image.Image | Callable[[Decode], Image.Image]
"""A file, an encoded image, a picture, or one drawn of encoded ones when it is asked for."""


@dataclass(frozen=True, slots=True)
class SampleDraft:
    """The fields of a :class:`Sample`, with image sources in place of references."""

    id: str
    question: str
    answer: str
    answer_type: AnswerType
    images: tuple[ImageSource, ...]
    choices: tuple[str, ...] = ()
    precision: int | None = None
    unit: str | None = None
    subset: str | None = None
    explanation: str | None = None
    where: str | None = None
    """File and row the draft came from, for messages."""

    def to_sample(self, refs: tuple[ImageRef, ...]) -> Sample:
        """The sample, its images stored under ``refs`` (same order).

        Raises UserError when the fields contradict each other (a CHOICE answer that is no
        choice letter).
        """
        try:
            return Sample(
                id=self.id,
                question=self.question,
                images=refs,
                choices=self.choices,
                answer=self.answer,
                answer_type=self.answer_type,
                precision=self.precision,
                unit=self.unit,
                subset=self.subset,
                explanation=self.explanation,
            )
        except ValidationError as error:
            first = error.errors()[0]
            message = str(first["msg"]).removeprefix("Value error, ")
            if first["loc"]:
                message = f"{'.'.join(map(str, first['loc']))}: {message}"
            raise UserError(message, where=self.where or self.id, cure="correct the row") from error
