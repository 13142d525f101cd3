"""A published run of one source: its rollouts, estimates and verdicts as records."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from vlprm.config.slices import PublishedSlice
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.images import ImageStore, load
from vlprm.io.manifest import recorded
from vlprm.labels.verdicts import parse_verdict
from vlprm.records import ImageRef, Rollout, Sample, Step, StepEstimate, Verdict
from vlprm.rows import read_jsonl, read_objects
from vlprm.sources.published import PublishedRollouts, Reply, read_requests
from vlprm.sources.unusable import Unusable
from vlprm.stages import VERSIONS


def run(config: PublishedSlice, inputs: tuple[Path, Path, Path], outputs: tuple[Path, ...]) -> None:
    """Read ``(rollouts, judge requests, judge results)``, write all tables of the source.

    ``outputs``: samples, images, rollouts, estimates, verdicts. Beside the rollouts lies
    ``<shard>.unusable.csv``: whatever was left out, with its reason.
    """
    unusable = outputs[2].with_suffix(".unusable.csv")
    with recorded(
        "published",
        VERSIONS["published"],
        config.model_dump(mode="json"),
        inputs=list(inputs),
        outputs=[*outputs, unusable],
    ) as counts:
        rows, requests, results = inputs
        found = PublishedRollouts(config.dataset, config.kind, str(rows))
        for _ in found.read(read_jsonl(rows)):  # an index of the whole comes first
            pass
        store = ImageStore()
        refs: dict[str, ImageRef] = {}

        def keep_image(sample_id: str, image: bytes) -> None:
            refs[sample_id] = store.put(load(image, where=sample_id))

        judged = read_requests(read_objects(requests), found, keep_image)
        samples = [
            sample.model_copy(update={"images": (refs[sample.id],)})
            for sample in found.samples.values()
            if sample.id in refs
        ][: config.n]
        kept = {sample.id for sample in samples}
        replies = judged.read(read_objects(results))
        # the last of the inputs is read before anything else is written
        counts["verdicts"] = tables.write(_verdicts(replies, found, kept), outputs[4], Verdict)
        counts["questions"] = tables.write(samples, outputs[0], Sample)
        counts["images"] = store.save(outputs[1])
        _write_rollouts(config, rows, kept, outputs[2], outputs[3], counts)
        left_out = [*found.unusable, *judged.unusable]
        left_out += [
            Unusable(name, "no judge request carries its image")
            for name in found.samples
            if name not in refs
        ]
        write_text(unusable, listing((item.where, item.reason) for item in left_out))
        counts["unusable"] = len(left_out)


def _write_rollouts(
    config: PublishedSlice,
    rows: Path,
    kept: set[str],
    rollouts: Path,
    estimates: Path,
    counts: dict[str, int],
) -> None:
    """Read the rows again and write rollouts and estimates of the samples that are kept."""
    right_of_all: dict[str, array[int]] = {}

    def chosen() -> Iterator[Rollout]:
        again = PublishedRollouts(config.dataset, config.kind, str(rows))
        for rollout, values in again.read(read_jsonl(rows)):
            if rollout.sample_id in kept:
                flat = [number for item in values for number in (item.n_correct, item.n_graded)]
                right_of_all[rollout.id] = array("q", flat)
                yield rollout

    counts["rollouts"] = tables.write(chosen(), rollouts, Rollout)
    found = (
        StepEstimate(
            rollout_id=name, step_index=index, n_correct=correct, n_graded=graded, n_failed=0
        )
        for name, flat in right_of_all.items()
        for index, (correct, graded) in enumerate(zip(flat[::2], flat[1::2], strict=True))
    )
    tables.write(found, estimates, StepEstimate)


def _verdicts(
    replies: Iterator[Reply], found: PublishedRollouts, kept: set[str]
) -> Iterator[Verdict]:
    for reply in replies:
        if reply.rollout_id.rpartition("#")[0] in kept:
            # a verdict names a step by section and number: its text is not asked
            steps = [
                Step(index=index, section=section, text="", end=0)
                for index, section in enumerate(found.sections[reply.rollout_id])
            ]
            yield parse_verdict(reply.rollout_id, reply.judge, reply.raw, steps)
