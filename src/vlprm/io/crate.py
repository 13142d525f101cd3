"""A run's provenance as an RO-Crate 1.1 in the Provenance Run Crate 0.5 profile (JSON-LD).

It is written without the ``rocrate`` package, which would stamp the current time and copy every
file; the profile is only a list of entities. Terms: w3id.org/ro/wfrun/provenance/0.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import vlprm
from vlprm.io.run_manifest import artefacts
from vlprm.provenance import RunManifest, StageRun, Timing

Entity = dict[str, Any]
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
LICENCE = "https://spdx.org/licenses/Apache-2.0"
WORKFLOW = "Snakefile"
ENGINE = "#snakemake"
LANGUAGE = "#snakemake-language"
PAPER = "https://arxiv.org/abs/2509.23250"
FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
    ".jinja": "text/plain",
}
ANY_FORMAT = "application/octet-stream"


def metadata(manifest: RunManifest, timings: dict[str, Timing], snakemake: str) -> str:
    """``ro-crate-metadata.json`` of a run whose crate root is the run's results folder.

    ``timings``: by record, for start and end of each action. The same run gives the same text,
    because its dates are those of its jobs.
    """
    files = _files(manifest)
    ended = max(item.finished for item in timings.values())
    begun = min(item.started for item in timings.values())
    stages = sorted(manifest.stages.items())
    actions = [_action(record, stage, timings[record], manifest) for record, stage in stages]
    tools = sorted({stage.stage for _, stage in stages})
    made = artefacts(manifest).keys()
    whole: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run {manifest.run} of the vlprm workflow",
        "instrument": {"@id": WORKFLOW},
        "object": _refs(manifest.run, sorted(files.keys() - made)),
        "result": _refs(manifest.run, sorted(made)),
        "startTime": _time(begun),
        "endTime": _time(ended),
    }
    graph = [
        *_root(manifest, ended, [*(item["@id"] for item in actions), "#run"], files),
        *_workflow(tools, snakemake),
        whole,
        _organize(actions, begun, ended),
        *(_control(action) for action in actions),
        *actions,
        *_platforms(manifest),
        *(_file(manifest.run, path, sha) for path, sha in sorted(files.items())),
    ]
    text = json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False)
    return text + "\n"


def _files(manifest: RunManifest) -> dict[str, str]:
    """Every file that was read or written, with its sha256 (as written, where the run wrote it)."""
    read = {path: sha for stage in manifest.stages.values() for path, sha in stage.inputs.items()}
    return read | {path: sha for path, (sha, _) in artefacts(manifest).items()}


def _id(run: str, path: str) -> str:
    """A result by its path below the crate; anything else as a named thing outside it."""
    inside = PurePosixPath("results", run)
    place = PurePosixPath(path)
    return (
        place.relative_to(inside).as_posix() if place.is_relative_to(inside) else f"#input/{path}"
    )


def _refs(run: str, paths: Iterable[str]) -> list[Entity] | Entity:
    """References to files; a single one stands alone, as RO-Crate 1.1 recommends."""
    found: list[Entity] = [{"@id": _id(run, path)} for path in paths]
    return found[0] if len(found) == 1 else found


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _root(
    manifest: RunManifest, ended: datetime, mentions: list[str], files: dict[str, str]
) -> Iterator[Entity]:
    ids = [_id(manifest.run, path) for path in sorted(files)]
    inside = [{"@id": name} for name in ids if not name.startswith("#")]
    yield {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": [
            {"@id": "https://w3id.org/ro/crate/1.1"},
            {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
        ],
        "about": {"@id": "./"},
    }
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": f"vlprm run {manifest.run}",
        "description": "Results of the vlprm workflow with the provenance of every file: "
        "vision-language process reward models, from questions to metric tables.",
        "datePublished": _time(ended),
        "license": {"@id": LICENCE},
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "mainEntity": {"@id": WORKFLOW},
        "hasPart": [{"@id": WORKFLOW}, *inside],
        "mentions": [{"@id": item} for item in mentions],
        "citation": {"@id": PAPER},
    }
    for profile, name in PROFILES.items():
        version = profile.rsplit("/", 1)[1]
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    yield {"@id": LICENCE, "@type": "CreativeWork", "name": "Apache License 2.0"}
    yield {"@id": PAPER, "@type": "ScholarlyArticle", "name": "Training Vision-Language Process "
           "Reward Models for Test-Time Scaling in Multimodal Reasoning"}  # fmt: skip


def _workflow(tools: list[str], snakemake: str) -> Iterator[Entity]:
    yield {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "vlprm",
        "version": vlprm.__version__,
        "license": {"@id": LICENCE},
        "encodingFormat": "text/plain",
        "programmingLanguage": {"@id": LANGUAGE},
        "hasPart": [{"@id": f"#stage/{tool}"} for tool in tools],
        "step": [{"@id": f"#step/{tool}"} for tool in tools],
    }
    yield {
        "@id": LANGUAGE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "url": {"@id": "https://snakemake.github.io"},
    }
    yield {
        "@id": ENGINE,
        "@type": "SoftwareApplication",
        "name": f"Snakemake {snakemake}",
        "softwareVersion": snakemake,
    }
    for position, tool in enumerate(tools):
        yield {
            "@id": f"#stage/{tool}",
            "@type": "SoftwareApplication",
            "name": f"vlprm {tool}",
            "softwareVersion": vlprm.__version__,
        }
        yield {
            "@id": f"#step/{tool}",
            "@type": "HowToStep",
            "name": tool,
            "position": str(position),
            "workExample": {"@id": f"#stage/{tool}"},
        }


def _action(record: str, stage: StageRun, timing: Timing, manifest: RunManifest) -> Entity:
    """One job: what ran, on what, with which configuration."""
    facts = {
        "configuration": manifest.configs[stage.config],
        "stage_version": stage.stage_version,
        "code_sha256": stage.code,
        "packages": stage.packages,
        "models": stage.models,
        "prompts": stage.prompts,
        "counts": stage.counts,
        "container": stage.container,
    }
    return {
        "@id": f"#job/{record}",
        "@type": "CreateAction",
        "name": f"{stage.stage}: {next(iter(stage.outputs))}",
        "description": json.dumps(facts, sort_keys=True, ensure_ascii=False),
        "instrument": {"@id": f"#stage/{stage.stage}"},
        "object": _refs(manifest.run, sorted(stage.inputs)),
        "result": _refs(manifest.run, sorted(stage.outputs)),
        "startTime": _time(timing.started),
        "endTime": _time(timing.finished),
        "location": {"@id": f"#platform/{stage.platform}"},
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _control(action: Entity) -> Entity:
    tool = action["instrument"]["@id"].rsplit("/", 1)[1]
    return {
        "@id": action["@id"].replace("#job/", "#control/", 1),
        "@type": "ControlAction",
        "name": f"Snakemake runs {action['name']}",
        "instrument": {"@id": f"#step/{tool}"},
        "object": {"@id": action["@id"]},
    }


def _organize(actions: list[Entity], begun: datetime, ended: datetime) -> Entity:
    return {
        "@id": "#organize",
        "@type": "OrganizeAction",
        "name": "Snakemake orders and starts the jobs",
        "instrument": {"@id": ENGINE},
        "object": [{"@id": item["@id"].replace("#job/", "#control/", 1)} for item in actions],
        "result": {"@id": "#run"},
        "startTime": _time(begun),
        "endTime": _time(ended),
    }


def _platforms(manifest: RunManifest) -> Iterator[Entity]:
    for name, platform in sorted(manifest.platforms.items()):
        yield {
            "@id": f"#platform/{name}",
            "@type": "Place",
            "name": platform.processor,
            "description": platform.model_dump_json(),
        }


def _file(run: str, path: str, sha256: str) -> Entity:
    entity: Entity = {
        "@id": _id(run, path),
        "@type": "File" if not _id(run, path).startswith("#") else "CreativeWork",
        "name": path,
        "sha256": sha256,
    }
    return entity | {"encodingFormat": FORMATS.get(PurePosixPath(path).suffix, ANY_FORMAT)}
