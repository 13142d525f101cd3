"""Arguments that commands share: lists of paths, a slice of the configuration, its cards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from vlprm.config import placement
from vlprm.config.block import Block
from vlprm.errors import UserError

if TYPE_CHECKING:
    from vlprm.config.block import Block

B = TypeVar("B", bound="Block")

ConfigArg = Annotated[
    str, typer.Option("--config", help="the stage's slice of the configuration (JSON)")
]
PlacementArg = Annotated[
    str,
    typer.Option(
        "--placement", help="cards of each role: policy:0@0.55+scorer:0@0.35", show_default=False
    ),
]


class Command(TyperCommand):
    """A command each of whose options is given once, unless it takes a list.

    Typer takes the last value of an option and says nothing of those before it.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises UserError for an option that is given twice."""
        given = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in given:
            if given.count(option) > 1 and not getattr(option, "multiple", False):
                times = f"given {given.count(option)} times; give it once"
                raise UserError(times, where=option.opts[0])
        return super().parse_args(ctx, args)


def parse(kind: type[B], text: str) -> B:
    """Read a slice from its JSON argument.

    Raises UserError naming the key that is wrong.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"{key}: {first['msg']}", where="--config", cure=f"pass a {kind.__name__} as JSON"
        ) from error


def placed(config: B, text: str) -> B:
    """A slice with its engines on the cards that ``--placement`` gives to their roles.

    Raises UserError when the text is no placement, leaves out a role, or places another one.
    """
    found = placement.read(text)
    roles = placement.roles(type(config))
    for role in roles.values():
        if role not in found:
            raise UserError(
                f"{text!r} places no {role}", where="--placement", cure=f"add {role}:cpu@0.9"
            )
    for role in found:
        if role not in roles.values():
            raise UserError(
                f"{text!r} places {role}, which this stage does not run",
                where="--placement",
                cure=f"leave it out; the stage's roles: {', '.join(roles.values())}",
            )
    engines = {field: getattr(config, field).on(found[role]) for field, role in roles.items()}
    return config.model_copy(update=engines)


def paths(text: str) -> list[Path]:
    """The files of a blank-separated list."""
    return [Path(item) for item in text.split()]
