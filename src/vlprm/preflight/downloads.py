"""What a run fetches: models, data sets and images, with sizes, and what is there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlprm.config.data import MatrixData
from vlprm.config.images import load_images
from vlprm.config.models import HubRef
from vlprm.config.plan import Plan
from vlprm.preflight.machine import Machine
from vlprm.preflight.needs import Needs


@dataclass(frozen=True)
class Download:
    """One thing to fetch. ``gb`` is None where nobody has stated a size."""

    kind: Literal["model", "data", "image"]
    name: str
    source: str
    gb: float | None
    have_gb: float
    state: Literal["there", "partly", "missing"]
    hub: HubRef | None = None

    @property
    def still_gb(self) -> float:
        """GB still to come; 0 where it is there or its size is unknown."""
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
    return found + (_images(plan, machine) if machine.containers else [])


def _from_hub(kind: Literal["model", "data"], name: str, hub: HubRef, folder: Path) -> Download:
    have = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    state: Literal["there", "partly", "missing"] = "partly" if have else "missing"
    if _complete(folder, hub):
        state = "there"
    source = f"{hub.repo} at {hub.revision[:12]}"
    return Download(kind, name, source, hub.gb, have, state, hub)


def _complete(folder: Path, hub: HubRef) -> bool:
    """The listing is of this revision, and every file that it names is there."""
    try:
        listing = json.loads((folder / "fetch.json").read_text(encoding="utf-8"))
        same = listing["revision"] == hub.revision and listing["repo"] == hub.repo
        return bool(same) and all((folder / name).is_file() for name in listing["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _images(plan: Plan, machine: Machine) -> list[Download]:
    table = load_images(machine.checkout / "containers" / "images.yaml")
    found = []
    for role in Needs(plan, machine.workdir).roles():
        file = table[role].file(machine.image_folder)
        have = file.stat().st_size / 1e9 if file.is_file() else 0.0
        state: Literal["there", "missing"] = "there" if file.is_file() else "missing"
        found.append(Download("image", role, table[role].reference, have or None, have, state))
    return found


def plan_lines(found: Sequence[Download]) -> list[str]:
    """The plan as aligned lines, and a last one with the sums."""
    width = max((len(item.name) for item in found), default=0)
    lines = [
        f"{item.state:<7}  {item.kind:<5}  {item.name:<{width}}  {_size(item):>20}  {item.source}"
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
