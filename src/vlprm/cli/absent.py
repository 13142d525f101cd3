"""What stands for the files of a data set that are not there."""

from __future__ import annotations

from typing import Annotated

import typer

from vlprm.cli.app import for_rules
from vlprm.cli.arguments import ConfigArg, parse
from vlprm.errors import UserError


@for_rules()
def absent(
    dataset: Annotated[str, typer.Argument(help="its name in the configuration")],
    config: ConfigArg,
) -> None:
    """Files that a data set lacks, and where they are found; exit status 2."""
    from vlprm.config.data import FileData

    data = parse(FileData, config)
    raise UserError(
        f"the files of data set {dataset!r} are not there",
        where=data.path,
        cure=f"put them there; origin: {data.origin or 'not stated'}",
    )
