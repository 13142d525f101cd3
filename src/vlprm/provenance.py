"""Provenance: what a stage says of its outputs, and what a whole run says of all of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from vlprm.records import Record, Sha256


class FileRef(Record):
    """A file by content."""

    path: str
    sha256: Sha256
    rows: int | None = None


class Manifest(Record):
    """Provenance of one stage's outputs; written last, so its presence means complete.

    Everything here is a function of inputs, configuration and code: volatile facts (times,
    host) are in :class:`Timing`, which is never hashed.
    """

    stage: str
    stage_version: int
    config: dict[str, Any]
    inputs: tuple[FileRef, ...]
    outputs: tuple[FileRef, ...]
    """Paths relative to the first output's folder."""
    packages: dict[str, str]
    models: dict[str, str]
    """Model name to revision (sha256 of the weights for local models)."""
    prompts: dict[str, Sha256]
    counts: dict[str, int]


class Platform(Record):
    """What a stage computed on, as far as it can reach the bytes of a result."""

    machine: str
    """Architecture, e.g. ``x86_64``."""
    processor: str
    """Model name of the processor; it decides nothing where instruction sets are capped."""
    cpu: str
    """``portable`` (instruction sets capped), else maker, family and widest vector set."""
    threads: int
    torch: str | None
    gpu: str | None = None
    """Model of the GPU, for a stage whose configuration asks for one."""
    driver: str | None = None
    """Major version of the GPU's driver."""

    @property
    def name(self) -> str:
        """The platform class: runs of one class are held to give the same bytes."""
        torch = f"torch-{self.torch}" if self.torch else "no-torch"
        parts = [self.machine, self.cpu, f"threads-{self.threads}", torch, self.gpu]
        parts += [f"driver-{self.driver}"] if self.driver else []
        return "_".join(part.replace(" ", "-").replace("/", "-") for part in parts if part)


class Timing(Record):
    """Volatile facts of one run of a stage; kept apart from what is hashed."""

    stage: str
    started: datetime
    finished: datetime
    host: str
    commit: str
    dirty: bool
    container: str | None
    code: Sha256
    """Digest of the package's files that the stage's module reaches."""
    platform: Platform
    engines: dict[str, str] = Field(default_factory=dict)
    """What the stage's engines computed with, e.g. ``attention: flash_attention_2 2.8.0.post2``."""
    startup_seconds: float | None = None
    """From the start of the process until the work began (engine loaded, first optimizer step),
    and from the work's end until the last byte: what more questions do not lengthen."""
    work_seconds: float | None = None
    """The rest. Of a rehearsal: what the same work takes where batches are full."""
    peak_host_gb: float | None = None
    """Most memory (GB, 1e9 bytes) of the stage's processes together, every 2 s."""
    peak_card_gb: float | None = None
    """Most memory of one card in use, every 0.5 s, other programs' share included; None on a
    CPU."""
    notes: dict[str, float] = Field(default_factory=dict)
    """What a rehearsal needs to know beside it (``io.meter.note``)."""


class StageRun(Record):
    """One job of a run: the edges of the provenance graph, and what may change its outputs."""

    stage: str
    stage_version: int
    inputs: dict[str, Sha256]
    """Path to content, as read. Paths are relative to the folder the workflow ran in."""
    outputs: dict[str, Sha256]
    """Path to content, as written."""
    config: str
    """Key of ``RunManifest.configs``."""
    code: Sha256
    packages: dict[str, str]
    models: dict[str, str]
    prompts: dict[str, Sha256]
    counts: dict[str, int]
    container: str | None
    platform: str
    """Key of ``RunManifest.platforms``."""


class RunManifest(Record):
    """All stages of a run with every artefact by sha256; what ``vlprm verify`` compares.

    The same bytes for two runs on one machine: no times, no host, relative paths only.
    """

    run: str
    platforms: dict[str, Platform]
    configs: dict[str, dict[str, Any]]
    """Slices of the configuration, each once, by the first 16 digits of its sha256."""
    stages: dict[str, StageRun]
    """By the path of the stage's own manifest."""

    @property
    def platform(self) -> str:
        """The platform class of the whole run."""
        return "--".join(sorted(self.platforms))


_NOTED: dict[str, str] = {}


def note(what: str, used: str) -> None:
    """Remember what this process computes with (``attention``), for its stage's record."""
    _NOTED[what] = used


def noted() -> dict[str, str]:
    """What engines of this process have noted (``Timing.engines``)."""
    return dict(_NOTED)
