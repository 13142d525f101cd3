"""Arguments that commands share: paths, lists of paths, a slice of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from vlprm.config import placement
from vlprm.config.block import Block
from vlprm.errors import UserError

app = typer.Typer(
    help="Vision-language process reward models: one command a stage of the pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
B = TypeVar("B", bound=Block)

ConfigArg = Annotated[
    str, typer.Option("--config", help="the stage's slice of the configuration (JSON)")
]
PlacementArg = Annotated[
    str,
    typer.Option(
        "--placement", help="cards of each role: policy:0@0.55+scorer:0@0.35", show_default=False
    ),
]
In = Annotated[Path, typer.Option(help="input file", show_default=False)]
Out = Annotated[Path, typer.Option(help="output file, written atomically", show_default=False)]
Many = Annotated[str, typer.Option(help="input files, separated by blanks", show_default=False)]


def parse(kind: type[B], text: str) -> B:
    """Read a slice from its JSON argument.

    Raises UserError naming the key that is wrong.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"{key}: {first['msg']}", where="--config", cure=f"pass a {kind.__name__} as JSON"
        ) from error


def placed(config: B, text: str, **roles: str) -> B:
    """A slice with its engines on the cards of ``--placement``; field of the slice -> role.

    Raises UserError when the text is no placement or leaves out a role.
    """
    found = placement.read(text)
    for role in roles.values():
        if role not in found:
            raise UserError(
                f"{text!r} places no {role}", where="--placement", cure=f"add {role}:cpu@0.9"
            )
    engines = {field: getattr(config, field).on(found[role]) for field, role in roles.items()}
    return config.model_copy(update=engines)


def paths(text: str) -> list[Path]:
    """The files of a blank-separated list."""
    return [Path(item) for item in text.split()]
