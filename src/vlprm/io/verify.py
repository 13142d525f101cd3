"""Is this run the expected one? Artefact by artefact, and where a difference starts.

The stages of a run form a graph: each reads artefacts that others wrote. A difference spreads down
the graph. What matters is where it starts: stages whose inputs are the expected ones and whose
outputs are not. What else differs there (configuration, stage version, code, packages, prompts,
container, platform) is the list of suspects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vlprm.io.manifest import sha256_of
from vlprm.io.run_manifest import artefacts
from vlprm.provenance import RunManifest, StageRun

Outcome = Literal["same", "differs", "missing", "extra"]
DECLARED = ("config", "stage version", "packages", "prompts")
"""What a run states about itself: a difference here counts even where the bytes agree."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file of either run."""

    path: str
    outcome: Outcome
    """``missing``: expected, but not here; ``extra``: here, but not expected."""
    stage: str
    record: str
    """Path of the stage's own manifest."""
    touched: bool
    """The file is no longer what its stage wrote, or is gone."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A stage where a difference starts, or that states different facts for the same bytes."""

    stage: str
    record: str
    files: tuple[str, ...]
    """Outputs that differ; none where only stated facts do."""
    causes: tuple[str, ...]
    """Each ``what: expected -> here``; empty when nothing that is recorded differs."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer: every artefact, the first differing stages, and whether runs are the same."""

    artefacts: tuple[Artefact, ...]
    first: tuple[Origin, ...]
    stated: tuple[Origin, ...]
    """Stages with the expected bytes that state different facts than the expected run."""
    later: int
    """Stages that differ because something above them does."""

    @property
    def same(self) -> bool:
        """All bytes and all declared facts are the expected ones."""
        declared = (cause for origin in self.stated for cause in origin.causes)
        return all(item.outcome == "same" for item in self.artefacts) and not any(
            cause.startswith(DECLARED) for cause in declared
        )


def verify(ours: RunManifest, expected: RunManifest, folder: Path | None) -> Verification:
    """Compare two runs.

    ``folder``: where the paths of ``ours`` start; its files are hashed again. None compares what
    the manifests say.
    """
    here = {path: sha for path, (sha, _) in artefacts(ours).items()}
    on_disk = _hashed(here, folder) if folder else dict[str, str | None](here)
    found = tuple(_outcomes(ours, expected, on_disk))
    changed = {item.path for item in found if item.outcome != "same"}
    first, stated, later = [], [], 0
    for record in sorted(ours.stages.keys() | expected.stages.keys()):
        mine, theirs = ours.stages.get(record), expected.stages.get(record)
        files = tuple(i.path for i in found if i.record == record and i.outcome != "same")
        stage = (mine or theirs).stage  # type: ignore[union-attr]
        causes = _causes(mine, theirs, ours, expected, changed)
        causes += tuple(
            f"file {'gone' if item.outcome == 'missing' else 'changed'} after the stage wrote it:"
            f" {item.path}"
            for item in found
            if item.record == record and item.touched
        )
        if not files and causes:
            stated.append(Origin(stage, record, (), causes))
        elif files and _follows(mine, theirs, changed):
            later += 1
        elif files:
            first.append(Origin(stage, record, files, causes))
    return Verification(found, tuple(first), tuple(stated), later)


def _hashed(written: Mapping[str, str], folder: Path) -> dict[str, str | None]:
    """What lies on disk now; None where a file is gone."""
    return {
        path: sha256_of(folder / path) if (folder / path).is_file() else None for path in written
    }


def _outcomes(
    ours: RunManifest, expected: RunManifest, on_disk: Mapping[str, str | None]
) -> Iterator[Artefact]:
    mine, theirs = artefacts(ours), artefacts(expected)
    for path in sorted(mine.keys() | theirs.keys()):
        now = on_disk.get(path)
        _, record = mine.get(path) or theirs[path]
        stage = (ours.stages.get(record) or expected.stages[record]).stage
        outcome: Outcome
        if now is None:
            outcome = "missing"
        elif path not in theirs:
            outcome = "extra"
        else:
            outcome = "same" if now == theirs[path][0] else "differs"
        touched = path in mine and now != mine[path][0]
        yield Artefact(path, outcome, stage, record, touched)


def _follows(mine: StageRun | None, theirs: StageRun | None, changed: set[str]) -> bool:
    """Does the difference come from above, from a changed artefact among the stage's inputs?

    A stage that read the expected content and whose input was changed only afterwards does not
    follow: it never saw the change.
    """
    for path in (mine.inputs if mine else {}) | (theirs.inputs if theirs else {}):
        read = mine.inputs.get(path) if mine else None
        meant = theirs.inputs.get(path) if theirs else None
        if path in changed and (mine is None or read != meant):
            return True
    return False


def _causes(
    mine: StageRun | None,
    theirs: StageRun | None,
    ours: RunManifest,
    expected: RunManifest,
    changed: set[str],
) -> tuple[str, ...]:
    """What is recorded about a stage and differs, expected value first.

    Inputs that differ as artefacts of the run have an origin of their own and are left out.
    """
    if mine is None:
        return ("the stage did not run here",)
    if theirs is None:
        return ("the expected run has no such stage",)
    causes = [
        f"input {path}: {_short(theirs.inputs.get(path))} -> {_short(mine.inputs.get(path))}"
        for path in sorted(mine.inputs.keys() | theirs.inputs.keys())
        if mine.inputs.get(path) != theirs.inputs.get(path) and path not in changed
    ]
    causes += _changes("config", expected.configs[theirs.config], ours.configs[mine.config])
    causes += _changes("stage version", theirs.stage_version, mine.stage_version)
    causes += _changes("packages", theirs.packages, mine.packages)
    causes += _changes("prompts", theirs.prompts, mine.prompts)
    if mine.code != theirs.code:
        causes.append(f"code: {_short(theirs.code)} -> {_short(mine.code)}")
    causes += _changes("container", theirs.container, mine.container)
    causes += _changes("platform", theirs.platform, mine.platform)
    return tuple(causes)


def _changes(name: str, expected: Any, ours: Any) -> list[str]:
    """One line per value that differs, with its key: ``config ranking.draws: 4 -> 2``."""
    if isinstance(expected, dict) and isinstance(ours, dict):
        glue = "." if " " in name else " "
        return [
            line
            for key in sorted(expected.keys() | ours.keys())
            for line in _changes(f"{name}{glue}{key}", expected.get(key), ours.get(key))
        ]
    return [] if expected == ours else [f"{name}: {_short(expected)} -> {_short(ours)}"]


def _short(value: Any) -> str:
    """A value for one line: digests and long lists cut, an absent one named."""
    if value is None:
        return "none"
    text = str(value)
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= 60 else text[:57] + "..."
