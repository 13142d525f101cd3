"""Samples: rows of a source or benchmark become questions with images in a pack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from vlprm.benchmarks import BENCHMARKS
from vlprm.config.data import FileData, MatrixData
from vlprm.config.rehearsal import in_force
from vlprm.config.slices.prepare import PrepareSlice
from vlprm.errors import UserError
from vlprm.families import check_sides
from vlprm.importing.draft import SampleDraft
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded
from vlprm.io.pictures import load
from vlprm.records import Sample
from vlprm.sources import SOURCES, matrix_drafts
from vlprm.sources.sampling import sampled
from vlprm.stages import VERSIONS, Out


def run(config: PrepareSlice, samples: Out, images: Out) -> None:
    """Write the samples of one shard and their images."""
    with recorded(
        "prepare",
        VERSIONS["prepare"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=[samples, images],
    ) as counts:
        store = ImageStore()
        found = [_sample(draft, store) for draft in _drafts(config)]
        if not found:
            raise UserError(
                f"data set {config.dataset!r} has no rows {config.start} to {config.stop - 1}",
                where=_where(config),
                cure="lower n, or check that the file is the one you mean",
            )
        _no_duplicates(found, config)
        keys = {"dataset": config.dataset, "shard": config.shard}
        parquet.write(found, samples, Sample, keys=keys)
        counts["questions"] = len(found)
        counts["images"] = store.save(images)


def _drafts(config: PrepareSlice) -> Iterator[SampleDraft]:
    data = config.data
    if isinstance(data, MatrixData):
        return matrix_drafts(config.dataset, data.spec, data.seed, config.start, config.stop)
    root = Path(data.path)
    if data.hub is not None:
        root = Path("resources/data") / config.dataset / data.path
    importer = BENCHMARKS.get(data.kind) or SOURCES[data.kind]
    if data.sampling is not None:
        source = SOURCES[data.kind]
        rows = partial(sampled, source, config.dataset, root, data.sampling)
    else:
        rows = partial(importer.drafts, config.dataset, root, first=data.first)
    if rehearsal := in_force():
        return _largest(rows(start=0, stop=rehearsal.pool[config.dataset]), config.stop)
    return rows(start=config.start, stop=config.stop)


def _largest(drafts: Iterator[SampleDraft], n: int) -> Iterator[SampleDraft]:
    """Those with the most pixels, in the data set's order: a rehearsal's longest prompts."""
    sized = [
        (sum(p.width * p.height for p in _pictures(draft)), -place, draft)
        for place, draft in enumerate(drafts)
    ]
    chosen = sorted(sized, key=lambda item: item[:2], reverse=True)[:n]
    return (draft for _, _, draft in sorted(chosen, key=lambda item: -item[1]))


def _sample(draft: SampleDraft, store: ImageStore) -> Sample:
    return draft.to_sample(tuple([store.put(picture) for picture in _pictures(draft)]))


def _pictures(draft: SampleDraft) -> Iterator[Image.Image]:
    """The draft's images one after another, each one that a model can be shown.

    Raises UserError that names file, row, question and image of another.
    """
    for number, item in enumerate(draft.images, start=1):
        name = item.name if isinstance(item, Path) else number
        where = f"{draft.where or 'generated'}, question {draft.id}, image {name}"
        if isinstance(item, bytes | Path):
            picture = load(item, where)
        else:
            picture = item if isinstance(item, Image.Image) else item(load)
        check_sides(picture.width, picture.height, where)
        yield picture


def _no_duplicates(found: list[Sample], config: PrepareSlice) -> None:
    twice = [name for name, times in Counter(item.id for item in found).items() if times > 1]
    if twice:
        raise UserError(
            f"id {twice[0]!r} appears more than once",
            where=_where(config),
            cure="give every question an id of its own",
        )


def _where(config: PrepareSlice) -> str:
    return config.data.path if isinstance(config.data, FileData) else config.dataset
