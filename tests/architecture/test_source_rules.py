"""Rules for every module of the package that no linter states."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, imported_roots, parsed, python_files

SOURCES = python_files("src")
UNIT = ROOT / "tests" / "unit"
FORBIDDEN_CALLS = frozenset({"print", "eval", "exec", "compile", "__import__"})
FORBIDDEN_IMPORTS = frozenset({"pickle", "dill", "cloudpickle", "shelve", "marshal"})


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_module(path: Path) -> None:
    tree = parsed(path)
    text = (ROOT / path).read_text(encoding="utf-8").strip()
    assert not text or ast.get_docstring(tree), f"{path}: a module says what it is for"
    assert not imported_roots(path) & FORBIDDEN_IMPORTS
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            where = f"{path}:{node.lineno}"
            called = node.func.id if isinstance(node.func, ast.Name) else None
            assert called not in FORBIDDEN_CALLS, f"{where} calls {called}"
            for keyword in node.keywords:
                assert keyword.arg != "trust_remote_code", f"{where}: no code from checkpoints"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_public_names_are_documented(path: Path) -> None:
    for node in parsed(path).body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
        assert not public or ast.get_docstring(node), f"{path}:{node.lineno} {node.name}"


def test_unit_tests_mirror_the_package() -> None:
    """A test is found where its module is: tests/unit/prm/test_resize.py for prm/resize.py."""
    for test in sorted(UNIT.rglob("test_*.py")):
        folder = PACKAGE / test.parent.relative_to(UNIT)
        assert folder.is_dir(), f"{test.relative_to(ROOT)}: the package has no such folder"
        stems = {path.stem for path in folder.glob("*.py")} | {folder.name}
        stems |= {path.name for path in folder.iterdir() if path.is_dir()}
        named = test.stem.removeprefix("test_")
        assert any(named == stem or named.startswith(f"{stem}_") for stem in stems), (
            f"{test.relative_to(ROOT)}: name it after a module of src/vlprm/{folder.name}"
        )


def test_every_package_has_unit_tests() -> None:
    # stages are thin and run for real in tests/workflow
    packages = {path.parent for path in PACKAGE.glob("*/__init__.py")} - {PACKAGE / "stages"}
    bare = [p.name for p in packages if not list((UNIT / p.name).rglob("test_*.py"))]
    assert not bare, f"no unit tests for {sorted(bare)}"
