"""A command for every stage, read off its ``run``: files, the slice of the configuration, cards.

Only the stage that is called is imported; of the others, the list of commands shows what the first
line of their file says.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

import vlprm.stages
from vlprm.cli.arguments import Command, ConfigArg, PlacementArg, parse, paths, placed
from vlprm.config.placement import roles
from vlprm.stages import VERSIONS, Argument

PEOPLE, RULES = "For people", "Stages, called by the workflow's rules"
"""The groups of ``vlprm --help``, in their order."""
SLICE = "config"
"""The parameter of ``run`` that is the stage's slice. A stage without one is called by people."""
STAGES = {stage.replace("_", "-"): stage for stage in VERSIONS}
"""Command -> module of ``vlprm.stages``."""


class Commands(TyperGroup):
    """The commands written by hand, and those of the stages, made when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names; what people call comes first."""
        for name in STAGES:
            if name not in self.commands:
                self.add_command(_listed(name))
        groups = {
            name: getattr(self.commands[name], "rich_help_panel", None)
            for name in super().list_commands(ctx)
        }
        return sorted(groups, key=lambda name: groups[name] != PEOPLE)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called; a name that is none is told with those like it."""
        if args[0] in STAGES:
            self.add_command(command(STAGES[args[0]]))
        elif args[0] not in self.commands:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)


def command(stage: str) -> TyperCommand:
    """The command of a stage, from the parameters and docstrings of its module."""
    module = import_module(f"vlprm.stages.{stage}")
    hints = get_type_hints(module.run, include_extras=True)
    parameters = [
        _keyword(name, _annotation(hints[name]), parameter.default)
        for name, parameter in inspect.signature(module.run).parameters.items()
        if name != SLICE
    ]
    if SLICE in hints:
        parameters.append(_keyword(SLICE, ConfigArg))
        if roles(hints[SLICE]):
            parameters.append(_keyword("placement", PlacementArg))
    single = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    text = f"{inspect.getdoc(module)}\n\n{inspect.getdoc(module.run)}"
    single.command(stage.replace("_", "-"), cls=Command, help=_plain(text))(
        _called(module.run, hints, parameters)
    )
    made = typer.main.get_command(single)
    assert isinstance(made, TyperCommand)
    return made


def _called(
    run: Callable[..., object], hints: dict[str, Any], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Calls ``run`` with arguments of the command line.

    A stage that compares returns whether all is well and a page: exit status 0 or 1.
    """

    def called(**given: Any) -> None:
        text = given.pop("placement", None)
        for name, value in given.items():
            if name == SLICE:
                chosen = parse(hints[name], value)
                given[name] = chosen if text is None else placed(chosen, text)
            elif get_origin(hints[name]) is list:
                given[name] = paths(value)
        found = run(**given)
        if isinstance(found, tuple):
            same, page = found
            typer.echo(page, nl=False)
            raise typer.Exit(0 if same else 1)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


def _annotation(hint: Any) -> Any:
    """Typer's words for an annotation of ``run``.

    Raises TypeError for one that says nothing for the command line.
    """
    if get_origin(hint) is list:
        (one,) = get_args(hint)
        text = f"{_said(one).help}s, separated by blanks"
        return Annotated[str, typer.Option(help=text, show_default=False)]
    said, kind = _said(hint), get_args(hint)[0]
    if said.by_position:
        return Annotated[kind, typer.Argument(help=said.help, show_default=False)]
    return Annotated[kind, typer.Option(help=said.help, min=said.least)]


def _said(hint: Any) -> Argument:
    found = [item for item in get_args(hint)[1:] if isinstance(item, Argument)]
    if get_origin(hint) is not Annotated or len(found) != 1:
        raise TypeError(f"{hint} of a stage's run: annotate it with vlprm.stages.Argument")
    return found[0]


def _keyword(
    name: str, annotation: Any, default: object = inspect.Parameter.empty
) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _listed(name: str) -> TyperCommand:
    """A stage in the list of commands, read without importing it."""
    file = Path(vlprm.stages.__path__[0], f"{STAGES[name]}.py")
    tree = ast.parse(file.read_bytes())
    (run,) = (item for item in tree.body if getattr(item, "name", None) == "run")
    assert isinstance(run, ast.FunctionDef)
    group = RULES if SLICE in {item.arg for item in run.args.args} else PEOPLE
    return TyperCommand(name, help=_plain(ast.get_docstring(tree) or ""), rich_help_panel=group)


def _plain(text: str) -> str:
    """A docstring for a terminal: paragraphs without line ends, code in single backticks."""
    paragraphs = text.replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
