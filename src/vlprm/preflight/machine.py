"""How a run's jobs are started: what its Snakemake profile says, or Snakemake's defaults."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vlprm.errors import UserError

_QUEUE_KEYS = ("queue", "pbs_queue", "partition", "slurm_partition")
_OURS = "vlprm-cluster-"
COMMANDS = ("submit", "status", "cancel", "sidecar")
EXECUTORS = ("vlprm-cluster", "cluster-generic")
"""Executors that are given commands: ours, and the one that it extends."""


@dataclass(frozen=True)
class Machine:
    """The run's surroundings, as far as checks need them."""

    checkout: Path
    """The folder of the Snakefile: rules, locks, the table of containers."""
    workdir: Path
    """The folder that gets results/, resources/, logs/ and .snakemake/."""
    executor: str = "local"
    submit: str = ""
    """The submit command of a generic cluster executor."""
    commands: tuple[str, ...] = ()
    """Programs that such an executor calls."""
    queues: tuple[str, ...] = ()
    """Queues or partitions that the profile names."""
    gpu_resources: tuple[str, ...] = ()
    """What the profile calls GPUs, where it does not use the scheduler's usual name."""
    runtime_max: Mapping[str, int] = field(default_factory=dict)
    """Minutes that the profile allows each rule's jobs; the empty name stands for all rules."""
    containers: bool = False
    container_folder: Path = field(default=Path(".snakemake/singularity"))

    @property
    def scheduler(self) -> str | None:
        """``pbs`` or ``slurm``; None where jobs run on this machine or nothing shows it."""
        words = f"{self.executor} {self.submit}"
        if self.executor == "local":
            return None
        if "slurm" in words or "sbatch" in words:
            return "slurm"
        if _OURS in words:  # speaks to either, qsub first
            asked = os.environ.get("VLPRM_DIALECT")
            only_slurm = shutil.which("qsub") is None and shutil.which("sbatch") is not None
            return "slurm" if asked == "slurm" or (only_slurm and not asked) else "pbs"
        return "pbs" if "pbs" in words or "qsub" in words else None


def read_profile(names: Sequence[str]) -> tuple[dict[str, Any], list[Path]]:
    """Settings of one or more profiles, later ones over earlier ones, and their files.

    Raises UserError when one does not exist or is not YAML.
    """
    settings: dict[str, Any] = {}
    files = []
    for name in names:
        file = _profile_file(name)
        try:
            settings |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError, TypeError) as error:
            raise UserError(
                f"not a readable profile ({' '.join(str(error).split())})",
                where=str(file),
                cure="correct the file; profiles/mini is an example",
            ) from error
        for key in (f"{name}-{word}-cmd" for name in EXECUTORS for word in COMMANDS):
            beside = file.parent / str(settings.get(key))
            if beside.is_file():  # Snakemake looks beside the profile first, too
                settings[key] = str(beside)
        files.append(file)
    return settings, files


def _profile_file(name: str) -> Path:
    try:
        from snakemake.cli import get_profile_dir
    except ImportError:
        found = (Path(name), Path(name, "config.yaml"))
    else:
        found = get_profile_dir(name)
    if found is None or not found[1].is_file():
        there = sorted(path.parent.name for path in Path("profiles").glob("*/config*.yaml"))
        raise UserError(
            "no such profile",
            where=name,
            cure="name its folder"
            + (f"; here: {', '.join(f'profiles/{item}' for item in there)}" if there else ""),
        )
    return found[1]


def from_profile(settings: Mapping[str, Any], checkout: Path, workdir: Path) -> Machine:
    """What a profile's settings say (keys of ``snakemake --help``)."""
    methods = settings.get("software-deployment-method") or settings.get("sdm") or []
    methods = methods.split() if isinstance(methods, str) else list(methods)
    containers = any(name in methods for name in ("apptainer", "singularity"))
    prefix = settings.get("apptainer-prefix") or settings.get("singularity-prefix")
    return Machine(
        checkout=checkout,
        workdir=workdir,
        executor=str(settings.get("executor") or "local"),
        submit=_command(settings, "submit"),
        commands=tuple(dict.fromkeys(_programs(settings))),
        queues=tuple(dict.fromkeys(_words(settings, _QUEUE_KEYS, "VLPRM_QUEUE"))),
        gpu_resources=tuple(
            dict.fromkeys(_words(settings, ("gpu_resource",), "VLPRM_GPU_RESOURCE"))
        ),
        runtime_max=dict(_runtime_max(settings)),
        containers=containers or bool(settings.get("use-apptainer")),
        container_folder=container_folder(prefix, workdir),
    )


def container_folder(prefix: str | Path | None, workdir: Path) -> Path:
    """Where Snakemake keeps container images: its own rule for prefix, environment and default."""
    prefix = prefix or os.environ.get("APPTAINER_CACHEDIR")
    if prefix is None:
        return workdir / ".snakemake" / "singularity"
    return workdir / Path(os.path.expandvars(prefix)).expanduser()


def _programs(settings: Mapping[str, Any]) -> Iterator[str]:
    """The program of a plain command; in a line of shell, the programs of this package."""
    for key in COMMANDS:
        command = _command(settings, key)
        if re.search(r"[;&|$`'\"]", command):
            yield from re.findall(rf"\b{_OURS}[\w-]+", command)
        else:
            yield from command.split()[:1]


def _command(settings: Mapping[str, Any], word: str) -> str:
    found = (settings.get(f"{name}-{word}-cmd") for name in EXECUTORS)
    return str(next(filter(None, found), ""))


def _words(settings: Mapping[str, Any], keys: Sequence[str], variable: str) -> Iterator[str]:
    """Words of default-resources and set-resources; an expression has no value beforehand."""
    if settings.get("executor") not in (None, "local") and (named := os.environ.get(variable)):
        yield named
    tables = [settings.get("default-resources"), *_by_rule(settings.get("set-resources"))]
    for table in tables:
        for key, value in _pairs(table):
            if key in keys and (name := _literal(value)):
                yield name


def _runtime_max(settings: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Rule (empty: all) and minutes, where the profile gives a plain number."""
    tables = [("", settings.get("default-resources"))]
    own = settings.get("set-resources")
    if isinstance(own, Mapping):
        tables += [(str(rule), table) for rule, table in own.items()]
    for rule, table in tables:
        for key, value in _pairs(table):
            if key.strip() == "runtime_max" and value.strip().isdigit():
                yield rule, int(value)


def _by_rule(table: object) -> list[object]:
    if isinstance(table, Mapping):
        return list(table.values())
    # the command line's form: rule:key=value
    return [[str(item).partition(":")[2] for item in table]] if isinstance(table, list) else []


def _pairs(table: object) -> list[tuple[str, str]]:
    if isinstance(table, Mapping):
        return [(str(key), str(value)) for key, value in table.items()]
    items = table if isinstance(table, list) else []
    return [(key, value) for key, _, value in (str(item).partition("=") for item in items)]


def _literal(value: str) -> str | None:
    """The queue's name: a bare word or a quoted one; None for an expression or nothing."""
    text = value.strip()
    if text.replace("-", "_").replace(".", "_").isidentifier():
        return None if text == "None" else text
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return found if isinstance(found, str) and found else None
