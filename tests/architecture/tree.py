"""The checkout as the architecture tests see it: tracked files, parsed modules, requirements."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "vlprm"
TEXT_SUFFIXES = (
    *(".py", ".md", ".toml", ".yaml", ".yml", ".smk", ".txt", ".in", ".lock", ".sh", ".cff"),
    *(".csv", ".json", ".rst"),
)


@cache
def project_files() -> tuple[Path, ...]:
    """Files git tracks or would track, relative to the root; those that exist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = sorted(filter(None, listed.decode().split("\0")))
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def project_texts() -> list[Path]:
    """Project files that hold text, hooks and files without suffix (Makefile) included."""
    return [
        path
        for path in project_files()
        if path.suffix in TEXT_SUFFIXES or (not path.suffix and path.name[0].isupper())
    ] + [path for path in project_files() if path.parts[0] == ".ci"]


def python_files(*folders: str) -> list[Path]:
    """Tracked Python files under the given top-level folders."""
    return [path for path in project_files() if path.suffix == ".py" and path.parts[0] in folders]


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a project file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def imported_roots(path: Path) -> set[str]:
    """Top-level names of everything a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def pins(name: str) -> dict[str, str]:
    """Exact pins of ``envs/<name>``: normalised project name to version."""
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {normalised(project): version for project, version in found}


def normalised(project: str) -> str:
    """A project's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", project).lower()
