"""The manifest of a whole run, collected from what its stages wrote: every artefact by sha256."""

from __future__ import annotations

import hashlib
import json
from os.path import normpath
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.provenance import Manifest, Platform, RunManifest, StageRun, Timing

NAME = "manifest.json"
"""The run's manifest, in its results folder."""
SUFFIX = ".manifest.json"
_DIGITS = 16
R = TypeVar("R", Manifest, Timing, RunManifest)


def collect(results: Path) -> RunManifest:
    """The manifest of the run in ``results`` (``.../results/<run>``).

    Artefacts are what the stages say they wrote, with the sha256 of that moment. Hashing a file
    again shows whether it changed later. Raises UserError when no stage has finished there, or
    when a manifest cannot be read.
    """
    base = results.resolve().parents[1]
    manifests = sorted(results.resolve().rglob(f"?*{SUFFIX}"))
    if not manifests:
        raise UserError(
            "no finished stage",
            where=str(results),
            cure="give the results folder of a run, e.g. results/mini after `make demo`",
        )
    platforms: dict[str, Platform] = {}
    configs: dict[str, dict[str, Any]] = {}
    stages: dict[str, StageRun] = {}
    for path in manifests:
        manifest = _read(path, Manifest)
        timing = _timing(path)
        key = hashlib.sha256(_line(manifest.config).encode()).hexdigest()[:_DIGITS]
        configs[key] = manifest.config
        _add(platforms, timing.platform)
        folder = path.parent.relative_to(base)
        stages[path.relative_to(base).as_posix()] = StageRun(
            stage=manifest.stage,
            stage_version=manifest.stage_version,
            inputs={_relative(item.path, base): item.sha256 for item in manifest.inputs},
            outputs={normpath(folder / item.path): item.sha256 for item in manifest.outputs},
            config=key,
            code=timing.code,
            packages=manifest.packages,
            models=manifest.models,
            prompts=manifest.prompts,
            counts=manifest.counts,
            container=timing.container,
            platform=timing.platform.name,
        )
    return RunManifest(
        run=results.resolve().name, platforms=platforms, configs=configs, stages=stages
    )


def timings(results: Path) -> dict[str, Timing]:
    """Times, host and commit of every stage of a run, by the path of the stage's manifest."""
    root = results.resolve()
    return {
        path.relative_to(root.parents[1]).as_posix(): _timing(path)
        for path in sorted(root.rglob(f"?*{SUFFIX}"))
    }


def _timing(manifest: Path) -> Timing:
    return _read(manifest.with_name(manifest.name.removesuffix(SUFFIX) + ".timing.json"), Timing)


def _add(platforms: dict[str, Platform], new: Platform) -> None:
    """Keep one entry per class; where its jobs ran on several processors, name each."""
    known = platforms.get(new.name, new)
    processors = {*known.processor.split("; "), new.processor}
    merged = "; ".join(sorted(processors))
    platforms[new.name] = new.model_copy(update={"processor": merged})


def artefacts(manifest: RunManifest) -> dict[str, tuple[str, str]]:
    """Path of every artefact to (sha256, record of the stage that wrote it)."""
    return {
        path: (sha256, record)
        for record, stage in manifest.stages.items()
        for path, sha256 in stage.outputs.items()
    }


def load(path: Path) -> RunManifest:
    """Read a run's manifest.

    Raises UserError when it is absent or not one.
    """
    return _read(path, RunManifest)


def save(manifest: RunManifest, path: Path) -> None:
    """Write it with one line per stage and per configuration: small, and readable as a diff."""
    data = manifest.model_dump(mode="json")
    parts = [f'"run": {_line(data["run"])}']
    for block in ("platforms", "configs", "stages"):
        rows = [f" {_line(key)}: {_line(value)}" for key, value in sorted(data[block].items())]
        parts.append(f'"{block}": {{\n' + ",\n".join(rows) + "\n}")
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _line(data: object) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _relative(path: str, base: Path) -> str:
    """A path relative to the run's folder."""
    given = Path(path)
    return given.relative_to(base).as_posix() if given.is_relative_to(base) else given.as_posix()


def _read(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError("no such file", where=str(path), cure="finish the run first") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"not a {kind.__name__} of this version: {key}: {first['msg']}",
            where=str(path),
            cure="rerun the stage that wrote it, or give another file",
        ) from error


def expected_for(ours: RunManifest, place: Path) -> tuple[RunManifest, list[str]]:
    """The expected manifest to compare with, and the platform classes that have one.

    ``place`` is a manifest, or a folder of them named by platform class. Where the run's own class
    is not among them, the first one serves. Raises UserError when there is none.
    """
    if place.is_file():
        found = load(place)
        return found, [found.platform]
    files = {path.stem: path for path in sorted(place.glob("*.json"))}
    if not files:
        raise UserError(
            "no expected manifest",
            where=str(place),
            cure="give a manifest, or a folder such as configs/expected/mini",
        )
    return load(files.get(ours.platform) or next(iter(files.values()))), sorted(files)
