"""Disks: can we write where a run writes, and is there room for it?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from vlprm.preflight.finding import Finding, failure, named, ok


def nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    path = Path(os.path.realpath(path))
    while not path.exists():
        path = path.parent
    return path


def refusal(folder: Path) -> str | None:
    """Why no file can be written below a folder, which need not exist yet; None if one can."""
    place = nearest(folder)
    if not place.is_dir():
        return f"{place} is a file"
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return None


def check_write_access(name: str, folders: Iterable[Path], cure: str) -> Iterator[Finding]:
    """Write and remove a real file in each folder: permissions alone prove nothing."""
    folders = list(folders)
    refused = [f"{folder}: {why}" for folder in folders if (why := refusal(folder))]
    if refused:
        yield failure(name, f"cannot write: {named(refused)}", cure)
    else:
        yield ok(name, f"{named([item.name for item in folders])} can be written")


def check_disk(needs_gb: Iterable[tuple[Path, float]]) -> Iterator[Finding]:
    """Free space against an estimate; folders on one disk share it."""
    needed: dict[int, float] = defaultdict(float)
    places: dict[int, Path] = {}
    for folder, gb in needs_gb:
        if gb == 0:
            continue
        place = nearest(folder)
        device = place.stat().st_dev
        needed[device] += gb
        places.setdefault(device, place)
    for device, place in places.items():
        free, gb = shutil.disk_usage(place).free / 1e9, needed[device]
        if free < gb:
            yield failure(
                "disk",
                f"{free:.2f} GB free in {place}, about {gb:.2f} GB needed",
                "free some space, or link results/ and resources/ to a larger disk",
            )
        else:
            yield ok("disk", f"{free:.0f} GB free in {place}, about {gb:.2f} GB needed")
