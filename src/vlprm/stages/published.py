"""A published run of one source: its rollouts, estimates and verdicts as records."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.slices import PublishedSlice
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.images import ImageStore, load
from vlprm.io.manifest import recorded
from vlprm.labels.verdicts import parse_verdict
from vlprm.records import Rollout, Sample, StepEstimate, Verdict
from vlprm.rows import read_jsonl, read_objects
from vlprm.sources.published import PublishedRollouts, read_judged, read_rollouts
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
        found = read_rollouts(read_jsonl(rows), config.dataset, config.kind, str(rows))
        judged = read_judged(read_objects(requests), read_objects(results), found)
        left_out = [*found.unusable, *judged.unusable]
        store = ImageStore()
        samples = _with_images(found, judged.images, store, left_out)[: config.n]
        kept = {sample.id for sample in samples}
        rollouts = [item for item in found.rollouts if item.sample_id in kept]
        solutions = {item.id: item for item in rollouts}
        estimates = [item for item in found.estimates if item.rollout_id in solutions]
        verdicts = [
            parse_verdict(item.rollout_id, item.judge, item.raw, solutions[item.rollout_id].steps)
            for item in judged.replies
            if item.rollout_id in solutions
        ]
        tables.write(samples, outputs[0], Sample)
        counts["images"] = store.save(outputs[1])
        tables.write(rollouts, outputs[2], Rollout)
        tables.write(estimates, outputs[3], StepEstimate)
        tables.write(verdicts, outputs[4], Verdict)
        write_text(unusable, listing((item.where, item.reason) for item in left_out))
        counts["questions"], counts["rollouts"] = len(samples), len(rollouts)
        counts["verdicts"], counts["unusable"] = len(verdicts), len(left_out)


def _with_images(
    found: PublishedRollouts,
    images: dict[str, bytes],
    store: ImageStore,
    left_out: list[Unusable],
) -> list[Sample]:
    """Samples with the image their judge request carried; without one a sample is left out."""
    samples = []
    for sample in found.samples:
        if sample.id not in images:
            left_out.append(Unusable(sample.id, "no judge request carries its image"))
            continue
        ref = store.put(load(images[sample.id], where=sample.id))
        samples.append(sample.model_copy(update={"images": (ref,)}))
    return samples
