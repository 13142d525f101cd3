"""Container images as files: where Snakemake looks for them, pulled once, known by sha256."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vlprm.config.images import ContainerImage
from vlprm.errors import UserError
from vlprm.io.atomic import explained
from vlprm.io.manifest import sha256_of


def runtime() -> str | None:
    """The command that runs images: ``apptainer``, or its former name ``singularity``."""
    return shutil.which("apptainer") or shutil.which("singularity")


def build_command(role: str) -> str:
    """What puts a role's own image where Snakemake looks for it."""
    return f"containers/build apptainer {role} && containers/build install {role}"


def provide(role: str, image: ContainerImage, folder: Path) -> str:
    """Have the image file of a role in ``folder``, pulling it if need be; returns its sha256.

    Raises UserError when it can be pulled from nowhere, when the pull fails, and when a file
    that is there is not the one that the table states.
    """
    file = image.file(folder)
    if not file.exists():
        _pull(role, image, file)
        # a pull is checked by the digest in its reference; each conversion has bytes of its own
        return sha256_of(file)
    digest = sha256_of(file)
    if image.sif_sha256 not in (None, digest):
        raise UserError(
            f"image {role}: sha256 {digest[:12]}… is not {str(image.sif_sha256)[:12]}…",
            where=str(file),
            cure=f"remove the file, then run {build_command(role)}",
        )
    return digest


def _pull(role: str, image: ContainerImage, file: Path) -> None:
    command = runtime()
    if not image.in_registry:
        raise UserError(
            f"image {role} ({image.reference}) is in no registry",
            where=str(file),
            cure=f"build it: {build_command(role)}",
        )
    if command is None:
        raise UserError(
            "neither apptainer nor singularity is on PATH",
            where=f"image {role}",
            cure="install Apptainer, or load its module",
        )
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [command, "pull", "--force", str(temporary), image.reference],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not temporary.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"image {role} could not be pulled: {last}",
                where=image.reference,
                cure=f"check network and login, or build it: {build_command(role)}",
            )
        temporary.replace(file)
    except OSError as error:
        raise explained(error, file) from error
    finally:
        temporary.unlink(missing_ok=True)
