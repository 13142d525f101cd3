"""What a run is given: configuration, files that it names, keys, fetched models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlprm.config.files import NamedFile, named_files
from vlprm.config.plan import Plan
from vlprm.config.reader import ConfigFile
from vlprm.preflight.downloads import Download
from vlprm.preflight.finding import Finding, failure, named, ok, warning


def check_files(plan: Plan, workdir: Path) -> Iterator[Finding]:
    """Every file and folder that the configuration names by path."""
    file = plan.file or ConfigFile("", plan.config.model_dump())
    yield from check_named(file, workdir)


def check_named(file: ConfigFile, workdir: Path) -> Iterator[Finding]:
    """The same for a file as it was read, whether or not it is a valid configuration."""
    wanted = {item.path: item for item in named_files(file.data)}
    absent = [item for path, item in wanted.items() if not (workdir / path).exists()]
    if not absent:
        yield ok("data files", f"{len(wanted)} named, all there")
        return
    shown = [_shown(item, file) for item in absent]
    origins = sorted({item.origin for item in absent if item.origin})
    yield failure(
        "data files",
        f"{len(absent)} of {len(wanted)} not there: {named(shown, len(shown))}",
        "put them there" + (f"; origins: {named(origins, 1)}" if origins else ""),
    )


def _shown(item: NamedFile, file: ConfigFile) -> str:
    line = file.line(item.loc)
    place = f"{file.name}:{line}: " if line is not None else ""
    return f"{place}{item.path} ({item.key})"


def check_keys(keys: Mapping[str, str]) -> Iterator[Finding]:
    """Keys of services: checked, never shown."""
    absent = [f"{name} ({why})" for name, why in keys.items() if not os.environ.get(name)]
    if absent:
        yield failure(
            "keys",
            f"not set: {named(absent)}",
            f"export {absent[0].split()[0]}=... in the shell that starts Snakemake",
        )
    else:
        yield ok("keys", f"set: {named(sorted(keys))}" if keys else "none needed")


def check_budgets(judges: Sequence[str]) -> Iterator[Finding]:
    """Nothing that costs money is asked before somebody has said how much it may cost."""
    if judges:
        yield failure(
            "budget",
            f"calls of {named(judges)} cost money, and no budget is given",
            "see `vlprm plan`, then set labels.judge.budget (a number, or unlimited)",
        )


def check_hub_token(pending: Sequence[Download]) -> Iterator[Finding]:
    """A token for the Hub, where something behind a licence is still to be fetched."""
    gated = [item.name for item in pending if item.hub is not None and item.hub.gated]
    if not gated:
        yield ok("Hub token", "none needed")
    elif hub_token_set():
        yield ok("Hub token", f"set, for {named(gated)}")
    else:
        yield failure(
            "Hub token",
            f"HF_TOKEN is not set, and {named(gated)} lie behind a licence",
            "accept the licence on the model's page, then export HF_TOKEN=...",
        )


def hub_token_set() -> bool:
    """Whether the Hub's client would find a token: in its variables or in its file."""
    if os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"):
        return True
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    file = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    try:
        return bool(file.read_text(encoding="utf-8").strip())
    except OSError:
        return False


def check_cache(found: Sequence[Download]) -> Iterator[Finding]:
    """Which models and data sets of the Hub are fetched; the workflow fetches the others."""
    wanted = [item for item in found if item.kind != "container"]
    missing = [item.name for item in wanted if item.state != "there"]
    if not wanted:
        yield ok("model cache", "nothing comes from the Hub")
    elif missing:
        gb = sum(item.still_gb for item in wanted)
        yield warning(
            "model cache",
            f"{len(missing)} of {len(wanted)} still to fetch, about {gb:.1f} GB: {named(missing)}",
            "`snakemake fetch` with the same configuration, where there is network",
        )
    else:
        yield ok("model cache", f"all {len(wanted)} fetched")
