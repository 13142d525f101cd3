"""The driver's own software: Snakemake, its executor plugin, the locked environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from vlprm.preflight.finding import Finding, failure, named, ok, warning
from vlprm.preflight.machine import EXECUTORS, Machine

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s\\;]+)(\s*;)?")
_BUILT_IN = ("local", "dryrun", "touch")
_EXTENDS = {"vlprm-cluster": "cluster-generic"}
_RENEW = "`make demo` renews .venv from envs/cpu.lock"


def pinned(lock: Path) -> dict[str, str]:
    """A lock's packages -> versions, without pins that hold only on some platforms."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = _PIN.match(line)
        if match and not match[3]:
            found[match[1].lower()] = match[2]
    return found


def installed(name: str) -> str | None:
    """The installed version without its local part (``2.13.0+cpu`` -> ``2.13.0``)."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def check_snakemake(machine: Machine) -> Iterator[Finding]:
    """Snakemake in the version that the workflow was tested with."""
    version = installed("snakemake")
    tested = pinned(machine.checkout / "envs" / "cpu.lock").get("snakemake")
    if version is None:
        yield failure("Snakemake", "not installed", _RENEW)
    elif int(version.split(".")[0]) < 9:
        yield failure("Snakemake", f"{version}, the workflow needs 9", _RENEW)
    elif tested is not None and version != tested:
        yield warning("Snakemake", f"{version}, tested with {tested}", _RENEW)
    else:
        yield ok("Snakemake", version)


def check_executor(machine: Machine) -> Iterator[Finding]:
    """The plugin that the profile's executor needs."""
    name = machine.executor
    needed = _EXTENDS.get(name, name)
    module = f"snakemake_executor_plugin_{needed.replace('-', '_')}"
    if name in _BUILT_IN:
        yield ok("executor", name)
    elif importlib.util.find_spec(module) is None:
        yield failure(
            "executor",
            f"the plugin snakemake-executor-plugin-{needed} is not installed",
            f"python -m pip install snakemake-executor-plugin-{needed} (pinned in envs/cluster.in)"
            if needed in EXECUTORS
            else f"python -m pip install snakemake-executor-plugin-{needed}",
        )
    else:
        yield ok("executor", f"{name} {installed(module.replace('_', '-')) or ''}".rstrip())


def check_lock(machine: Machine) -> Iterator[Finding]:
    """Compare what is installed with envs/cpu.lock."""
    wanted = pinned(machine.checkout / "envs" / "cpu.lock")
    wanted |= pinned(machine.checkout / "envs" / "torch-cpu.txt")
    have = {name: installed(name) for name in wanted}
    absent = sorted(name for name, version in have.items() if version is None)
    other = sorted(
        f"{name} {have[name]} (locked {version})"
        for name, version in wanted.items()
        if have[name] not in (None, version)
    )
    if absent and not machine.containers:
        yield failure("environment", f"not installed: {named(absent)}", _RENEW)
    elif absent or other:
        yield warning(
            "environment",
            "differs from envs/cpu.lock, so results may differ from ours: "
            + named([*other, *(f"{name} absent" for name in absent)]),
            _RENEW,
        )
    else:
        yield ok("environment", f"{len(wanted)} packages as locked")
