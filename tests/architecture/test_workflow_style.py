"""The workflow's own linter, and the parts every rule must have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, project_files
from vlprm.stages import VERSIONS

RULES = [path for path in project_files() if path.suffix == ".smk"]


def blocks() -> list[tuple[str, str]]:
    """``(file:rule, text)`` of every rule in rules/."""
    found = []
    for path in RULES:
        text = (ROOT / path).read_text(encoding="utf-8")
        for match in re.finditer(r"(?ms)^rule (\w+):\n(.*?)(?=^\S|\Z)", text):
            found.append((f"{path.name}:{match[1]}", match[2]))
    return found


@pytest.mark.parametrize("configfile", ["configs/mini.yaml", "config.yaml"])
def test_snakemake_lint_is_clean(configfile: str) -> None:
    snakemake = Path(sys.executable).with_name("snakemake")
    done = subprocess.run(
        [str(snakemake), "--lint", "--configfile", configfile],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "text"), blocks(), ids=[name for name, _ in blocks()])
def test_rule_is_complete(name: str, text: str) -> None:
    """Named outputs, a log, an image, its own config slice and stage version, one command."""
    for part in ("output", "params", "log", "container", "resources", "shell"):
        assert re.search(rf"(?m)^    {part}:", text), f"{name} has no {part}"
    assert "version=VERSIONS[" in text, f"{name}: its stage's version belongs to its params"
    assert "config=" in text, f"{name}: its slice of the config belongs to its params"
    assert text.count("python -m vlprm.cli") == 1, f"{name}: one command a rule"


def test_every_version_belongs_to_a_rule() -> None:
    used = set(re.findall(r'VERSIONS\["(\w+)"\]', "".join(text for _, text in blocks())))
    assert used == set(VERSIONS)


def test_only_fetching_looks_for_a_network() -> None:
    common = (ROOT / "rules" / "common.smk").read_text(encoding="utf-8")
    assert re.search(r'shell\.prefix\(f".*HF_HUB_OFFLINE=1', common)
    lifting = {name.split(":")[1] for name, text in blocks() if "HF_HUB_OFFLINE=0" in text}
    assert lifting == {"fetch_data", "fetch_model"}
