"""Every key of a configuration file made wrong: cases out of the file itself and its schema.

A case is the file's text with one change. It is *refused* when reading the configuration, or the
look for the files it names, says the key and its line. Nothing here lists keys: a key that is new
in the file is covered, and one that takes whatever it is given comes out as a hole.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from vlprm.config.across import names
from vlprm.config.checked import ConfigError, load_config
from vlprm.config.files import named_files
from vlprm.config.named import Given, Text
from vlprm.config.reader import Loc, read_config
from vlprm.config.run import Config
from vlprm.errors import UserError
from vlprm.preflight.finding import failures, report
from vlprm.preflight.inputs import check_named

TABLES = tuple(names({}))
NOWHERE = "no such thing"
FREE = {"text": get_args(Text)[1:], "path": get_args(Given)[1:]}


@dataclass(frozen=True)
class Case:
    """One wrong file."""

    kind: str
    """What was done: a value, ``twice``, ``unknown key``, ``absent file`` ..."""
    key: str
    text: str
    name: str
    """Must be told, with one of the lines."""
    lines: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.key}: {self.kind}"


def cases(file: Path) -> Iterator[Case]:
    """All cases of a file."""
    text = file.read_text(encoding="utf-8")
    yield from _of(yaml.compose(text, Loader=yaml.SafeLoader), (), text, set())


def _of(node: yaml.Node, loc: Loc, text: str, seen: set[int]) -> Iterator[Case]:
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return
    seen.add(id(node))
    yield from _more_keys(node, loc, text)
    for key, value in node.value:
        if key.value == "<<" or id(value) in seen:
            continue
        here = (*loc, str(key.value))
        line = key.start_mark.line + 1
        inside = text[value.start_mark.index + 1 : value.end_mark.index]
        # without an anchor inside, aliases elsewhere would name nothing
        for kind, wrong in () if " &" in inside else _wrong(value, here):
            # a file is told with the block that wants it
            name = ".".join(map(str, here[:2])) if kind == "absent file" else str(key.value)
            changed = _with_value(text, key, value, wrong)
            yield Case(kind, ".".join(map(str, here)), changed, name, (line,))
        yield from _renamed(key, here, text)
        yield from _of(value, here, text, seen)


def _more_keys(node: yaml.MappingNode, loc: Loc, text: str) -> Iterator[Case]:
    """An unknown key, and the first key a second time."""
    key = next((key for key, _ in node.value if key.value != "<<"), None)
    if key is None:
        return
    place, line = ".".join(map(str, loc)) or "top", key.start_mark.line + 1
    if len(loc) != 1 or loc[0] not in TABLES:
        yield Case(
            "unknown key", place, _before(text, key, "no_such_key: 0"), "no_such_key", (line,)
        )
    for again, _ in node.value:
        if again.value != "<<":
            first = again.start_mark.line + 1
            second = first if node.flow_style else first + 1
            wrong = _before(text, again, f"{json.dumps(again.value)}: 0")
            yield Case("twice", f"{place}.{again.value}", wrong, again.value, (first, second))


def _before(text: str, key: yaml.Node, pair: str) -> str:
    start = key.start_mark.index
    flow = text[:start].rstrip(" ").endswith(("{", ","))
    return (
        text[:start] + pair + (", " if flow else "\n" + " " * key.start_mark.column) + text[start:]
    )


def _renamed(key: yaml.Node, here: Loc, text: str) -> Iterator[Case]:
    """A misspelt key; of a table, whose names are free, one that is no name."""
    table = len(here) == 2 and here[0] in TABLES
    name = "no name" if table else f"{key.value}x"
    start, end = key.start_mark.index, key.end_mark.index
    changed = text[:start] + json.dumps(name) + text[end:]
    line = key.start_mark.line + 1
    yield Case("no name" if table else "misspelt", ".".join(map(str, here)), changed, name, (line,))


def _with_value(text: str, key: yaml.Node, value: yaml.Node, wrong: str) -> str:
    """The text with another value; an anchor stays, so that its aliases have one."""
    start, end = value.start_mark.index, value.end_mark.index
    anchor = text[start:end].split()[0] + " " if text[start : start + 1] == "&" else ""
    block = isinstance(value, yaml.CollectionNode) and not value.flow_style
    rest = "\n" + " " * value.end_mark.column if block else ""
    return f"{text[: key.end_mark.index]}: {anchor}{wrong}{rest}{text[end:]}"


def _wrong(node: yaml.Node, loc: Loc) -> Iterator[tuple[str, str]]:
    """Values that a key must refuse, as YAML of one line, each with its name."""
    hint = hint_of(loc)
    if not _nullable(hint):
        yield "null", "null"
    if isinstance(node, yaml.MappingNode):
        yield from (("text", '"text"'), ("number", "17"), ("list", "[]"))
    elif isinstance(node, yaml.SequenceNode):
        yield from _wrong_lists(node, hint)
    else:
        yield "block", "{}"
        yield "list", "[x]"
        yield from _wrong_scalars(node, hint)


def _wrong_lists(node: yaml.SequenceNode, hint: Any) -> Iterator[tuple[str, str]]:
    items = [item.value for item in node.value if isinstance(item, yaml.ScalarNode)]
    yield from (("text", '"text"'), ("number", "17"), ("block", "{}"))
    if "_some" in repr(hint):
        yield "empty list", "[]"
    yield "unknown item", json.dumps([*items, NOWHERE])
    if items and "_distinct" in repr(hint):
        text = ", ".join(map(str, [*items, items[0]]))
        yield "item twice", f"[{text}]"


def _wrong_scalars(node: yaml.Node, hint: Any) -> Iterator[tuple[str, str]]:
    kind = node.tag.rpartition(":")[2]
    if kind == "str":
        yield from (("number", "17"), ("truth", "true"), ("nothing", '""'))
        if _constraints(hint) != FREE["text"]:
            absent = _constraints(hint) == FREE["path"]
            yield "absent file" if absent else "unknown", json.dumps(NOWHERE)
    elif kind == "bool":
        yield from (("text", "maybe"), ("number", "2"))
    elif kind in ("int", "float"):
        yield from (("text", "many"), ("truth", "true"), ("not a number", ".nan"))
        yield from (("infinite", ".inf"), ("negative", "-1"))
        if kind == "int" and int in _types(hint):
            yield "part of a number", "1.5"
    elif kind == "null":
        yield "truth", "true"


def hint_of(loc: Loc) -> Any:
    """The annotation of a key in the schema, with its constraints; Any where it has none."""
    found: list[Any] = [Config]
    for step in loc:
        found = [after for hint in found for after in _step(hint, str(step))]
    return found[0] if found else Any


def _step(hint: Any, name: str) -> Iterator[Any]:
    origin = get_origin(hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        field = hint.model_fields.get(name)
        if field is not None:
            constraints = tuple(field.metadata)
            yield Annotated[field.annotation, *constraints] if constraints else field.annotation
    elif origin is dict:
        yield get_args(hint)[1]
    elif origin in (Annotated, Union, types.UnionType):
        for part in get_args(hint)[: 1 if origin is Annotated else None]:
            yield from _step(part, name)


def _types(hint: Any) -> set[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return {kind for part in get_args(hint) for kind in _types(part)}
    return _types(get_args(hint)[0]) if get_origin(hint) is Annotated else {hint}


def _nullable(hint: Any) -> bool:
    return hint is Any or type(None) in _types(hint)


def _constraints(hint: Any) -> tuple[Any, ...]:
    """Of a text, ``Text | None`` like ``Text``; pydantic may hand them on as one Field or apart."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next((part for part in get_args(hint) if part is not type(None)), hint)
    if get_origin(hint) is not Annotated:
        return ()
    for name, wanted in FREE.items():
        (field,) = wanted
        if get_args(hint)[1:] == wanted or list(get_args(hint)[1:]) == list(field.metadata):
            return FREE[name]
    return get_args(hint)[1:]


class Reader:
    """Reads cases as ``snakemake`` and ``vlprm doctor`` do, in a folder with all files there."""

    def __init__(self, root: Path, folder: Path, shipped: Path) -> None:
        self.file, self.folder = folder / "run.yaml", folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configs").symlink_to(root / "configs")
        for item in named_files(read_config(shipped).data):
            there = folder / item.path
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()

    def says(self, text: str) -> str:
        """The message; empty where nothing is wrong."""
        self.file.write_text(text, encoding="utf-8")
        try:
            read = read_config(self.file)
            load_config(read, folder=self.folder)
        except ConfigError as error:
            return str(error)
        except UserError as error:
            return str(error)
        return "\n".join(report(failures(check_named(read, self.folder))))

    def hole(self, case: Case) -> str | None:
        """Why a case is a hole: accepted, or refused without its key or its line; else None."""
        said = self.says(case.text)
        if not said:
            return "accepted"
        row = [line for line in said.splitlines() if f"{self.file}:{case.lines[0]}" in line
               or f"{self.file}:{case.lines[-1]}" in line]  # fmt: skip
        if not row:
            return f"line {case.lines[0]} is not told: {said[:300]}"
        if not any(case.name in line for line in row):
            return f"{case.name} is not named: {row[0][:300]}"
        if len(case.lines) > 1 and not any(f"lines {case.lines[0]} and" in line for line in row):
            return f"not both lines: {row[0][:300]}"
        return None
