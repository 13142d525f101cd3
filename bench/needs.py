"""What a measurement needs before it starts: its environment, packages, Debian's programs.

    python bench/needs.py environment NAME    prints cpu or test: what `make bench` installs
    python bench/needs.py check NAME          says what is missing, and how it comes here

Imports are read from the source. A bench states in ``PROGRAMS`` which programs it calls, in
``STARTS`` which packages are imported by what it starts. Runs on any Python, before there is an
environment.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
PACKAGES = {
    "slurmctld": "slurm-wlm",
    "qsub": "slurm-wlm-torque",
    "munged": "munge",
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "zstd": "zstd",
    "git": "git",
}
"""Debian's package of each program. Debian 12 has no apptainer: see ``ELSEWHERE``."""
ELSEWHERE = {"apptainer": "containers/apptainer_on_bookworm.sh installs apptainer on Debian 12"}
IN_NEITHER = {"vllm": "vLLM is in the gpu image alone (containers/build install gpu)"}
"""Modules that no environment of `make` holds, and where they are."""


def environment(name: str) -> str:
    """``test`` for a bench that imports what only the tests' environment holds, else ``cpu``."""
    listed = (ROOT / "envs" / "test.in").read_text(encoding="utf-8").splitlines()
    named = [re.match(r"[\w-]+", line) for line in listed if not line.startswith(("#", "-"))]
    only_tests = {match[0].replace("-", "_") for match in named if match} | {"tests"}
    return "test" if only_tests & imported(name) else "cpu"


def imported(name: str) -> set[str]:
    """Top-level modules that a bench needs: its own imports, those its parts begin with."""
    found: set[str] = set(_stated(name, "STARTS"))
    todo, seen = [name], set()
    while todo:
        part = todo.pop()
        seen.add(part)
        tree = _tree(part)
        nodes = ast.walk(tree) if part == name else iter(tree.body)
        for module in _modules(nodes):
            if (BENCH / f"{module}.py").is_file():
                todo += [module] if module not in seen else []
            else:
                found.add(module)
    return found - set(sys.stdlib_module_names)


def missing(name: str) -> list[str]:
    """What is not here, one line each: what and where it comes from."""
    absent = [
        module
        for module in sorted(imported(name) - {"tests"})
        if importlib.util.find_spec(module) is None
    ]
    lines = [
        f"no module {module}: {IN_NEITHER.get(module, 'run make bench, which installs it')}"
        for module in absent
    ]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # daemons, for users who are not root
    programs = [item for item in _stated(name, "PROGRAMS") if shutil.which(item, path=path) is None]
    lines += [f"no program {item}: {ELSEWHERE[item]}" for item in programs if item in ELSEWHERE]
    packages = [PACKAGES[item] for item in programs if item in PACKAGES]
    if packages:
        named = ", ".join(item for item in programs if item in PACKAGES)
        lines.append(f"no program {named}: apt-get install {' '.join(packages)}")
    return lines


def _tree(name: str) -> ast.Module:
    return ast.parse((BENCH / f"{name}.py").read_text(encoding="utf-8"))


def _modules(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (item.name.partition(".")[0] for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _stated(name: str, constant: str) -> tuple[str, ...]:
    for node in _tree(name).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
            return tuple(ast.literal_eval(node.value))
    return ()


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in ("environment", "check"):
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[2]
    if sys.argv[1] == "environment":
        print(environment(name))
        return 0
    lines = missing(name)
    for line in lines:
        print(f"{name}: {line}", file=sys.stderr)
    return 2 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
