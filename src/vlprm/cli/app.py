"""The application that commands belong to."""

from __future__ import annotations

from functools import partial

import typer

from vlprm.cli.arguments import Command
from vlprm.cli.stages import PEOPLE, RULES, Commands

app = typer.Typer(
    cls=Commands,
    help="Vision-language process reward models: checks and reports of a run, and its stages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for_people = partial(app.command, cls=Command, rich_help_panel=PEOPLE)
for_rules = partial(app.command, cls=Command, rich_help_panel=RULES)
