"""The workflow's own linter, and the parts every rule must have."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.architecture.tree import ROOT, project_files
from vlprm.cli import app
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


def test_rules_that_run_models_book_cores_and_are_benchmarked() -> None:
    for name, text in blocks():
        if "{resources.placement}" in text:
            assert re.search(r"(?m)^    threads: cores\(PLACED_\w+\)$", text), name
            assert re.search(r"(?m)^    benchmark:\n        f\"\{LOGS\}/", text), name


def test_resources_come_from_one_place() -> None:
    for name, text in blocks():
        resources = re.search(r"(?ms)^    resources:\n(.*?)(?=^    \S)", text)
        assert resources is not None
        assert f'**booked("{name.split(":")[1]}"' in resources[1], name
        assert not re.search(r"(?m)^ *(mem_mb|runtime|gpu)=", resources[1]), name
    for profile in ROOT.glob("profiles/*/config.yaml"):
        text = profile.read_text(encoding="utf-8")
        assert not re.search(r"\b(mem_mb|runtime|threads)\b", text), profile


def command_line(text: str) -> list[str]:
    """The words behind ``vlprm.cli`` of a rule's command; whatever is filled in becomes ``1``."""
    shell = text.split("    shell:\n", 1)[1]
    line = "".join(ast.literal_eval(f"({shell.strip()})"))
    words = shlex.split(re.sub(r"\{[^}]*\}", "1", line.split("-m vlprm.cli ", 1)[1]))
    return words[: words.index(">")]


@pytest.mark.parametrize(("name", "text"), blocks(), ids=[name for name, _ in blocks()])
def test_the_command_line_takes_what_a_rule_says(name: str, text: str) -> None:
    """Its options exist, and those that must be given are."""
    application = typer.main.get_command(app)
    words = command_line(text)
    with application.make_context("vlprm", list(words)) as context:
        command, found, arguments = application.resolve_command(context, words)
        found.make_context(command, arguments, parent=context)  # exits where it does not


def test_every_version_belongs_to_a_rule() -> None:
    used = set(re.findall(r'VERSIONS\["(\w+)"\]', "".join(text for _, text in blocks())))
    assert used == set(VERSIONS)


def test_only_fetching_looks_for_a_network() -> None:
    common = (ROOT / "rules" / "common.smk").read_text(encoding="utf-8")
    assert re.search(r'shell\.prefix\(f".*HF_HUB_OFFLINE=1', common)
    lifting = {name.split(":")[1] for name, text in blocks() if "HF_HUB_OFFLINE=0" in text}
    assert lifting == {"fetch_data", "fetch_model"}
