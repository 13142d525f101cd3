"""Control tokens spelled out in a text, made harmless: one rule for policies and PRMs.

A tokenizer turns the spelling of a control token into the token itself wherever it stands. A
question, an option or a drawn solution that spells one would open turns and image places that
are not there, so a space is put inside the spelling before it is shown to a model.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_CHATML = re.compile(r"<\|(\w+)\|>")
_BRACKETED = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")


def defuse_chatml(text: str) -> str:
    """Every ``<|name|>`` becomes ``<| name |>``: all control tokens of a Qwen tokenizer."""
    return _CHATML.sub(r"<| \1 |>", text)


class Defuser:
    """Opens up the spellings of one tokenizer's control tokens, and nothing else."""

    def __init__(self, spellings: Collection[str]) -> None:
        self._known = frozenset(spellings)
        odd = [name for name in self._known if not _BRACKETED.fullmatch(name)]
        # one scan for what stands in brackets: Gemma 3 has some 6,000 of them
        names = [re.escape(name) for name in sorted(odd, key=lambda name: (-len(name), name))]
        self._pattern = re.compile("|".join([*names, _BRACKETED.pattern]))

    def __call__(self, text: str) -> str:
        """``<|name|>`` becomes ``<| name |>``, any other spelling gets a space after its first
        character. A text without spellings comes back as it is; twice is the same as once."""
        return self._pattern.sub(self._opened, text)

    def _opened(self, found: re.Match[str]) -> str:
        spelled = found.group()
        if spelled not in self._known:
            return spelled
        plain = defuse_chatml(spelled)
        return plain if plain != spelled else f"{spelled[0]} {spelled[1:]}"
