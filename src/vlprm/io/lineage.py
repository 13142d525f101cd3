"""Do a stage's inputs belong together? Their manifests say what was written, and from what.

Keys say which place of a run a table is for, so a table of another run, or one whose bytes changed,
has the right ones. Its content is told by the sha256 in the manifests: an input is what its stage
wrote, and was made from those other inputs that lie here now. Files without a manifest are not of a
run: nothing is known of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from vlprm.errors import UserError
from vlprm.provenance import FileRef, Manifest

SUFFIX = ".manifest.json"
_RESULTS = "results"


def check(found: Mapping[Path, str], outputs: Sequence[Path]) -> None:
    """Look at a stage's inputs, given with the sha256 of their bytes.

    Raises UserError for one that is not what its stage wrote, one that was made from another file
    than the input that is there, one that is an output too, and a manifest that is none.
    """
    for path in outputs:
        if any(path.resolve() == other.resolve() for other in found):
            raise UserError(
                "given as input and as output", where=str(path), cure="name another output"
            )
    manifests = _manifests(found)
    here = {path.resolve(): path for path in found}
    for file, manifest in manifests.items():
        for item in manifest.outputs:
            written = here.get((file.parent / item.path).resolve())
            if written is not None and found[written] != item.sha256:
                raise UserError(
                    f"not what stage {manifest.stage} wrote: damaged, edited, or of another run",
                    where=str(written),
                    cure="delete it and rerun the stage that writes it; if you mean this file,"
                    f" delete {file}",
                )
    places: dict[str, set[Path]] = {}
    for path in found:
        places.setdefault(_place(str(path)), set()).add(path)
    for file, manifest in manifests.items():
        for item in manifest.inputs:
            others = places.get(_place(item.path), set())
            if others and item.sha256 not in {found[other] for other in others}:
                raise _strange(file, manifest, item, min(others))


def _strange(file: Path, manifest: Manifest, item: FileRef, here: Path) -> UserError:
    made = os.path.normpath(file.parent / manifest.outputs[0].path)
    return UserError(
        f"stage {manifest.stage} made it from another {item.path} than is there now ({here}):"
        " a table of another run, or one left over",
        where=made,
        cure="delete it and rerun: the stage that writes it reads what is there now",
    )


def _manifests(found: Iterable[Path]) -> dict[Path, Manifest]:
    """Manifests of these files, by their path: beside the file, or beside a first output of the
    same folder."""
    manifests: dict[Path, Manifest] = {}

    @cache
    def of_folder(folder: Path) -> dict[Path, Manifest]:
        read = {file: _read(file) for file in sorted(folder.glob(f"*{SUFFIX}"))}
        return {file: one for file, one in read.items() if one is not None}

    for path in found:
        own = path.with_name(path.name + SUFFIX)
        if own.is_file():
            one = _read(own)
            if one is not None:
                manifests[own] = one
            continue
        for file, manifest in of_folder(path.parent).items():
            if any(item.path == path.name for item in manifest.outputs):
                manifests[file] = manifest
    return manifests


def _read(file: Path) -> Manifest | None:
    """None where the file went in between: a job beside us makes its output anew."""
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UserError(
            "this is no manifest", where=str(file), cure="delete it with its output, then rerun"
        ) from error


def _place(path: str) -> str:
    """A file's place in its run, which two runs share: ``rollouts/small/matrix/000.parquet``."""
    parts = Path(path).parts
    if _RESULTS in parts[:-2]:
        at = len(parts) - 1 - parts[::-1].index(_RESULTS)
        if at < len(parts) - 2:
            return "/".join(parts[at + 2 :])
    return str(Path(path).resolve())
