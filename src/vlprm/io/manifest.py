"""Manifests: what a stage read, wrote and was told; written last, so presence means complete."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from os.path import relpath
from pathlib import Path
from typing import Any

from vlprm.io.atomic import write_text
from vlprm.io.code import code_sha256
from vlprm.io.machine import image_of_this_process, noted, platform_of
from vlprm.io.meter import Cost, metered
from vlprm.progress import count_line
from vlprm.provenance import FileRef, Manifest, Timing

log = logging.getLogger(__name__)
_PACKAGES = (
    "pydantic",
    "pyarrow",
    "numpy",
    "torch",
    "transformers",
    "vllm",
    "deepspeed",
    "flash-attn",
)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Counts(dict[str, int]):
    """A stage's counts, filled by its body; and what its work is known by."""

    def __init__(
        self, stage: str, outputs: Sequence[Path], facts: Mapping[str, Any], gpus: int
    ) -> None:
        super().__init__()
        self.stage, self.outputs = stage, outputs
        self._facts, self._gpus = facts, gpus
        self.note = ""
        """For the line of counts only: a manifest is the same however often a run was killed."""
        self.when_recorded: list[Callable[[], None]] = []
        """Called once the manifest is written."""

    @cached_property
    def identity(self) -> str:
        """Digest of all that decides the stage's answers beside its input records.

        The code is not in it, as elsewhere: where a change of code changes results, the stage's
        version is raised. Packages and platform are, because the manifest states them for the
        whole output.
        """
        facts = {
            **self._facts,
            "packages": versions(),
            "platform": platform_of(self._gpus).name,
        }
        return hashlib.sha256(_json(facts).encode()).hexdigest()


@contextlib.contextmanager
def recorded(
    stage: str,
    version: int,
    config: Mapping[str, Any],
    *,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    models: Mapping[str, str] | None = None,
    prompts: Mapping[str, str] | None = None,
    gpus: int = 0,
) -> Iterator[Counts]:
    """Run a stage's body, then log its line of counts and write its manifest.

    ``gpus``: how many cards the stage was given; the manifest then says which.

    Yields the dictionary of counts to fill; the body may also add to a list of ``outputs``. A
    body that raises leaves no manifest. ``config``, ``models`` and ``prompts`` are also what
    tells this work from another (:attr:`Counts.identity`).
    """
    started = datetime.now(UTC)
    for path in outputs:
        path.with_name(path.name + ".manifest.json").unlink(missing_ok=True)
    facts = {
        "stage": stage,
        "version": version,
        "config": dict(config),
        "models": dict(models or {}),
        "prompts": dict(prompts or {}),
    }
    counts = Counts(stage, outputs, facts, gpus)
    with metered(on_cards=gpus > 0) as meter:
        yield counts
        cost = meter.cost()
    note = f" ({counts.note})" if counts.note else ""
    log.info("%s%s", count_line(stage, counts.items()), note)
    write_manifest(
        outputs,
        stage=stage,
        version=version,
        config=config,
        inputs=inputs,
        counts=counts,
        started=started,
        cost=cost,
        models=models,
        prompts=prompts,
        gpus=gpus,
    )
    for action in counts.when_recorded:
        action()


def write_manifest(
    outputs: Sequence[Path],
    *,
    stage: str,
    version: int,
    config: Mapping[str, Any],
    inputs: Sequence[Path],
    counts: Mapping[str, int],
    started: datetime,
    cost: Cost,
    models: Mapping[str, str] | None = None,
    prompts: Mapping[str, str] | None = None,
    gpus: int = 0,
) -> None:
    """Write ``<first output>.manifest.json`` and, apart, ``<first output>.timing.json``."""
    first = outputs[0]
    manifest = Manifest(
        stage=stage,
        stage_version=version,
        config=dict(config),
        inputs=tuple(FileRef(path=str(path), sha256=sha256_of(path)) for path in inputs),
        outputs=tuple(
            FileRef(path=relpath(path, first.parent), sha256=sha256_of(path)) for path in outputs
        ),
        packages=versions(),
        models=dict(models or {}),
        prompts=dict(prompts or {}),
        counts=dict(counts),
    )
    commit, dirty = _checkout()
    timing = Timing(
        stage=stage,
        started=started,
        finished=datetime.now(UTC),
        host=platform.node(),
        commit=commit,
        dirty=dirty,
        image=image_of_this_process(),
        code=code_sha256(stage),
        platform=platform_of(gpus),
        engines=noted(),
        startup_seconds=cost.startup_seconds,
        work_seconds=cost.work_seconds,
        peak_host_gb=cost.peak_host_gb,
        peak_card_gb=cost.peak_card_gb,
        notes=cost.notes,
    )
    write_text(first.with_name(first.name + ".timing.json"), _json(timing.model_dump(mode="json")))
    write_text(
        first.with_name(first.name + ".manifest.json"), _json(manifest.model_dump(mode="json"))
    )


def _json(data: object) -> str:
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def checkpoint_files(weights: Path) -> list[Path]:
    """What lies beside a checkpoint's weights and belongs to it: configuration, tokenizer."""
    return sorted(
        path
        for path in weights.parent.iterdir()
        if path.is_file() and path != weights and not path.name.startswith(f"{weights.name}.")
    )


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _checkout() -> tuple[str, bool]:
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown", False
    return commit, bool(status.strip())
