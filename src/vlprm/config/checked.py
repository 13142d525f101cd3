"""Checking a configuration as a whole, before the first job: everything wrong is told at once.

``load_config`` is the one way from a file's content to a :class:`Config`, for the workflow and for
every command.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlprm.config import across, across_labels, paid
from vlprm.config.named import Known
from vlprm.config.reader import ConfigFile, Loc, Problem
from vlprm.config.run import Config
from vlprm.errors import UserError

_Error = dict[str, Any]
"""One of pydantic's: type, loc, msg, input, ctx."""
_CURE = "correct this key"
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class ConfigError(UserError):
    """A configuration with mistakes: all of them, each with its key, cure and line."""

    def __init__(self, problems: Sequence[Problem], file: ConfigFile) -> None:
        self.problems, self.file = tuple(problems), file
        lines = [f"  {item.says(file.name)}\n      -> {item.cure}" for item in problems]
        super().__init__(
            f"{len(lines)} wrong in the configuration\n" + "\n".join(lines), where=file.name
        )


def load_config(
    data: Mapping[str, Any] | ConfigFile, where: str = "", folder: Path | None = None
) -> Config:
    """Check a configuration; ``where`` names its file, unless it is given as read.

    ``folder`` is the run's: files of the checkout that the configuration names are looked for
    there (data and weights, which may still come, are ``preflight``'s). Raises ConfigError that
    lists every wrong key with its path and line and, for a misspelt one, the key that was
    probably meant.
    """
    file = data if isinstance(data, ConfigFile) else ConfigFile(where, dict(data))
    known = Known(across.names(file.data), folder)
    config, errors = _validated(file.data, known)
    if numbers := list(_numbers(errors)):
        content: Any = file.data
        for loc, number in numbers:
            content = _replaced(content, _real(loc, file.data), number)
        config, errors = _validated(content, known)
    found = list(_explained(errors, file))
    crossed = (across, across_labels, paid)
    for loc, what, cure in chain.from_iterable(item.problems(file.data) for item in crossed):
        found.append((loc, Problem(_path(loc), what, cure, file.line(loc))))
    again = tuple(item.key + "." for item in file.twice)  # only one of the two was looked at
    problems = [*file.twice, *(item for item in _once(found) if not item.key.startswith(again))]
    if problems or config is None:
        raise ConfigError(problems, file)
    return config


def _tuples(value: Any) -> Any:
    """Lists as the tuples that strict validation asks for."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value


def _validated(data: Any, known: Known) -> tuple[Config | None, list[_Error]]:
    try:
        return Config.model_validate(_tuples(data), strict=True, context=known), []
    except ValidationError as error:
        return None, [dict(item) for item in error.errors()]


def _numbers(errors: Sequence[_Error]) -> Iterator[tuple[Loc, float]]:
    """Texts like ``1e-5`` that are meant as a number: YAML 1.1 asks for ``1.0e-5``."""
    for item in errors:
        if item["type"] == "float_type" and _EXPONENT.fullmatch(str(item["input"])):
            yield item["loc"], float(item["input"])


def _replaced(data: Any, loc: Loc, value: object) -> Any:
    if not loc:
        return value
    if isinstance(data, Mapping):
        return {**data, loc[0]: _replaced(data[str(loc[0])], loc[1:], value)}
    items = list(data)
    items[int(loc[0])] = _replaced(items[int(loc[0])], loc[1:], value)
    return items


def _real(loc: Loc, data: Any) -> Loc:
    """A place without pydantic's own steps: the kind of a union, ``[key]``."""
    found: list[str | int] = []
    for number, step in enumerate(loc):
        mine = isinstance(data, Mapping) and step in data
        # a pair that is too short is told by the item that it lacks
        mine = mine or (
            isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)
        )
        if mine:
            data = data[step]
        if mine or (number == len(loc) - 1 and isinstance(data, Mapping) and step != "[key]"):
            found.append(step)
    return tuple(found)


def _path(loc: Loc) -> str:
    """``evaluation.prms`` for the first of its items, too: the message says which."""
    return ".".join(str(step) for step in loc if isinstance(step, str))


def _explained(errors: Sequence[_Error], file: ConfigFile) -> Iterator[tuple[Loc, Problem]]:
    for item in errors:
        loc = _real(item["loc"], file.data)
        others = [other for other in errors if other["loc"][: len(loc)] == loc]
        no_truth = item["type"] == "bool_type" and isinstance(item["input"], Mapping | tuple)
        if no_truth and len(others) > 1:
            continue  # `true, or a list`: a list was meant, and its own mistake is told
        what, cure = _foreign_key(item, loc, file.data) or _message(item)
        if item["type"].startswith("union_tag_"):  # the block's kind decides what its keys are
            kind = str(item.get("ctx", {}).get("discriminator", "kind")).strip("'")
            yield from _misspelt(loc, kind, item["input"], file)
            loc = (*loc, kind)
        yield loc, Problem(_path(loc), what, cure, file.line(loc))


def _misspelt(
    loc: Loc, wanted: str, block: object, file: ConfigFile
) -> Iterator[tuple[Loc, Problem]]:
    keys = [str(key) for key in block] if isinstance(block, Mapping) else []
    for key in () if wanted in keys else difflib.get_close_matches(wanted, keys, 1, 0.6):
        here = (*loc, key)
        what, cure = _unknown_key(wanted)
        yield here, Problem(_path(here), what, cure, file.line(here))


def _foreign_key(item: _Error, loc: Loc, data: Any) -> tuple[str, str] | None:
    """Of a key that is spelt right and stands in a block that takes none of its name."""
    if item["type"] != "extra_forbidden" or str(loc[-1]) not in _all_keys():
        return None
    block = data
    for step in loc[:-1]:
        block = block[step]
    kind = item["loc"][-2:-1]  # of a union's member; else the block's own key, which is no value
    chosen = [f"{key}: {value}" for key, value in block.items() if (value,) == kind]
    block_is = f"`{chosen[0]}`" if chosen else "this block"
    return f"unknown key: {block_is} takes no {loc[-1]}", "remove it"


def _message(item: _Error) -> tuple[str, str]:
    kind, given = item["type"], item["input"]
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(item["loc"][-1]), _all_keys(), n=1, cutoff=0.6)
        return _unknown_key(*close)
    if kind == "union_tag_invalid":
        return f"{item['ctx']['tag']!r} is not one of {item['ctx']['expected_tags']}", _CURE
    if kind in ("missing", "union_tag_not_found"):
        return "missing", "add the key; configs/mini.yaml and config.yaml have every one"
    if kind == "value_error":
        # our own checks say `what; cure`
        what, _, cure = str(item["msg"]).removeprefix("Value error, ").rpartition("; ")
        return (what, cure) if what else (cure, _CURE)
    if kind == "string_pattern_mismatch" and item["loc"][-1] == "[key]":
        return f"{given!r} is no name", "letters, digits and . _ -, a letter or digit first"
    if kind == "tuple_type":
        return f"Input should be a list, not {_short(given)}", "write [a, b]"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"Input should be a block of keys, not {_short(given)}", "write `key: value` lines"
    return f"{item['msg']}, not {_short(given)}", _CURE


def _unknown_key(*meant: str) -> tuple[str, str]:
    hint = f"; did you mean {meant[0]!r}?" if meant else ""
    return f"unknown key{hint}", "correct the key, or remove it"


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return "a block of keys"
    text = "null" if value is None else repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _once(found: Sequence[tuple[Loc, Problem]]) -> Iterator[Problem]:
    """In the order of the file: one a place and line; what a block's reuse repeats is told once."""
    by_place: dict[tuple[object, ...], list[Problem]] = {}
    for loc, problem in found:
        # without a line every place is its own
        place = loc if problem.line is None else (problem.line, loc[-1:], problem.what)
        by_place.setdefault(place, []).append(problem)
    merged: dict[tuple[object, ...], Problem] = {}
    for problems in by_place.values():
        first, more = problems[0], {item.key for item in problems} - {problems[0].key}
        key = f"{first.key} (and {len(more)} more from this line)" if more else first.key
        what = " or ".join(dict.fromkeys(item.what for item in problems))
        same = (key, first.line)
        if same in merged and merged[same].what != what:  # members of a union, each with its say
            what = f"{merged[same].what} or {what}"
        merged[same] = Problem(key, what, first.cure, first.line)
    yield from sorted(merged.values(), key=lambda item: item.line or 0)


@cache
def _all_keys() -> list[str]:
    """Every key of the schema: enough to guess what a misspelt key meant."""
    schema = Config.model_json_schema()
    blocks = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for block in blocks for key in block.get("properties", {})})
