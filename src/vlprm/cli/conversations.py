"""The command that brings published training conversations into a run without a rollout."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from vlprm.cli.app import for_people

EVERY = 10_000
"""Rows from one line of progress to the next."""


@for_people("import-conversations")
def import_conversations(
    rows: Annotated[Path, typer.Argument(help="Parquet file of conversations, or their folder")],
    folder: Annotated[Path, typer.Argument(help="where labels.examples.published will point")],
    n: Annotated[int | None, typer.Option(help="the first so many conversations", min=1)] = None,
    system_prompt: Annotated[
        str | None, typer.Option(help="name of the prompt to put in place of the rows' own")
    ] = None,
) -> None:
    """Write published conversations (VL-PRM300K, raw or training schema) as training data."""
    found = Importing(rows, n, system_prompt)
    counts = found.write(folder)
    typer.echo(" ".join(f"{name}={value}" for name, value in counts.items()))
    if counts["unusable"]:
        typer.echo(f"left out, with reasons: {folder / 'unusable.csv'}", err=True)


class Importing:
    """One import: conversations as they are read, images kept once, what cannot be used."""

    def __init__(self, rows: Path, n: int | None, system_prompt: str | None) -> None:
        from vlprm import prompts
        from vlprm.io.images import ImageStore

        self.rows, self.n = rows, n
        self.system = prompts.render(system_prompt) if system_prompt else None
        self.store = ImageStore()
        self.refs: dict[bytes, Any] = {}
        self.unusable: list[tuple[str, str]] = []
        self.numbers = Counter[str]()
        self.labels = Counter[str]()

    def write(self, folder: Path) -> dict[str, int]:
        """Write examples, images and the list of what was left out; the counts.

        The examples come last: a folder that holds them holds everything.
        """
        from vlprm.errors import UserError
        from vlprm.io import parquet
        from vlprm.io.atomic import write_text
        from vlprm.io.csv_list import listing
        from vlprm.records import PRMExample

        examples = folder / "examples.parquet"
        part = folder / "examples.parquet.part"
        if examples.exists():
            raise UserError("holds conversations already", where=str(folder), cure="name another")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            written = parquet.write(
                self._examples(), part, PRMExample, keys={"policy": "published"}
            )
            if not written:
                raise UserError(
                    f"no usable conversation in {len(self.unusable)} rows"
                    + (f"; the first: {self.unusable[0][1]}" if self.unusable else ""),
                    where=self.unusable[0][0] if self.unusable else str(self.rows),
                    cure="give files of the schema that docs/data.md describes",
                )
            images = self.store.save(folder / "images.parquet")
            write_text(folder / "unusable.csv", listing(self.unusable))
            part.replace(examples)
        finally:
            part.unlink(missing_ok=True)
        counts = {"conversations": written, "images": images}
        return counts | {"unusable": len(self.unusable), **dict(sorted(self.labels.items()))}

    def _examples(self) -> Iterator[Any]:
        from vlprm.errors import UserError
        from vlprm.importing import files, read_parquet
        from vlprm.records import PRMExample
        from vlprm.solutions.rollouts import rollout_id
        from vlprm.sources.conversations import conversation

        found = files(self.rows, "*.parquet", "*/*.parquet")
        read = ((f"{path}:{number}", row) for path in found for number, row in read_parquet(path))
        made = 0
        for count, (where, row) in enumerate(read):
            if self.n is not None and made >= self.n:
                return
            if count and count % EVERY == 0:
                typer.echo(f"{count:,} rows read", err=True)
            try:
                item = conversation(row, where)
                images = tuple(self._ref(image, where) for image in item.images)
            except UserError as error:
                self.unusable.append((where, error.what))
                continue
            number = self.numbers[item.sample]
            self.numbers[item.sample] += 1
            made += 1
            self.labels["plus"] += sum(item.labels)
            self.labels["minus"] += len(item.labels) - sum(item.labels)
            yield PRMExample(
                rollout_id=rollout_id(item.sample, "published", number),
                images=images,
                system=item.system if self.system is None else self.system,
                question=item.question,
                steps=item.steps,
                labels=item.labels,
            )

    def _ref(self, image: bytes, where: str) -> Any:
        from vlprm.families import check_sides
        from vlprm.io.pictures import load

        name = hashlib.sha256(image).digest()
        if name not in self.refs:
            picture = load(image, where)
            check_sides(picture.width, picture.height, where)
            self.refs[name] = self.store.put(picture)
        return self.refs[name]
