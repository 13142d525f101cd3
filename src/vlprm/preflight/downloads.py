"""What a run fetches: models, data sets and containers, with sizes, and what is there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlprm.config.containers import load_containers
from vlprm.config.data import MatrixData
from vlprm.config.files import named_files
from vlprm.config.models import HubRef
from vlprm.config.plan import Plan
from vlprm.preflight.machine import Machine
from vlprm.preflight.needs import Needs


@dataclass(frozen=True)
class Download:
    """One thing to fetch. ``gb`` is None where no size is stated."""

    kind: Literal["model", "data", "container"]
    name: str
    source: str
    gb: float | None
    have_gb: float
    state: Literal["there", "partly", "missing"]
    hub: HubRef | None = None

    @property
    def still_gb(self) -> float:
        """GB still to fetch; 0 where it is there or its size is unknown."""
        return 0.0 if self.state == "there" else max((self.gb or 0.0) - self.have_gb, 0.0)


def downloads(plan: Plan, machine: Machine) -> list[Download]:
    """Everything that ``snakemake fetch`` provides, in its order."""
    root = machine.workdir / "resources"
    found = [
        _from_hub("model", name, item.hub, root / "models" / name)
        for name, item in plan.config.models.items()
        if item.hub is not None
    ]
    for name, data in plan.data.items():
        if not isinstance(data, MatrixData) and data.hub is not None:
            found.append(_from_hub("data", name, data.hub, root / "data" / name))
    return found + (_containers(plan, machine) if machine.containers else [])


def _from_hub(kind: Literal["model", "data"], name: str, hub: HubRef, folder: Path) -> Download:
    have = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    state: Literal["there", "partly", "missing"] = "partly" if have else "missing"
    if _complete(folder, hub):
        state = "there"
    source = f"{hub.repo} at {hub.revision[:12]}"
    return Download(kind, name, source, hub.gb, have, state, hub)


def _complete(folder: Path, hub: HubRef) -> bool:
    """Whether the listing is of this revision and every file that it names is there."""
    try:
        listing = json.loads((folder / "fetch.json").read_text(encoding="utf-8"))
        same = listing["revision"] == hub.revision and listing["repo"] == hub.repo
        return bool(same) and all((folder / name).is_file() for name in listing["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _containers(plan: Plan, machine: Machine) -> list[Download]:
    table = load_containers(machine.checkout / "containers" / "images.yaml")
    found = []
    for role in Needs(plan, machine.workdir).roles():
        file = table[role].file(machine.container_folder)
        have = file.stat().st_size / 1e9 if file.is_file() else 0.0
        state: Literal["there", "missing"] = "there" if file.is_file() else "missing"
        found.append(Download("container", role, table[role].reference, have or None, have, state))
    return found


def by_hand_lines(data: object, workdir: Path) -> list[str]:
    """Files that a configuration names and no Hub holds: place, key, origin.

    One line per file, and a last one with the sums; none where no such file is named.
    """
    wanted = list(named_files(data))
    there = [(workdir / item.path).exists() for item in wanted]
    width = max((len(item.key) for item in wanted), default=0)
    lines = [
        f"{'there' if here else 'missing':<7}  file       {item.key:<{width}}  to {item.path}, "
        f"from {item.origin or 'an origin that the configuration does not state'}"
        for item, here in zip(wanted, there, strict=True)
    ]
    absent = len(there) - sum(there)
    return [*lines, f"{absent} of {len(there)} to put there by hand"] if lines else []


def plan_lines(found: Sequence[Download]) -> list[str]:
    """The plan as aligned lines, and a last one with the sums."""
    width = max((len(item.name) for item in found), default=0)
    lines = [
        f"{item.state:<7}  {item.kind:<9}  {item.name:<{width}}  {_size(item):>20}  {item.source}"
        for item in found
    ]
    missing = [item for item in found if item.state != "there"]
    total = sum(item.still_gb for item in missing)
    unknown = sum(item.gb is None for item in missing)
    more = f", and {unknown} of unknown size" if unknown else ""
    return [*lines, f"{len(missing)} of {len(found)} to fetch, about {total:.1f} GB{more}"]


def _size(item: Download) -> str:
    size = "size unknown" if item.gb is None else f"{item.gb:.1f} GB"
    return f"{item.have_gb:.1f} of {size}" if item.state == "partly" else size
