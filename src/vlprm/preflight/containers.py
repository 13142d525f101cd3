"""Apptainer and the containers: they are there, and they are the stated ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from vlprm.config.containers import ContainerImage, load_containers
from vlprm.errors import UserError
from vlprm.io.apptainer import cure, runtime, shortened, stated_digests
from vlprm.io.atomic import write_text
from vlprm.io.manifest import sha256_of
from vlprm.preflight.commands import answer, last_line
from vlprm.preflight.finding import Finding, failure, ok, warning
from vlprm.preflight.machine import Machine


def check_apptainer(machine: Machine) -> Iterator[Finding]:
    """The command that runs images answers, where the profile asks for it."""
    if not machine.containers:
        yield ok("Apptainer", "not asked for by the profile")
        return
    command = runtime()
    if command is None:
        yield failure(
            "Apptainer",
            "neither apptainer nor singularity is on PATH",
            "install Apptainer, load its module, or leave out software-deployment-method",
        )
        return
    status, printed, error = answer(command, "--version")
    if status:
        yield failure("Apptainer", f"does not start: {last_line(error)}", "reinstall it")
    else:
        yield ok("Apptainer", last_line(printed))


def check_containers(machine: Machine, roles: Sequence[str]) -> Iterator[Finding]:
    """Every container image that the run uses is a file with the sha256 that is stated for it."""
    if not machine.containers:
        return
    try:
        table = load_containers(machine.checkout / "containers" / "images.yaml")
    except UserError as error:
        yield failure("containers", f"{error.where}: {error.what}", error.cure or "")
        return
    for role in roles:
        if role in table:
            yield _container(role, table[role], machine)
        else:
            yield failure(f"container {role}", "not in containers/images.yaml", "add the role")


def _container(role: str, image: ContainerImage, machine: Machine) -> Finding:
    name, file = f"container {role}", image.file(machine.container_folder)
    if not file.is_file():
        return failure(name, f"{image.reference} is not at {file}", cure(role, image))
    stated = stated_digests(image, machine.container_folder)
    if stated:
        digest = _sha256(file, machine.workdir)
        if digest in stated:
            return ok(name, f"sha256 {digest[:12]}… as stated")
        what = f"{file} has sha256 {digest[:12]}…, stated is {shortened(stated)}"
        return failure(name, what, f"remove it, then {cure(role, image)}")
    if "@sha256:" not in image.reference:
        return warning(
            name,
            f"{image.reference} is not pinned by a digest",
            "give containers/images.yaml a reference with @sha256:",
        )
    return ok(name, f"{file.name}, pinned as {image.reference.partition('@')[2][:19]}…")


def _sha256(file: Path, workdir: Path) -> str:
    """The file's sha256, remembered by size and time: such files are large and seldom change."""
    memory = workdir / ".snakemake" / "container_digests.json"
    stat = file.stat()
    key = f"{file} {stat.st_size} {stat.st_mtime_ns}"
    try:
        known = dict(json.loads(memory.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        known = {}
    if key not in known:
        known[key] = sha256_of(file)
        with contextlib.suppress(UserError):  # a read-only folder is another check's finding
            write_text(memory, json.dumps(known, indent=1) + "\n")
    return str(known[key])
