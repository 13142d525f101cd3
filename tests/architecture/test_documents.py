"""README and metadata say what is there, and only that."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest
import yaml

import vlprm
from tests.architecture.tree import PACKAGE, ROOT, project_files
from vlprm import provenance, records

README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP_LEVEL = sorted({path.parts[0] for path in project_files()})
MODULES = sorted(
    path.name if path.is_dir() else path.stem
    for path in PACKAGE.iterdir()
    if (path.is_dir() and (path / "__init__.py").exists())
    or (path.suffix == ".py" and path.stem != "__init__")
)


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_readme_maps_every_top_level_entry(name: str) -> None:
    assert re.search(rf"(?m)^[│├└─ `|]*{re.escape(name)}/?[ `|]", README), name


@pytest.mark.parametrize("name", MODULES)
def test_readme_maps_every_module(name: str) -> None:
    assert re.search(rf"(?m)^ +{re.escape(name)}(/|\.py) ", README), name


def test_readme_maps_nothing_that_is_gone() -> None:
    tree = README.split("<!-- tree:begin -->")[1].split("<!-- tree:end -->")[0]
    folder: dict[int, str] = {-1: ""}
    for line in tree.splitlines():
        match = re.match(r"^( *)([\w./-]+) {2,}\S", line)
        if match is None:
            continue
        depth, name = len(match[1]) // 2, match[2]
        parent = folder[depth - 1]
        assert (ROOT / parent / name).exists(), f"the README's tree names {parent}{name}"
        if name.endswith("/"):
            folder[depth] = parent + name


def test_glossary_has_every_table_record() -> None:
    values = [*vars(records).values(), *vars(provenance).values()]
    kinds = [v for v in values if isinstance(v, type) and issubclass(v, records.Record)]
    parts = {"Record", "ImageRef", "FileRef", "Message", "Sampling", "Step"}
    for name in sorted({kind.__name__ for kind in kinds} - parts):
        assert f"`{name}`" in README, f"the README's glossary lacks {name}"


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


def test_make_help_lists_the_commands_of_the_readme() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  make (\w+)", shown.stdout, re.MULTILINE))
    named = set(re.findall(r"`make (\w+)", README))
    assert named <= listed, f"the README names {sorted(named - listed)}"
    assert listed <= named | {"help"}, f"the README lacks {sorted(listed - named)}"
