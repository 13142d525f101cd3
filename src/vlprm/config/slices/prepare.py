"""What ``prepare`` is told."""

from __future__ import annotations

import hashlib
import sys
from itertools import islice
from pathlib import Path

from vlprm.config.block import Block
from vlprm.config.data import DataConfig, MatrixData
from vlprm.config.run import Config


class PrepareSlice(Block):
    """One shard of a data set: rows ``start`` to ``stop - 1``."""

    dataset: str
    shard: str
    data: DataConfig
    start: int
    stop: int
    rows_sha256: str | None
    """Digest of the shard's raw rows: a row added elsewhere does not rerun this shard."""


def of(config: Config, dataset: str, shard: str) -> PrepareSlice:
    """The slice of one shard, with the digest of its raw rows if they are at hand."""
    data = config.data[dataset]
    start = int(shard) * data.shard_size
    stop = min(start + data.shard_size, data.n)
    # n as this shard sees it: a longer data set leaves earlier shards alone
    own = data.model_copy(update={"n": stop})
    return PrepareSlice(
        dataset=dataset,
        shard=shard,
        data=own,
        start=start,
        stop=stop,
        rows_sha256=_rows_sha256(data, start, stop),
    )


def _rows_sha256(data: DataConfig, start: int, stop: int) -> str | None:
    """Digest of the raw lines of a shard: None for generated data and for a folder of files."""
    if isinstance(data, MatrixData) or data.hub is not None or not Path(data.path).is_file():
        return None
    if data.sampling is not None:  # which rows are a shard's follows from all of them
        start, stop = 0, sys.maxsize
    with Path(data.path).open("rb") as lines:
        digest = hashlib.sha256()
        for line in islice((line for line in lines if line.strip()), start, stop):
            digest.update(line.rstrip(b"\r\n") + b"\n")
    return digest.hexdigest()
