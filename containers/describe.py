"""Print what an image must hold, as JSON: /opt/vlprm-image.json, which the self-test compares with.

Run inside the image with its Python: ``describe.py ROLE SOURCE LOCK [LOCK ...]
[--flash-attn-wheel FILE --architectures 80;90 --kernels bf16:32,96,128]``. Versions come from the
locks, never from what is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
from pathlib import Path

from packaging.requirements import Requirement


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def locked(path: Path) -> dict[str, str]:
    """Project name (normalised) to version, of the lines whose marker holds here."""
    found = {}
    for line in re.findall(r"^([A-Za-z0-9][^\\#\n]*)", path.read_text(encoding="utf-8"), re.M):
        requirement = Requirement(line.strip())
        if requirement.marker is None or requirement.marker.evaluate():
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            found[name] = str(requirement.specifier).removeprefix("==")
    return found


def settings(path: Path) -> dict[str, str]:
    """The plain assignments of pins.env."""
    return dict(re.findall(r"^(\w+)=([^\s$]+)$", path.read_text(encoding="utf-8"), re.M))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("source", type=Path)
    parser.add_argument("locks", nargs="+")
    parser.add_argument("--flash-attn-wheel", type=Path)
    parser.add_argument("--architectures", default="")
    parser.add_argument("--kernels", default="")
    given = parser.parse_args()
    envs, here = given.source / "envs", given.source / "containers"
    pins, debian = settings(here / "pins.env"), here / f"debian-{given.role}.lock"
    packages: dict[str, str] = {}
    for lock in given.locks:
        packages |= locked(envs / f"{lock}.lock")
    flash = None
    if given.flash_attn_wheel:
        flash = {
            "version": packages["flash-attn"],
            "architectures": given.architectures.split(";"),
            "kernels": given.kernels,
            "wheel_sha256": sha256(given.flash_attn_wheel),
        }
    lines = debian.read_text(encoding="utf-8").splitlines()
    description = {
        "role": given.role,
        "python": platform.python_version(),
        "debian": pins["DEBIAN_RELEASE"],
        "snapshot": pins["SNAPSHOT"],
        "source_date_epoch": int(os.environ["SOURCE_DATE_EPOCH"]),
        "locks": {f"envs/{lock}.lock": sha256(envs / f"{lock}.lock") for lock in given.locks}
        | {f"containers/{debian.name}": sha256(debian)},
        "flash_attn": flash,
        "packages": packages,
        "debian_packages": dict(row.split("=", 1) for row in lines if not row.startswith("#")),
    }
    print(json.dumps(description, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
