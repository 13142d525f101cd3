"""Plans, folders and commands that the checks look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workflow.runs import ROOT, nano
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.preflight.machine import Machine, from_profile


def plan_of(config: dict[str, Any] | None = None) -> Plan:
    return Plan(load_config(config or nano(), "test"))


def machine_of(workdir: Path, **settings: object) -> Machine:
    keys = {key.replace("_", "-"): value for key, value in settings.items()}
    return from_profile(keys, ROOT, workdir)


def command(folder: Path, name: str, printed: str = "", error: str = "", status: int = 0) -> None:
    """A command that prints what a real one printed."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(
        f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\ncat >&2 <<'END'\n{error}\nEND\nexit {status}\n"
    )
    file.chmod(0o755)


def only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """A PATH with the shell's own commands and one more folder."""
    folder.mkdir(exist_ok=True)
    for name in ("bash", "sh", "cat"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return folder
