"""Published training conversations in a rehearsal: the longest ones, in a separate folder."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vlprm.config.plan import Plan
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.labels.examples import longest_repeated
from vlprm.records import PRMExample

LOOKED_AT = 4096
"""How many conversations are searched for the longest."""


def choose(given: dict[str, Any], full: Plan, rehearsal: Plan, workdir: Path) -> dict[str, Any]:
    """The rehearsal's configuration with ``labels.examples.published`` naming the chosen ones.

    Raises UserError when the published conversations are absent or not such a table.
    """
    source = workdir / full.examples()
    if not source.is_file():
        raise UserError(
            "no such file",
            where=str(source),
            cure="labels.examples.published names the folder that holds it",
        )
    batch = next(pq.ParquetFile(source).iter_batches(LOOKED_AT)).to_pylist()
    block = rehearsal.config.rehearsal
    wanted = block.conversations if block is not None else 1
    found, ratio = longest_repeated([PRMExample.model_validate(row) for row in batch], wanted)
    folder = Path(rehearsal.root) / "published"
    parquet.write(found, workdir / folder / "examples.parquet", PRMExample)
    link = workdir / folder / "images.parquet"
    link.unlink(missing_ok=True)
    link.symlink_to((workdir / full.example_images()[0]).resolve())
    changed = copy.deepcopy(given)
    changed["labels"]["examples"]["published"] = str(folder)
    changed["rehearsal"]["length_ratio"] = ratio
    return changed
