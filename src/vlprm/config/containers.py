"""The table of container images: role -> reference, and the file that Snakemake runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml
from pydantic import ConfigDict, Field, ValidationError

from vlprm.config.block import Block
from vlprm.errors import UserError


class ContainerImage(Block):
    """One image of ``containers/images.yaml``; keys that only its build needs are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reference: str = Field(pattern=r"^[a-z][a-z0-9+.-]*://\S+$")
    sif_sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="of the image file that we built"
    )

    def file(self, folder: Path) -> Path:
        """Where Snakemake looks for the image: named by the md5 of its whole reference."""
        name = hashlib.md5(self.reference.encode(), usedforsecurity=False).hexdigest()
        return folder / f"{name}.simg"

    @property
    def in_registry(self) -> bool:
        """Whether the reference names a registry to pull from (a host, and not this machine)."""
        kind, _, rest = self.reference.partition("://")
        host, slash, _ = rest.partition("/")
        if kind != "docker":
            return kind in ("oras", "library", "shub", "https", "http")
        return bool(slash) and host.split(":")[0] != "localhost" and ("." in host or ":" in host)


def load_containers(table: Path) -> dict[str, ContainerImage]:
    """Role -> image.

    Raises UserError when the table is missing or an entry is malformed.
    """
    try:
        entries = yaml.safe_load(table.read_text(encoding="utf-8"))["images"]
        return {role: ContainerImage.model_validate(entry) for role, entry in entries.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValidationError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"not a table of containers ({first})",
            where=str(table),
            cure="take the file from the repository",
        ) from error
