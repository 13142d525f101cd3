"""Prompts: one file each, never edited once used; render() and sha256().

A changed prompt is a new file with a new version in its name.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template, meta

from vlprm.errors import UserError

_ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


def _source(name: str) -> str:
    file = files(__name__) / f"{name}.txt"
    if not file.is_file():
        known = sorted(f.name[:-4] for f in files(__name__).iterdir() if f.name.endswith(".txt"))
        raise UserError(f"no prompt {name!r}", cure=f"use one of {', '.join(known)}")
    return file.read_text(encoding="utf-8")


def render(name: str, **values: str) -> str:
    """The prompt with its slots filled; the file's last line end is not part of it.

    Values are put in as they are, never read as templates themselves. Raises UserError for an
    unknown prompt, a slot without a value, or a value without a slot (a question that never
    reaches the model is a wrong prompt, not a harmless one).
    """
    template, slots = _compiled(name)
    if slots != set(values):
        raise UserError(
            f"prompt {name!r} has the slots {sorted(slots)}, got values for {sorted(values)}",
            cure="name a prompt that is made for this use",
        )
    return template.render(**values)


@cache
def _compiled(name: str) -> tuple[Template, frozenset[str]]:
    """The prompt and its slots; compiled once, for it is filled once per question."""
    source = _source(name).removesuffix("\n")
    slots = meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
    return _ENVIRONMENT.from_string(source), frozenset(slots)


def sha256(name: str) -> str:
    """The sha256 of the prompt's file."""
    return hashlib.sha256(_source(name).encode()).hexdigest()


def sha256_of_all(*names: str | None) -> dict[str, str]:
    """sha256 by name, for a manifest; None stands for no prompt."""
    return {name: sha256(name) for name in names if name is not None}
