"""A published run of one source: its rollouts, estimates and verdicts as records."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from vlprm.config.slices.import_rollouts import ImportRolloutsSlice
from vlprm.errors import UserError
from vlprm.families import check_sides
from vlprm.importing import read_jsonl, read_objects
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.images import ImageStore
from vlprm.io.keys import Keys
from vlprm.io.manifest import recorded
from vlprm.io.pictures import load
from vlprm.labels.verdicts import parse_verdict
from vlprm.records import ImageRef, Rollout, Sample, Step, StepEstimate, Verdict
from vlprm.solutions.rollouts import sample_of
from vlprm.sources.published import PublishedRollouts, Reply, read_requests
from vlprm.sources.unusable import Unusable
from vlprm.stages import VERSIONS, In, Out


def run(
    config: ImportRolloutsSlice,
    rollouts: In,
    requests: In,
    results: In,
    samples: Out,
    images: Out,
    to_rollouts: Out,
    estimates: Out,
    verdicts: Out,
) -> None:
    """Read published rollouts, judge requests and results; write all tables of the source.

    Beside ``to_rollouts`` lies ``<shard>.unusable.csv``: whatever was left out, with its reason.
    """
    unusable = to_rollouts.with_suffix(".unusable.csv")
    with recorded(
        "import_rollouts",
        VERSIONS["import_rollouts"],
        config.model_dump(mode="json"),
        inputs=[rollouts, requests, results],
        outputs=[samples, images, to_rollouts, estimates, verdicts, unusable],
    ) as counts:
        found = PublishedRollouts(config.dataset, config.kind, str(rollouts), config.policy)
        for _ in found.read(read_jsonl(rollouts)):  # an index of the whole comes first
            pass
        store = ImageStore()
        refs: dict[str, ImageRef] = {}

        def keep_image(sample_id: str, image: bytes) -> str | None:
            try:
                picture = load(image, sample_id)
                check_sides(picture.width, picture.height)
            except UserError as error:
                return error.what
            refs[sample_id] = store.put(picture)
            return None

        judged = read_requests(read_objects(requests), found, keep_image)
        chosen = [
            sample.model_copy(update={"images": (refs[sample.id],)})
            for sample in found.samples.values()
            if sample.id in refs
        ][: config.n]
        kept = {sample.id for sample in chosen}
        replies = judged.read(read_objects(results))
        # the last of the inputs is read before anything else is written
        of_samples = {"dataset": config.dataset, "shard": config.shard}
        keys = of_samples | {"policy": config.policy}
        counts["verdicts"] = parquet.write(
            _verdicts(replies, found, kept), verdicts, Verdict, keys=keys
        )
        counts["questions"] = parquet.write(chosen, samples, Sample, keys=of_samples)
        counts["images"] = store.save(images)
        _write_rollouts(config, rollouts, kept, (to_rollouts, estimates), keys, counts)
        left_out = [*found.unusable, *judged.unusable]
        left_out += [
            Unusable(name, "no judge request carries its image")
            for name in found.samples
            if name not in refs
        ]
        write_text(unusable, listing((item.where, item.reason) for item in left_out))
        counts["unusable"] = len(left_out)


def _write_rollouts(
    config: ImportRolloutsSlice,
    rows: Path,
    kept: set[str],
    outputs: tuple[Path, ...],
    keys: Keys,
    counts: dict[str, int],
) -> None:
    """Read the rows again and write rollouts and estimates of the samples that are kept."""
    rollouts, estimates = outputs
    right_of_all: dict[str, array[int]] = {}

    def chosen() -> Iterator[Rollout]:
        again = PublishedRollouts(config.dataset, config.kind, str(rows), config.policy)
        for rollout, values in again.read(read_jsonl(rows)):
            if rollout.sample_id in kept:
                flat = [number for item in values for number in (item.n_correct, item.n_graded)]
                right_of_all[rollout.id] = array("q", flat)
                yield rollout

    counts["rollouts"] = parquet.write(chosen(), rollouts, Rollout, keys=keys)
    found = (
        StepEstimate(
            rollout_id=name, step_index=index, n_correct=correct, n_graded=graded, n_failed=0
        )
        for name, flat in right_of_all.items()
        for index, (correct, graded) in enumerate(zip(flat[::2], flat[1::2], strict=True))
    )
    parquet.write(found, estimates, StepEstimate, keys=keys)


def _verdicts(
    replies: Iterator[Reply], found: PublishedRollouts, kept: set[str]
) -> Iterator[Verdict]:
    for reply in replies:
        if sample_of(reply.rollout_id) in kept:
            # a verdict names a step by section and number: its text is not asked
            steps = [
                Step(index=index, section=section, text="", end=0)
                for index, section in enumerate(found.sections[reply.rollout_id])
            ]
            yield parse_verdict(reply.rollout_id, reply.judge, reply.raw, steps)
