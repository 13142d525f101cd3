"""Manifests: what a stage read, wrote and was told; written last, so presence means complete."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from typing import Any, BinaryIO

from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.io.code import code_sha256
from vlprm.io.lineage import SUFFIX, check
from vlprm.io.machine import container_of_this_process, platform_of
from vlprm.io.meter import Cost, metered
from vlprm.progress import count_line
from vlprm.provenance import FileRef, Manifest, Timing, noted

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


SETTLED_S = 2.0
"""A file that changed less than this ago may change again at the same time stamp."""
_KNOWN: dict[tuple[int, ...], str] = {}
"""State of a file to its sha256: a stage asks more than once, and a checkpoint has gigabytes."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes; a process reads a file once for as long as it does not change.

    Raises UserError when there is no such file.
    """
    try:
        with path.open("rb") as file:
            state = _state(file)
            if state not in _KNOWN:
                since = max(state[-2:]) / 1e9
                settled = time.time() - since > SETTLED_S
                found = hashlib.file_digest(file, "sha256").hexdigest()
                if not settled or _state(file) != state:
                    return found
                _KNOWN[state] = found
            return _KNOWN[state]
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        what = "a folder, not a file" if path.is_dir() else "no such file"
        cure = "see that the path is right, or rerun the stage that writes it"
        raise UserError(what, where=str(path), cure=cure) from error


def _state(file: BinaryIO) -> tuple[int, ...]:
    """Which file it is, its size, and when its content and its entry last changed (ns)."""
    told = os.fstat(file.fileno())
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns


class Counts(dict[str, int]):
    """A stage's counts, filled by its body; and which stage it is, and what it writes."""

    def __init__(self, stage: str, outputs: Sequence[Path]) -> None:
        super().__init__()
        self.stage, self.outputs = stage, outputs
        self.note = ""
        """For the line of counts only: a manifest is the same however often a run was killed."""


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
    body that raises leaves no manifest. Raises UserError, before anything is touched, when the
    inputs are not what their stages wrote, do not belong together, or are outputs too
    (:mod:`vlprm.io.lineage`).
    """
    started = datetime.now(UTC)
    read = {path: sha256_of(path) for path in inputs}
    check(read, outputs)
    for path in outputs:
        path.with_name(path.name + SUFFIX).unlink(missing_ok=True)
    counts = Counts(stage, outputs)
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
        inputs=read,
        counts=counts,
        started=started,
        cost=cost,
        models=models,
        prompts=prompts,
        gpus=gpus,
    )


def write_manifest(
    outputs: Sequence[Path],
    *,
    stage: str,
    version: int,
    config: Mapping[str, Any],
    inputs: Mapping[Path, str],
    counts: Mapping[str, int],
    started: datetime,
    cost: Cost,
    models: Mapping[str, str] | None = None,
    prompts: Mapping[str, str] | None = None,
    gpus: int = 0,
) -> None:
    """Write ``<first output>.manifest.json`` and, apart, ``<first output>.timing.json``.

    ``inputs``: their sha256 by path.
    """
    first = outputs[0]
    manifest = Manifest(
        stage=stage,
        stage_version=version,
        config=dict(config),
        inputs=tuple(FileRef(path=str(path), sha256=sha) for path, sha in inputs.items()),
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
        container=container_of_this_process(),
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
    write_text(first.with_name(first.name + SUFFIX), _json(manifest.model_dump(mode="json")))


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
