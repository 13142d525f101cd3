"""Fingerprints of one shard's questions and images, for the leak check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlprm.config.slices.leaks import FingerprintSlice
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.io.keys import keys_of
from vlprm.io.manifest import recorded
from vlprm.leaks.fingerprints import (
    Fingerprint,
    ImageFingerprint,
    fingerprint_image,
    question_digest,
)
from vlprm.records import Sample
from vlprm.stages import VERSIONS, In, Out


def run(config: FingerprintSlice, samples: In, images: In, fingerprints: Out) -> None:
    """Read samples and their images, write one fingerprint for each sample."""
    with recorded(
        "fingerprint",
        VERSIONS["fingerprint"],
        config.model_dump(mode="json"),
        inputs=[samples, images],
        outputs=[fingerprints],
    ) as counts:
        keys = keys_of(samples, Sample, "dataset", "shard")
        found = _fingerprints(config, samples, images, counts)
        counts["questions"] = parquet.write(found, fingerprints, Fingerprint, keys=keys)


def _fingerprints(
    config: FingerprintSlice, samples: Path, images: Path, counts: dict[str, int]
) -> Iterator[Fingerprint]:
    """One sample after another; an image that several show is opened once."""
    store = ImageStore(images)
    seen: dict[str, ImageFingerprint] = {}
    for sample in parquet.iterate([samples], Sample):
        for ref in sample.images:
            if ref.sha256 not in seen:
                seen[ref.sha256] = fingerprint_image(ref.sha256, store.open(ref))
        counts["images"] = len(seen)
        yield Fingerprint(
            sample_id=sample.id,
            question=question_digest(sample.question, config.ignore),
            images=tuple(seen[ref.sha256] for ref in sample.images),
        )
