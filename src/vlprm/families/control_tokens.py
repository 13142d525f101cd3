"""Which tokens a policy must never draw, and which end its turn: read off the checkpoint.

A drawn image placeholder is fatal to vLLM (it takes every such id of a step for an image
position) and meaningless to any model, so control tokens get a logit of -inf in every engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlprm.errors import UserError
from vlprm.families.defuse import Defuser
from vlprm.families.family import TokenRule


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens of one checkpoint."""

    barred: tuple[int, ...]
    """Ids that must not be drawn, ascending; ids without a token in the tokenizer included."""
    ends: frozenset[int]
    """Ids that end a turn."""
    spellings: tuple[str, ...]
    """Texts that the tokenizer reads as a control token or an end of turn."""

    @cached_property
    def defuse(self) -> Defuser:
        """Makes these spellings harmless in a text."""
        return Defuser(self.spellings)


def control_tokens(
    rule: TokenRule, model_dir: Path, tokenizer: Any, vocabulary: int | None = None
) -> ControlTokens:
    """The rule for both engines: every special and added token, but those that end a turn.

    Left out are added tokens that are ordinary text by the family's rule; put in are all ids that
    ``config.json`` names (``*_token_id``, ``*_token_index``) and those beyond the tokenizer's
    length. An id that the output matrix has no row for needs none. ``tokenizer``: a
    ``PreTrainedTokenizerFast``; ``vocabulary``: rows of the output matrix, by default what
    ``config.json`` says.

    Raises UserError when the folder has no readable ``config.json`` or no token ends a turn.
    """
    config = _read(model_dir / "config.json")
    generation = model_dir / "generation_config.json"
    text = config.get("text_config") or {}
    rows = vocabulary or int(text.get("vocab_size") or config.get("vocab_size") or 0)
    named = _named_ids(config) | _named_ids(text)
    added = tokenizer.added_tokens_decoder
    ends = _ids(config.get("eos_token_id")) | _ids(text.get("eos_token_id"))
    if generation.exists():
        ends |= _ids(_read(generation).get("eos_token_id"))
    spelled = {token.content: number for number, token in added.items()}
    ends |= {spelled[name] for name in rule.turn_ends if name in spelled}
    ends |= _ids(tokenizer.eos_token_id)
    ends = {number for number in ends if number < (rows or number + 1)}
    if not ends:
        raise UserError(
            "no token ends a turn: neither the configuration nor the tokenizer names one",
            where=str(model_dir),
            cure="state eos_token_id in generation_config.json",
        )
    control = {n for n, token in added.items() if token.special or not rule.is_text(token.content)}
    control |= set(tokenizer.all_special_ids) | named
    barred = {n for n in control if 0 <= n < (rows or n + 1)} | set(range(len(tokenizer), rows))
    names = (token.content for n, token in added.items() if n in control | ends)
    return ControlTokens(
        barred=tuple(sorted(barred - ends)),
        ends=frozenset(ends),
        spellings=tuple(sorted(names)),
    )


def _named_ids(config: Mapping[str, Any]) -> set[int]:
    return {
        value
        for key, value in config.items()
        if key.endswith(("_token_id", "_token_index")) and isinstance(value, int)
    }


def _ids(value: Any) -> set[int]:
    if value is None:
        return set()
    return {int(value)} if isinstance(value, int) else {int(item) for item in value}


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"unreadable ({error})", where=str(path), cure="complete the checkpoint"
        ) from error
    return found
