"""The table of images, containers/images.yaml: record a build, place a SIF, list the locks.

``images.py record|install|path|locks ROLE``; called by containers/build.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from oci import sha256_of_file
from recipe import HERE, LOCKS

TABLE = HERE / "images.yaml"


def locks(role: str) -> list[str]:
    """The files that decide what is in the role's image, relative to the checkout."""
    return [*(f"envs/{name}.lock" for name in LOCKS[role]), f"containers/debian-{role}.lock"]


def table() -> dict[str, Any]:
    """Role to its row."""
    rows: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["images"]
    return rows


def snakemake_path(reference: str, prefix: Path) -> Path:
    """Where Snakemake 9 keeps the image of a reference: the md5 of the reference names it."""
    return prefix / f"{hashlib.md5(reference.encode(), usedforsecurity=False).hexdigest()}.simg"


def record(role: str, facts: Path) -> None:
    """Write digest, SIF and locks of a build into the table; comments above the rows stay."""
    if not facts.exists():
        raise SystemExit(f"error: {facts} is absent -> containers/build daemonless {role}")
    built = json.loads(facts.read_text(encoding="utf-8"))
    rows = table()
    rows[role] = {
        "reference": f"docker://localhost/vlprm/{role}@{built['digest']}",
        "sif_sha256": built["sif_sha256"],
        "sif_bytes": built["sif_bytes"],
        "flash_attn": built["flash_attn"],
        "locks": {name: sha256_of_file(HERE.parent / name) for name in locks(role)},
    }
    head = re.match(r"(?:#.*\n)*", TABLE.read_text(encoding="utf-8"))
    text = (head[0] if head else "") + yaml.safe_dump({"images": rows}, sort_keys=False, width=200)
    TABLE.write_text(text, encoding="utf-8")


def install(role: str, sif: Path, prefix: Path) -> None:
    """Place the SIF where Snakemake looks; refuse one that is not the table's."""
    row = table()[role]
    if not sif.exists():
        raise SystemExit(f"error: {sif} is absent -> containers/build daemonless {role}")
    found = sha256_of_file(sif)
    if found != row["sif_sha256"]:
        raise SystemExit(
            f"error: {sif} has sha256 {found}, containers/images.yaml says {row['sif_sha256']}"
            f" -> build it from this checkout, or `containers/build record {role}`"
        )
    target = snakemake_path(row["reference"], prefix)
    prefix.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(sif, partial)
    except OSError:  # another file system
        shutil.copyfile(sif, partial)
    partial.chmod(0o755)
    partial.replace(target)
    print(target)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["record", "install", "path", "locks"])
    parser.add_argument("role", choices=sorted(LOCKS))
    parser.add_argument("--facts", type=Path)
    parser.add_argument("--sif", type=Path)
    parser.add_argument("--prefix", type=Path)
    given = parser.parse_args()
    if given.command == "record":
        record(given.role, given.facts)
    elif given.command == "install":
        install(given.role, given.sif, given.prefix)
    elif given.command == "path":
        print(snakemake_path(table()[given.role]["reference"], given.prefix))
    else:
        for name in locks(given.role):
            print(f"--lock={name}={sha256_of_file(HERE.parent / name)}")
        if given.role != "cpu" and table()[given.role]["flash_attn"] is None:
            print("--without-flash-attn")


if __name__ == "__main__":
    main()
