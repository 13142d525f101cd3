"""Where training stands, on disk: what a killed run goes on from, to the same bytes.

``<checkpoint folder>.training/step-00000040/`` holds safetensors and JSON of our own, no pickle
(what ``Trainer`` and DeepSpeed would write is read back by ``torch.load``, which runs code). It
lies beside the checkpoint's folder, never in it, and is removed when the checkpoint is complete.

All processes write a state, each its part, into ``step-00000040.unfinished``; it is synced, and the
first process renames it: a kill at any moment leaves the state before it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vlprm.io.atomic import explained
from vlprm.training import processes

log = logging.getLogger(__name__)
FACTS = "state.json"
KEPT = 1
"""States kept; the one before is removed once a newer one is complete."""
_PIECE = 1 << 30
"""Bytes of a file, about: what is written is copied to the host, a piece at a time."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The states of one training run.

    ``digest``: of everything that decides the result (inputs, configuration, versions, number of
    processes); a state of another digest is another run's. Only the first process needs it.
    """

    path: Path
    digest: str

    def latest(self, device: torch.device) -> Path | None:
        """The newest complete state of this run, the same for all processes; others are removed."""
        step = self._mine() if processes.first_process() else 0
        step = processes.told_by_first(step, device)
        return self._step(step) if step else None

    def _mine(self) -> int:
        if not self.path.is_dir():
            return 0
        steps = []
        for entry in self.path.iterdir():
            number = _number(entry)
            facts = entry / FACTS
            if number and facts.is_file():
                if json.loads(facts.read_text(encoding="utf-8"))["digest"] == self.digest:
                    steps.append(number)
                    continue
                log.info("train: %s is of other inputs or settings: discarded", entry)
            shutil.rmtree(entry, ignore_errors=True)
        return max(steps, default=0)

    @contextmanager
    def saving(self, step: int) -> Iterator[Path]:
        """Yield the folder that every process writes its part of a state into.

        Raises UserError when the disk is full.
        """
        scratch = self.path / f"{self._step(step).name}.unfinished"
        try:
            if processes.first_process():
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
            processes.wait_for_all()
            yield scratch
            processes.wait_for_all()
            if processes.first_process():
                _write_json(scratch / FACTS, {"digest": self.digest, "step": step})
                _sync_folder(scratch)
                scratch.rename(self._step(step))
                _sync_folder(self.path)
                self._prune()
        except OSError as error:
            raise explained(error, scratch) from error

    def _prune(self) -> None:
        complete = sorted(entry for entry in self.path.iterdir() if _number(entry))
        for entry in complete[:-KEPT]:
            # renamed first: a kill while it is removed must leave nothing that looks complete
            gone = entry.with_suffix(".unfinished")
            entry.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def remove(self) -> None:
        """Forget all states: the checkpoint is complete."""
        if processes.first_process():
            shutil.rmtree(self.path, ignore_errors=True)

    def _step(self, step: int) -> Path:
        return self.path / f"step-{step:08d}"


def _number(entry: Path) -> int:
    found = re.fullmatch(r"step-(\d+)", entry.name)
    return int(found[1]) if found else 0


def save_tensors(folder: Path, name: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Write named tensors as ``name-00000.safetensors`` and so on, each of about 1 GB at most."""
    piece: dict[str, Tensor] = {}
    number = size = 0
    for key, tensor in tensors:
        size += tensor.numel() * tensor.element_size()
        # a view of a larger buffer is written alone, and never shares memory with another
        piece[key] = tensor.detach().to("cpu", copy=True).contiguous()
        if size >= _PIECE:
            _save(piece, folder / f"{name}-{number:05d}.safetensors")
            piece, size, number = {}, 0, number + 1
    if piece:
        _save(piece, folder / f"{name}-{number:05d}.safetensors")


def load_tensors(folder: Path, name: str) -> Iterator[tuple[str, Tensor]]:
    """What ``save_tensors`` wrote, one tensor in memory at a time."""
    for file in sorted(folder.glob(f"{name}-[0-9][0-9][0-9][0-9][0-9].safetensors")):
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118 (no mapping)
                yield key, opened.get_tensor(key)


def _save(piece: dict[str, Tensor], file: Path) -> None:
    try:
        save_file(piece, file)
    except Exception as error:  # safetensors reports a full disk by an error of its own
        raise explained(error, file) from error
    _sync(file)


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _sync(file)


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
