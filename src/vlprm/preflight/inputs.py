"""What a run is given: configuration, files that it names, keys, fetched models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlprm import prompts
from vlprm.config.data import MatrixData
from vlprm.config.plan import Plan
from vlprm.errors import UserError
from vlprm.preflight.downloads import Download
from vlprm.preflight.finding import Finding, failure, named, ok, warning


def check_files(plan: Plan, workdir: Path) -> Iterator[Finding]:
    """Every file and folder that the configuration names by path."""
    wanted = dict(_paths(plan))
    absent = {path: where for path, where in wanted.items() if not (workdir / path).exists()}
    if not absent:
        yield ok("data files", f"{len(wanted)} named, all there")
        return
    shown = [f"{path} ({where})" for path, where in absent.items()]
    origins = {
        data.origin
        for data in plan.data.values()
        if not isinstance(data, MatrixData) and data.path in absent and data.origin
    }
    yield failure(
        "data files",
        f"{len(absent)} of {len(wanted)} not there: {named(shown)}",
        "put them there" + (f"; origins: {named(sorted(origins), 1)}" if origins else ""),
    )


def _paths(plan: Plan) -> Iterator[tuple[str, str]]:
    """Path -> the key that names it."""
    config = plan.config
    for name, data in plan.data.items():
        if not isinstance(data, MatrixData) and data.hub is None and name not in plan.published:
            kind = "sources" if name in config.sources else "benchmarks"
            yield data.path, f"{kind}.{name}"
    for name in plan.published:
        given = config.sources[name].published
        if given is not None:
            for key, path in given.model_dump().items():
                yield path, f"sources.{name}.published.{key}"
    if config.labels.examples.published:
        yield config.labels.examples.published, "labels.examples.published"
    for name, model in config.models.items():
        if model.source == "published" and model.path is not None:
            yield f"{model.path}/model.safetensors", f"models.{name}"


def check_prompts(plan: Plan) -> Iterator[Finding]:
    """Every prompt that the configuration names: it exists, and takes what it will be given."""
    wanted = dict(_prompts(plan))
    wrong = []
    for where, (name, slots) in wanted.items():
        try:
            prompts.render(name, **dict.fromkeys(slots, ""))
        except UserError as error:
            wrong.append(f"{where}: {error.what}")
    if wrong:
        yield failure("prompts", named(wrong), "name files of src/vlprm/prompts, without .txt")
    else:
        yield ok("prompts", f"{len(wanted)} named, all there")


def _prompts(plan: Plan) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """Key -> prompt and its slots."""
    config = plan.config
    for name, policy in config.policies.items():
        yield f"policies.{name}.user_prompt", (policy.user_prompt, ("question",))
        if policy.system_prompt is not None:
            yield f"policies.{name}.system_prompt", (policy.system_prompt, ())
    for name, prm in config.prms.items():
        yield f"prms.{name}.system_prompt", (prm.system_prompt, ())
    yield "labels.judge.prompt", (config.labels.judge.prompt, ("problem", "solution"))
    yield "labels.examples.system_prompt", (config.labels.examples.system_prompt, ())


def check_keys(keys: Mapping[str, str]) -> Iterator[Finding]:
    """Keys of services: present, never shown."""
    absent = [f"{name} ({why})" for name, why in keys.items() if not os.environ.get(name)]
    if absent:
        yield failure(
            "keys",
            f"not set: {named(absent)}",
            f"export {absent[0].split()[0]}=... in the shell that starts Snakemake",
        )
    else:
        yield ok("keys", f"set: {named(sorted(keys))}" if keys else "none needed")


def check_hub_token(pending: Sequence[Download]) -> Iterator[Finding]:
    """A token of the Hub, where something behind a licence is still to be fetched."""
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
    wanted = [item for item in found if item.kind != "image"]
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
