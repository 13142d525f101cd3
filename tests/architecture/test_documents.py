"""README, docs/ and metadata say what is there, and only that."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import typer
import typer.core
import typer.main
import yaml
from pydantic import BaseModel

import vlprm
from tests.architecture.tree import PACKAGE, ROOT, project_files
from vlprm import provenance, records
from vlprm.config.run import Config

WORDS, WIDTH = 1400, 120
"""The README is a map: at most so many words. Lines of README and docs/ are shorter than WIDTH."""
DOCUMENTS = [Path("README.md"), *(p for p in project_files() if p.match("docs/*.md"))]
TOP_LEVEL = sorted({path.parts[0] for path in project_files()})
MODULES = sorted(
    path.name if path.is_dir() else path.stem
    for path in PACKAGE.iterdir()
    if (path.is_dir() and (path / "__init__.py").exists())
    or (path.suffix == ".py" and path.stem != "__init__")
)
NO_KEY = (".csv", ".json", ".md", ".py", ".smk", ".yaml")
"""Ends of file names, which a configuration key never has."""
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


@cache
def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", text_of(path))


def quoted(path: Path) -> list[str]:
    """What a document's prose holds in backticks."""
    return re.findall(r"`([^`\n]+)`", prose(path))


README = text_of(Path("README.md"))
LAYOUT = text_of(Path("docs/layout.md"))
EVERYTHING = "\n".join(map(text_of, DOCUMENTS))


def test_readme_is_a_map() -> None:
    assert len(README.split()) <= WORDS


@documents
def test_lines_are_short(document: Path) -> None:
    lines = text_of(document).splitlines()
    long = [number for number, line in enumerate(lines, 1) if len(line) >= WIDTH]
    assert not long, f"{document}: lines {long} have {WIDTH} characters or more"


@documents
def test_links_resolve(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?:", link):
            continue
        name, _, heading = link.partition("#")
        target = (ROOT / document.parent / name).resolve() if name else ROOT / document
        assert target.exists(), f"{document} links to {link}"
        if heading:
            found = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            assert heading in {_anchor(title) for title in found}, f"{document} links to {link}"


def _anchor(title: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS[1:], ids=str)
def test_readme_links_to_every_document(document: Path) -> None:
    assert f"]({document.as_posix()})" in README


@documents
def test_paths_exist(document: Path) -> None:
    """Paths in backticks, from the root of the checkout or of the package."""
    for name in quoted(document):
        first = name.split("/")[0]
        if "/" not in name or re.search(r"[^\w./-]", name):
            continue
        if first in TOP_LEVEL:
            assert (ROOT / name).exists(), f"{document} names {name}"
        elif first in MODULES and name.endswith(".py"):
            assert (PACKAGE / name).exists(), f"{document} names {name}"


@documents
def test_configuration_keys_exist(document: Path) -> None:
    """``labels.rule`` and its like in backticks; ``*`` or any name stands for a table's entry."""
    for name in quoted(document):
        key = re.match(r"[\w.*<>-]+", name)
        parts = key[0].split(".") if key else []
        if key is None or len(parts) < 2 or parts[0] not in Config.model_fields:
            continue
        if name[key.end() :][:1] not in ("", ":") or key[0].endswith(NO_KEY):
            continue
        assert _has(Config, parts), f"{document} names the configuration key {key[0]}"


def _has(kind: Any, parts: list[str]) -> bool:
    """Does a value of this type, or of one in its union, have the key?"""
    if not parts:
        return True
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _has(inner[0], parts)
    if origin is dict:
        return _has(inner[1], parts[1:])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(parts[0])
        return field is not None and _has(field.annotation, parts[1:])
    return any(_has(item, parts) for item in inner if origin is not tuple)


def test_an_absent_key_is_told() -> None:
    assert _has(Config, ["training", "*", "epochs"])
    assert _has(Config, ["benchmarks", "mmmu", "data", "first"])
    assert not _has(Config, ["training", "*", "epoch"])
    assert not _has(Config, ["benchmarks", "*", "data", "colour"])
    assert not _has(Config, ["seed", "more"])


@documents
def test_commands_exist(document: Path) -> None:
    """Commands of the package, in prose and in fenced blocks."""
    for command in re.findall(r"(?m)(?:^|`|\$ )vlprm ([a-z][a-z-]*)", text_of(document)):
        assert command in _commands(), f"{document} names the command vlprm {command}"


@cache
def _commands() -> frozenset[str]:
    from vlprm.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return frozenset(group.list_commands(typer.Context(group)))


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_every_top_level_entry_is_mapped(name: str) -> None:
    for page in (README, LAYOUT):
        assert re.search(rf"(?m)^{re.escape(name)}/? +\S", page), name


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_mapped(name: str) -> None:
    assert re.search(rf"(?m)^ +{re.escape(name)}(/|\.py) ", LAYOUT), name


@pytest.mark.parametrize("page", [README, LAYOUT], ids=["README", "layout"])
def test_nothing_is_mapped_that_is_gone(page: str) -> None:
    tree = page.split("<!-- tree:begin -->")[1].split("<!-- tree:end -->")[0]
    folder: dict[int, str] = {-1: ""}
    for line in tree.splitlines():
        match = re.match(r"^( *)([\w./-]+) {2,}\S", line)
        if match is None:
            continue
        depth, name = len(match[1]) // 2, match[2]
        parent = folder[depth - 1]
        assert (ROOT / parent / name).exists(), f"the tree names {parent}{name}"
        if name.endswith("/"):
            folder[depth] = parent + name


def test_layout_lists_the_layers_of_the_import_contract() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contract = next(c for c in tool["importlinter"]["contracts"] if c["type"] == "layers")
    listed = [set(re.findall(r"`(\w+)`", line)) for line in re.findall(r"(?m)^\d+\. .*$", LAYOUT)]
    assert listed == [set(layer.split(" | ")) for layer in contract["layers"]]


def test_glossary_has_every_table_record() -> None:
    values = [*vars(records).values(), *vars(provenance).values()]
    kinds = [v for v in values if isinstance(v, type) and issubclass(v, records.Record)]
    parts = {"Record", "ImageRef", "FileRef", "Message", "Sampling", "Step"}
    glossary = text_of(Path("docs/glossary.md"))
    for name in sorted({kind.__name__ for kind in kinds} - parts):
        assert f"`{name}`" in glossary, f"docs/glossary.md lacks {name}"


def test_citations_of_upstream_are_explained() -> None:
    """``BON:235`` in a docstring or comment: docs/paper.md says which file that is."""
    sources = [ROOT / path for path in project_files() if path.parts[0] == "src"]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.suffix == ".py"]
    cited = set(re.findall(r"(?m)(?<![\w\"'/])([A-Z]{2,3}):\d+", "\n".join(texts)))
    explained = set(re.findall(r"(?m)^\| ([A-Z]{2,3}) \|", text_of(Path("docs/paper.md"))))
    assert cited <= explained, f"docs/paper.md does not explain {sorted(cited - explained)}"


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == vlprm.__version__
    assert re.search(r"(?m)^## ([\w.]+)", changelog)[1] == vlprm.__version__  # type: ignore[index]


def test_licence_is_the_one_declared() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence


def test_package_data_is_declared() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = metadata["tool"]["setuptools"]["package-data"]["vlprm"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    inside = [ROOT / p for p in project_files() if p.parts[:2] == ("src", "vlprm")]
    assert not [path for path in inside if path.suffix != ".py" and path not in shipped]


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().splitlines()[-1].startswith("make test")
    assert "make test" in README
    assert "make demo" in README


def test_make_help_lists_the_commands_of_the_documents() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  make (\w+)", shown.stdout, re.MULTILINE))
    named = set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", EVERYTHING))
    assert named <= listed, f"the documents name {sorted(named - listed)}"
    assert listed <= named | {"help"}, f"the documents lack {sorted(listed - named)}"
