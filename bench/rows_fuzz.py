"""Damaged images and damaged rows: each is read, or refused in one message with file and cure.

    make bench NAME=rows_fuzz [ARGS="--images 5000 --rows 5000 --seed 0"]

``--rows`` is a number per format (JSON lines, TSV, Parquet, spread over the data sets that come in
it). A third of the rows' files have damaged bytes, the rest strange values. Every file goes
through the prepare stage. A message names the file and, where a row is at fault, the row.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vlprm.config.data import FileData
from vlprm.config.slices.prepare import PrepareSlice
from vlprm.errors import UserError
from vlprm.families.qwen25vl.resize import check_sides
from vlprm.io.pictures import load
from vlprm.stages import prepare

import damaged as data
from report import print_line

KINDS = {
    "jsonl": ("puzzlevqa", "algopuzzlevqa", "mathvista", "mathvision", "vqav2", "raven"),
    "tsv": ("mmmu-table",),
    "parquet": ("mathvista", "mathvision", "mmmu"),
}
"""Data sets that are published in each format."""
WRITERS = {"jsonl": data.write_jsonl, "tsv": data.write_tsv, "parquet": data.write_parquet}


class Outcomes:
    """What became of the cases; ``faults`` are tracebacks and messages that say too little."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    @contextlib.contextmanager
    def case(self, name: str, where: str) -> Iterator[None]:
        """One case: it passes, is refused well, or is a fault."""
        try:
            yield
        except UserError as error:
            lines = str(error).splitlines()
            well = len(lines) == 2 and lines[1].startswith("  -> ") and where in lines[0]
            self.counts["refused" if well else "fault"] += 1
            if not well:
                self.faults.append(f"{name}: says too little, or too much: {error}")
        except Exception:
            self.counts["fault"] += 1
            self.faults.append(f"{name}: {traceback.format_exc(limit=-3)}")
        else:
            self.counts["read"] += 1


def fuzz_images(n: int, seed: int) -> Outcomes:
    """Decode ``n`` damaged images; those refused are refused by name."""
    outcomes = Outcomes()
    whole = data.images(np.random.default_rng([seed, 0]))
    for number in range(n):
        draw = np.random.default_rng([seed, 1, number])
        broken = data.damaged(whole[number % len(whole)], draw)
        with outcomes.case(f"image {number}", "rows.jsonl:7"):
            picture = load(broken, "rows.jsonl:7")
            check_sides(picture.width, picture.height, "rows.jsonl:7")
            if picture.mode != "RGB":
                raise AssertionError(picture.mode)
    return outcomes


def fuzz_rows(suffix: str, n: int, seed: int, folder: Path) -> Outcomes:
    """Prepare ``n`` damaged files of one format."""
    outcomes = Outcomes()
    png = data.images(np.random.default_rng([seed, 0]))[0]
    (folder / "a.png").write_bytes(png)
    kinds = itertools.cycle(KINDS[suffix])
    for number, kind in zip(range(n), kinds, strict=False):
        draw = np.random.default_rng([seed, 2, number])
        path = folder / f"rows.{suffix}"
        found = data.rows(kind, png)
        bytes_too = draw.random() < 1 / 3
        if not bytes_too or draw.random() < 0.5:
            data.strange(found, draw)
        WRITERS[suffix](path, found, draw)
        if bytes_too:
            path.write_bytes(data.damaged(path.read_bytes(), draw))
        with outcomes.case(f"{suffix} {kind} {number}", path.name):
            _prepare(kind.removesuffix("-table"), path, folder)
    return outcomes


def _prepare(kind: str, path: Path, folder: Path) -> None:
    described: dict[str, Any] = {"kind": kind, "path": str(path), "n": 3, "shard_size": 3}
    data = FileData(**described)
    config = PrepareSlice(dataset="d", shard="000", data=data, start=0, stop=3, rows_sha256=None)
    for name in ("s.parquet", "i.parquet"):
        (folder / name).unlink(missing_ok=True)
    try:
        prepare.run(config, folder / "s.parquet", folder / "i.parquet")
    except UserError as error:
        place = str(error).splitlines()[0]
        whole = ("not a readable Parquet file", "no rows", "not a JSON", "has no rows")
        if not re.search(rf"{re.escape(path.name)}:\d+", place) and not any(
            said in place for said in whole
        ):
            raise AssertionError(f"names no row: {error}") from error
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        parts = {"images": fuzz_images(options.images, options.seed)}
        for suffix in KINDS:
            parts[suffix] = fuzz_rows(suffix, options.rows, options.seed, Path(temporary))
            print(f"{suffix}: {dict(parts[suffix].counts)}", flush=True)
    for name, outcomes in parts.items():
        print(f"{name}: {dict(outcomes.counts)}")
        faults += outcomes.faults
    print("\n".join(faults[:20]), file=sys.stderr)
    return 0 if print_line("rows_fuzz", len(faults), "faults", at_most=0) else 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main())
