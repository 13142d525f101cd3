"""Model families: what differs between kinds of vision-language models, by name.

A new policy family is one module with a ``FAMILY``, one line in ``FAMILIES`` and one table of cases
(``tests/cases/families/<name>.json``); ``models.*.family`` then takes its name. The module says how
the family shows images, which of its added tokens are control tokens, what its ``config.json`` says
of shapes, and which engines run it in which role (``family.Family``). ``gemma3`` is a complete
example for vLLM, whose checkpoints bring template and processor with them.

A family that differs in rules alone from one that is there replaces those::

    FAMILY = replace(qwen25vl.FAMILY, name="other", chat=chat, images=replace(...))

Its checkpoints keep their ``architecture``, so the engines of that family run it; where ``chat`` is
replaced, ``engines`` must leave out vLLM, which applies the template of the checkpoint. An
architecture of its own needs a line in ``architectures`` before the transformers engine can draw
with it; scorer and PRM training run Qwen2.5-VL's alone.

The cases: ``sizes`` (at least one: image, pixels, size, visual tokens), ``refused`` (image sizes),
``most`` (pixels, visual tokens), ``processor`` (its options), ``chats`` and ``conversations`` (text
as shown; empty where there is none), ``control`` (added tokens, the ids that must not be drawn and
those that end a turn).
"""

from __future__ import annotations

from typing import Final

from vlprm.families import gemma3, qwen25vl
from vlprm.families.family import Family, Role

FAMILIES: Final[dict[str, Family]] = {
    module.FAMILY.name: module.FAMILY for module in (qwen25vl, gemma3)
}
"""Families by the name that configurations say."""


def playing(role: Role) -> tuple[str, ...]:
    """Names of the families that can play a role."""
    return tuple(name for name, family in FAMILIES.items() if family.engines.get(role))


def check_sides(width: int, height: int, where: str | None = None) -> None:
    """Raise UserError, naming ``where``, for an image that some family cannot show.

    Questions are prepared once for all models of a run.
    """
    for family in FAMILIES.values():
        family.images.check_sides(width, height, where)
