"""The code version of a stage: a digest of the files of the package that its module reaches.

Reached means imported, directly or through others, at the top of a module or inside a function
(engines are imported when they are needed; where a registry imports by name, its whole folder
counts). So a change to a table's layout does not change the code version of the rollouts. Data
files (prompts, tables of figures) count with their folder.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_VERSIONS = PACKAGE / "stages" / "__init__.py"
"""Every stage's version number: recorded by itself, so that one raised leaves the others alone."""


@cache
def code_sha256(stage: str) -> str:
    """Digest of every file that ``vlprm.stages.<stage>`` reaches, by path and content."""
    digest = hashlib.sha256()
    for path in files_of(f"vlprm.stages.{stage}"):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files_of(module: str) -> list[Path]:
    """The files that ``module`` reaches inside the package, itself included, sorted."""
    found: set[Path] = set()
    waiting = [_file(module)]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found and path != _VERSIONS:
            found.add(path)
            waiting += map(_file, _imported(path))
    folders = {path.parent for path in found}
    data = {
        path
        for folder in folders
        for path in folder.iterdir()
        if path.is_file() and path.suffix in {".txt", ".csv", ".json"}
    }
    return sorted(found | data)


def _file(module: str) -> Path | None:
    """The file of a dotted name; None for a name inside a module, and outside the package."""
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return None
    place = PACKAGE.joinpath(*parts[1:])
    if (place / "__init__.py").is_file():
        return place / "__init__.py"
    plain = place.with_suffix(".py")
    return plain if plain.is_file() else None


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    folder = (PACKAGE.name, *path.parent.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Name) and node.id == "import_module":
            names |= {".".join((*folder, other.stem)) for other in path.parent.glob("*.py")}
    parts = [name.split(".") for name in names]
    # importing a.b.c runs a and a.b too
    return {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
