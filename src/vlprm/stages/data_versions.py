"""The table of data versions: every data set with its source, revision, sha256 and licence."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

from vlprm import __version__
from vlprm.config.slices.data_versions import DataFacts, DataVersionsSlice
from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.io.manifest import recorded, sha256_of
from vlprm.stages import VERSIONS, Out

COLUMNS = ("name", "role", "kind", "questions", "version", "source", "url", "revision", "sha256",
           "licence")  # fmt: skip
NOT_STATED = "not stated"


def run(config: DataVersionsSlice, table: Out, page: Out) -> None:
    """Hash every data set's files; write a CSV and a page.

    The sha256 is of the one file, of a folder's files (names and their sha256, sorted), of the
    listing of what was fetched, or of a generator's settings.
    """
    with recorded(
        "data_versions",
        VERSIONS["data_versions"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=[table, page],
    ) as counts:
        rows = [_row(item) for item in config.data]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(table, buffer.getvalue())
        write_text(page, _page(rows))
        counts["data_sets"] = len(rows)


def _row(item: DataFacts) -> dict[str, str]:
    generated = item.recipe is not None
    folder = "datasets/" if item.repo_type == "dataset" else ""
    url = f"https://huggingface.co/{folder}{item.repo}/tree/{item.revision}" if item.repo else ""
    named = (word.strip("(),;") for word in (item.origin or "").split())
    stated = next((word for word in named if word.startswith("https://")), "")
    return {
        "name": item.name,
        "role": item.role,
        "kind": item.kind,
        "questions": str(item.questions),
        "version": item.version or (f"vlprm {__version__}" if generated else NOT_STATED),
        "source": "generated" if generated else item.repo or item.origin or str(item.path),
        "url": url or stated,
        "revision": item.revision or "",
        "sha256": _sha256(item),
        "licence": item.licence or ("Apache-2.0" if generated else NOT_STATED),
    }


def _sha256(item: DataFacts) -> str:
    if item.recipe is not None:
        return hashlib.sha256(item.recipe.encode()).hexdigest()
    if item.repo is not None:
        return _listing(Path("resources/data", item.name, "fetch.json"))
    root = Path(str(item.path))
    if not root.is_dir():
        return sha256_of(root)
    found = {
        path.relative_to(root).as_posix(): sha256_of(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _listing(path: Path) -> str:
    """Of what was fetched: the files' own sha256 as they were checked then."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            "no listing of what was fetched", where=str(path), cure="run snakemake fetch"
        ) from error
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _page(rows: list[dict[str, str]]) -> str:
    lines = ["# Data versions", "", "| " + " | ".join(COLUMNS) + " |"]
    lines += ["|:--|:--|:--|--:|" + ":--|" * (len(COLUMNS) - 4)]
    for row in rows:
        cells = [row[name].replace("|", "\\|") for name in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "sha256: of the file; of a folder, of its files' names and sha256; of what came from the",
        "Hub, of the listing of its files; of what is generated, of its settings. Version and",
        "licence are what the configuration states.",
    ]
    return "\n".join(lines) + "\n"
