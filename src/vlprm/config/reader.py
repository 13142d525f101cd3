"""A configuration file as read: its content, the line of every key, keys that stand twice.

YAML lets a later key of the same name win in silence, and its errors speak of tokens; here both
become messages with file, line and cure. The one reader of ``snakemake`` and ``vlprm`` alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vlprm.errors import UserError

Loc = tuple[str | int, ...]
"""Keys and list positions from the top of the file to a value."""
_MOST = 20_000
"""Keys and list items of a file: aliases of aliases can stand for any number of them."""
_MERGE = "tag:yaml.org,2002:merge"
_KEY = "write `key: value`, with a blank after the colon"
_BLOCK = "give it a block of `key: value` lines, or remove the `<<` that names it"
_EXAMPLE = "configs/mini.yaml is a complete example"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the key's path, what, the cure, and the line where it stands."""

    key: str
    what: str
    cure: str
    line: int | None = None

    def says(self, file: str) -> str:
        """As one line of a message: ``run.yaml:12: seed: what``."""
        place = file if self.line is None else f"{file}:{self.line}"
        return f"{place}: {self.key}: {self.what}" if self.key else f"{place}: {self.what}"


@dataclass(frozen=True)
class ConfigFile:
    """A file that is YAML with keys at its top; whether they are right is ``load_config``'s."""

    name: str
    """As the user wrote it."""
    data: dict[str, Any]
    lines: Mapping[Loc, int] = field(default_factory=dict)
    twice: tuple[Problem, ...] = ()
    """Keys that stand twice in one block."""

    def line(self, loc: Loc) -> int | None:
        """The line of a key, or of the closest block around it (from 1); None where unknown."""
        for end in range(len(loc), 0, -1):
            if loc[:end] in self.lines:
                return self.lines[loc[:end]]
        return None


def read_config(file: Path | Sequence[Path]) -> ConfigFile:
    """Read a configuration file; of several (Snakemake takes a list) only one is taken.

    Raises UserError when there are several, when the file cannot be read, is no YAML or has no
    keys at its top.
    """
    files = [file] if isinstance(file, Path) else list(file)
    if len(files) != 1:
        raise UserError(
            "several configuration files, and they are never merged",
            where=", ".join(map(str, files)),
            cure="give one complete file by --configfile",
        )
    path = files[0]
    text = _text(path)
    try:
        loader = yaml.SafeLoader(text)  # refuses control characters at once
        node = loader.get_single_node()
        lines: dict[Loc, int] = {}
        twice = tuple(_twice(node, (), set())) if node else ()
        if node:
            _places(node, (), lines, [])
        data = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        data = _json(text)  # its tabs and its braces are no YAML everywhere
        if data is None:
            raise _refusal(error, text, path) from error
        lines, twice = {}, ()
    if not isinstance(data, dict):
        kind = "is empty" if data is None else f"holds a {type(data).__name__}, no keys"
        raise UserError(kind, where=str(path), cure=f"write `key: value` lines; {_EXAMPLE}")
    return ConfigFile(str(path), data, lines, twice)


def _text(path: Path) -> str:
    """Raises UserError for a file that is absent, not to be read or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(
            "no such file", where=str(path), cure="name a file by --configfile; " + _EXAMPLE
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            "not UTF-8 text", where=f"{path}:{line}", cure="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot be read ({error.strerror})", where=str(path), cure="name a readable file"
        ) from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _twice(node: yaml.Node, loc: Loc, seen: set[int]) -> Iterator[Problem]:
    """Keys that stand twice in one mapping, each with both lines."""
    if id(node) in seen:  # an alias: said where its anchor stands
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in first:
                    yield Problem(
                        ".".join(map(str, (*loc, key.value))),
                        f"stands twice, in lines {first[key.value]} and {line}",
                        "keep one of the two",
                        line,
                    )
                first.setdefault(key.value, line)
            yield from _twice(value, (*loc, str(key.value)), seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, (*loc, number), seen)


def _places(node: yaml.Node, loc: Loc, lines: dict[Loc, int], above: list[yaml.Node]) -> None:
    """The line of every key and list item; what a merge brings in stands where its anchor does."""
    if any(node is item for item in above):  # an alias inside its own anchor
        raise ValueError("an alias inside the value that it names")
    if len(lines) > _MOST:
        raise ValueError(f"more than {_MOST} keys and items, aliases counted where they stand")
    inside = [*above, node]
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines[*loc, number] = value.start_mark.line + 1
            _places(value, (*loc, number), lines, inside)
    elif isinstance(node, yaml.MappingNode):
        merged = [value for key, value in node.value if key.tag == _MERGE]
        for value in merged:
            parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for part in reversed(parts):  # the first of a list wins
                _places(part, loc, lines, inside)
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                here = (*loc, str(key.value))
                if merged:  # what a merge brought under this key is replaced
                    for old in [old for old in lines if old[: len(here)] == here]:
                        del lines[old]
                lines[here] = key.start_mark.line + 1
                _places(value, here, lines, inside)


def _refusal(error: Exception, text: str, path: Path) -> UserError:
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return UserError(
            f"not YAML ({' '.join(str(error).split())})", where=str(path), cure=_EXAMPLE
        )
    rows = text.splitlines()
    number = min(mark.line, max(len(rows) - 1, 0))
    row = rows[number] if rows else ""
    what, cure = _diagnosis(error, row, rows[:number])
    return UserError(what, where=f"{path}:{number + 1}:{mark.column + 1}", cure=cure)


def _diagnosis(error: yaml.MarkedYAMLError, row: str, above: Sequence[str]) -> tuple[str, str]:
    """What a reader would say of a line that PyYAML stumbled over, and the cure."""
    problem = error.problem or "not YAML"
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return "a tab in the indent", "indent with spaces, as the lines around it are"
    if "cannot start any token" in problem:
        return problem, "quote the value: '…'"
    if "<block end>" in problem or "<block mapping start>" in problem:
        return "an indent that fits no block above it", _indent(row, above)
    if "mapping values are not allowed" in problem:
        if len(re.findall(r":\s", row)) > 1:
            return "a second ': ' in a value", "quote the value: '…'; or begin a new line"
        before = next((line for line in reversed(above) if line.strip()), "")
        if not re.search(r":(\s|$)|^\s*-|#", before):
            return f"no ': ' in {before.strip()!r}, the line before", _KEY
        return "an indent that fits no block above it", _indent(row, above)
    if "for merging" in problem:
        return f"{row.partition(':')[0].strip()} holds no keys, and `<<` merges it", _BLOCK
    if "undefined alias" in problem:
        return problem, "define it above, as `key: &name value`, or correct the name after *"
    if "could not find expected ':'" in problem and "quoted" not in str(error.context):
        return "a key without ': '", _KEY
    return _unclosed(error) or (problem, "correct this line")


def _unclosed(error: yaml.MarkedYAMLError) -> tuple[str, str] | None:
    """What was opened on a line above, or None."""
    context = error.context or ""
    opened = error.context_mark.line + 1 if error.context_mark else "above"
    if "single document" in context:
        return "a second document begins", "remove the line `---`: one file is one run"
    if "quoted scalar" in context:
        return f"a quote opened in line {opened} is not closed", "close it"
    if "flow" in context:
        kind = "brace" if "mapping" in context else "bracket"
        return f"a {kind} opened in line {opened} is not closed, or a comma is missing", "close it"
    return None


def _indent(row: str, above: Sequence[str]) -> str:
    """The indents that would fit: those of the blocks that are open above the line."""
    mine = len(row) - len(row.lstrip())
    open_at: list[int] = []
    limit: int | None = None
    for line in reversed(above):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        width = len(line) - len(line.lstrip())
        if limit is None or width < limit:
            open_at.append(width)
            limit = width
    fitting = ", ".join(map(str, sorted(set(open_at)))) or "0"
    return f"it begins after {mine} blanks; give it as many as its neighbours have: {fitting}"
