"""What a text of the configuration stands for: a name defined elsewhere, a prompt, an address.

Each kind checks itself where it stands, so that everything wrong is told at once, under its key.
Names and files are looked up in the :class:`Known` that ``load_config`` hands on; a slice, which
has passed once, is read without it. A field of type ``str`` without one of these kinds, a pattern
or choices takes anything: ``bench/config_holes.py`` finds it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, Field, TypeAdapter, ValidationError, ValidationInfo

from vlprm import prompts
from vlprm.config import deepspeed
from vlprm.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What a configuration may refer to."""

    names: Mapping[str, Collection[str]]
    """Table -> the names that it defines."""
    folder: Path | None = None
    """Where the run's files lie; None: files are not looked for."""


def _known(info: ValidationInfo) -> Known | None:
    return info.context if isinstance(info.context, Known) else None


def unknown(name: str, there: Collection[str]) -> str:
    """Says that a name is not among those that are there, and which was probably meant."""
    close = difflib.get_close_matches(name, there, n=1, cutoff=0.6)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{name!r} is not one of {sorted(there)}{hint}; name one of these"


def _of(table: str) -> AfterValidator:
    def check(name: str, info: ValidationInfo) -> str:
        known = _known(info)
        if known is not None and name not in known.names[table]:
            raise ValueError(unknown(name, known.names[table]))
        return name

    return AfterValidator(check)


def _prompt(*slots: str) -> AfterValidator:
    def check(name: str) -> str:
        try:
            prompts.render(name, **dict.fromkeys(slots, ""))
        except UserError as error:
            raise ValueError(f"{error.what}; {error.cure}") from error
        return name

    return AfterValidator(check)


def _prompt_or(*words: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in words:
            try:
                prompts.render(name, question="")
            except UserError as error:
                what = f"{error.what}; {error.cure}, or {' or '.join(words)}"
                raise ValueError(what) from error
        return name

    return AfterValidator(check)


def _url(text: str) -> str:
    try:
        TypeAdapter(AnyHttpUrl).validate_python(text)
    except ValidationError as error:
        raise ValueError(f"{text!r} is no address; write https://host/v1") from error
    return text


def _deepspeed(file: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known is not None and known.folder is not None:
        try:
            deepspeed.zero_stage(known.folder / file)
        except UserError as error:
            raise ValueError(f"{file}: {error.what}; {error.cure}") from error
    return file


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    again = [value for place, value in enumerate(values) if value in values[:place]]
    if again:
        raise ValueError(f"names {again[0]!r} twice; once is enough")
    return values


def _some(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("an empty list; name at least one")
    return values


def one_of(values: Callable[[], Collection[str]], table: str | None = None) -> AfterValidator:
    """A text that is one of ``values()``, or a name that ``table`` of the configuration defines."""

    def check(text: str, info: ValidationInfo) -> str:
        known = _known(info)
        there = [*values(), *(known.names[table] if known and table else ())]
        if text not in there and (known or table is None):
            raise ValueError(unknown(text, there))
        return text

    return AfterValidator(check)


Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""Words for people, or a name that only others know: anything but nothing."""
Given = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
"""A path of a file or folder; ``vlprm.config.files`` knows which must be there, and when."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that this configuration defines; it becomes part of paths."""
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""
Url = Annotated[str, AfterValidator(_url)]

ModelName = Annotated[str, _of("models")]
PolicyName = Annotated[str, _of("policies")]
PRMName = Annotated[str, _of("prms")]
BenchmarkName = Annotated[str, _of("benchmarks")]
TrainingName = Annotated[str, _of("training")]
SourceName = Annotated[str, _of("sources")]
SearchName = Annotated[str, _of("searches")]

Prompt = Annotated[str, _prompt()]
"""A file of ``vlprm.prompts`` without slots."""
QuestionPrompt = Annotated[str, _prompt("question")]
ShownQuestion = Annotated[str, _prompt_or("trained", "policy")]
"""Such a file, ``trained`` or ``policy``: how a PRM is shown questions (``Config.shown_to``)."""
JudgePrompt = Annotated[str, _prompt("problem", "solution")]

DeepSpeedFile = Annotated[str, AfterValidator(_deepspeed)]
"""A DeepSpeed configuration that training can use."""

Distinct = Annotated[tuple[T, ...], AfterValidator(_distinct)]
"""A list that names nothing twice."""
Some = Annotated[tuple[T, ...], AfterValidator(_some), AfterValidator(_distinct)]
"""Such a list with at least one."""
