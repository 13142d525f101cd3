"""Training data on demand: one pass that counts, then batches made by worker processes.

Nothing is kept but three numbers per conversation: examples come from ``io.parquet.Rows``, images
from ``io.images.ImageStore``, and both read what they are asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import skip_first_batches
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vlprm.records import PRMExample
from vlprm.training import processes
from vlprm.training.collator import PRMCollator

log = logging.getLogger(__name__)
_CHUNK = 64
"""Conversations counted at once."""
_POOL = 50
"""Batches of all processes whose conversations are sorted together, where batches are grouped."""


class Conversations(Dataset[dict[str, Any]]):
    """Tokenised conversations, made when asked for."""

    def __init__(self, examples: Sequence[PRMExample], collate: PRMCollator) -> None:
        self._examples, self._collate = examples, collate

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"labelled": self._collate.labelled(self._examples[index])}


@dataclass(frozen=True, slots=True)
class Survey:
    """What a pass over all conversations found."""

    lengths: Tensor
    """Tokens of each conversation, int32 (n)."""
    targets: int
    """Value tokens that carry loss."""
    plus: int

    def log(self) -> None:
        """One line for whoever sizes batches and waits for the end."""
        log.info(
            "train: %d conversations, %d tokens, the longest %d",
            len(self.lengths),
            int(self.lengths.sum()),
            int(self.lengths.max()),
        )


class _Counts(Dataset[list[int]]):
    """Length, targets and plus targets of each conversation of a range."""

    def __init__(self, data: Conversations, rows: range, plus: int) -> None:
        self._data, self._rows, self._plus = data, rows, plus

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> list[int]:
        row = self._data[self._rows[index]]["labelled"]
        chosen = [token for _, token in row.targets]
        return [len(row.ids), len(chosen), sum(token == self._plus for token in chosen)]


def survey(data: Conversations, plus: int, workers: int, device: torch.device) -> Survey:
    """Tokenise every conversation once, each process its part: counts, and no fault in hour 40.

    ``plus`` is the id of the token ``+``. The same for any number of processes and workers.
    """
    total, part = len(data), -(-len(data) // processes.count())
    start = min(processes.rank() * part, total)
    rows = range(start, min(start + part, total))
    loader: DataLoader[list[int]] = DataLoader(
        _Counts(data, rows, plus), _CHUNK, num_workers=workers, collate_fn=torch.tensor
    )
    found = torch.zeros((total, 3), dtype=torch.int32)
    for number, chunk in enumerate(loader):
        at = start + number * _CHUNK
        found[at : at + len(chunk)] = chunk
    found = processes.summed(found, device)
    totals = found.sum(0, dtype=torch.int64).tolist()
    return Survey(found[:, 0].clone(), totals[1], totals[2])


class ByLength(Sampler[int]):
    """A seeded order in which conversations of like length stand together.

    All are shuffled, cut into pools of ``_POOL`` optimizer batches, sorted by length in a pool,
    and the batches of a pool shuffled: every process's micro batch of one step has conversations
    of about the same length, so that none waits. ``batch``: conversations of a micro batch of all
    processes. Epoch and seed decide alone.
    """

    def __init__(self, lengths: Tensor, batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = lengths, batch, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose order comes next (called by accelerate's loader)."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        order = torch.randperm(len(self), generator=generator)
        for pool in order.split(self._batch * _POOL):
            ranked = pool[self._lengths[pool].argsort(descending=True, stable=True)]
            batches = list(ranked.split(self._batch))
            # a last batch that is not full stays last: the cuts between batches must not move
            full = len(ranked) // self._batch
            for number in [*torch.randperm(full, generator=generator).tolist(), full]:
                if number < len(batches):
                    yield from batches[number].tolist()


class FromStep:
    """A loader whose first epoch begins where a state was saved, after ``step`` optimizer steps.

    The length of that epoch is what is left of it. ``Trainer`` (trainer.py:2515 at 4.55.2) skips
    batches too, but counts the rest against the whole epoch's length: the last step of an epoch
    whose batches are no multiple of the accumulated ones would then not be taken.
    """

    def __init__(self, loader: Any, step: int, accumulation: int) -> None:
        steps = -(-len(loader) // accumulation)
        self._loader = loader
        self._epoch, self._begin = step // steps, step % steps * accumulation
        self._skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes next; called before its length is asked for."""
        self._loader.set_epoch(epoch)
        self._skip = self._begin if epoch == self._epoch else 0

    def __len__(self) -> int:
        return len(self._loader) - self._skip

    def __iter__(self) -> Iterator[Any]:
        rest = skip_first_batches(self._loader, self._skip) if self._skip else self._loader
        return iter(rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
