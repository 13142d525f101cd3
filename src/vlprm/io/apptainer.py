"""Container images as files: where Snakemake looks for them, pulled once, identified by sha256."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from vlprm.config.containers import ContainerImage
from vlprm.errors import UserError
from vlprm.io.atomic import atomic_path, write_text
from vlprm.io.manifest import sha256_of


def runtime() -> str | None:
    """The command that runs images: ``apptainer``, or its former name ``singularity``."""
    return shutil.which("apptainer") or shutil.which("singularity")


def cure(role: str, image: ContainerImage) -> str:
    """What puts a role's image where Snakemake looks for it."""
    if image.in_registry:
        return "run `snakemake fetch`, with the same profile, where there is network"
    return (
        f"`containers/build install {role}` puts it there, once it is built: "
        f"`containers/build daemonless {role}`, on any machine that can (containers/README.md); "
        "or run without images: --software-deployment-method env-modules (profiles/README.md)"
    )


def stated_digests(image: ContainerImage, folder: Path) -> set[str]:
    """Every sha256 that the image file may have: our build's, and the one recorded at its pull.

    A pull is checked by the digest in its reference, but the conversion into a file gives other
    bytes each time. So the file's sha256 is recorded beside it.
    """
    noted = _note(image.file(folder))
    found = {noted.read_text(encoding="utf-8").strip()} if noted.is_file() else set()
    return found | ({image.sif_sha256} if image.sif_sha256 else set())


def provide(role: str, image: ContainerImage, folder: Path) -> str:
    """Provide the image file of a role in ``folder``, pulled if needed. Returns its sha256.

    Raises UserError when no registry has it, when the pull fails, and when the file that is there
    is not the one that is stated.
    """
    file = image.file(folder)
    if not file.exists():
        _pull(role, image, file)
        digest = sha256_of(file)
        write_text(_note(file), digest + "\n")
        return digest
    digest, stated = sha256_of(file), stated_digests(image, folder)
    if stated and digest not in stated:
        raise UserError(
            f"container {role} has sha256 {digest[:12]}…, stated is {shortened(stated)}",
            where=str(file),
            cure=f"remove the file, then {cure(role, image)}",
        )
    return digest


def shortened(digests: set[str]) -> str:
    """Digests, short enough for one line."""
    return " or ".join(f"{item[:12]}…" for item in sorted(digests))


def _note(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _pull(role: str, image: ContainerImage, file: Path) -> None:
    command = runtime()
    if not image.in_registry:
        raise UserError(
            f"container {role} ({image.reference}) is in no registry",
            where=str(file),
            cure=cure(role, image),
        )
    if command is None:
        raise UserError(
            "neither apptainer nor singularity is on PATH",
            where=f"container {role}",
            cure="install Apptainer, or load its module",
        )
    with atomic_path(file) as temporary:
        done = subprocess.run(
            [command, "pull", "--force", str(temporary), image.reference],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not temporary.is_file() or not temporary.stat().st_size:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"container {role} could not be pulled: {last}",
                where=image.reference,
                cure="check the network, and the login where the registry wants one",
            )
