"""Files and functions stay small enough to read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, parsed, project_files, python_files

FILE_LINES, FUNCTION_LINES, SNAKEFILE_LINES = 300, 80, 80
CODE = python_files("src", "tests", "bench")


@pytest.mark.parametrize("path", CODE, ids=str)
def test_python_file_and_its_functions(path: Path) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
    assert lines <= FILE_LINES, f"{path} has {lines} lines: split it by what it knows"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{path}:{node.lineno} {node.name}: {length} lines"


def test_workflow_files() -> None:
    rules = [path for path in project_files() if path.suffix == ".smk"]
    assert rules, "no rules found"
    for path in [Path("Snakefile"), *rules]:
        limit = SNAKEFILE_LINES if path.name == "Snakefile" else FILE_LINES
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        assert lines <= limit, f"{path} has {lines} lines"
