"""PRM training: conversations in, a checkpoint out."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from vlprm.config.slices.train import TrainSlice
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.io.manifest import checkpoint_files, recorded, sha256_of, versions
from vlprm.labels.soft import SoftPRMExample
from vlprm.records import PRMExample
from vlprm.solutions.rollouts import sample_of
from vlprm.stages import VERSIONS, Argument, In, Out
from vlprm.training import forget_training, train_prm
from vlprm.training.processes import first_process
from vlprm.training.subset import Subset, of_questions

log = logging.getLogger(__name__)
WANTED, FOUND = "questions_wanted", "questions_found"


def run(
    config: TrainSlice,
    examples: In,
    images: list[In],
    base: In,
    weights: Out,
    workers: Annotated[int, Argument("processes per GPU that prepare batches", least=0)] = 0,
    save_minutes: Annotated[float, Argument("time between two saved states", least=0)] = 30,
) -> None:
    """Train one PRM; its folder is complete when ``weights`` is there.

    Under torchrun every process runs this, and the first one writes and records. A run that was
    killed goes on from its last state, which is removed once the checkpoint is recorded.
    """
    outputs = [weights]
    inputs = [examples, *images, base]
    record = (
        recorded(
            "train",
            VERSIONS["train"],
            config.model_dump(mode="json"),
            inputs=inputs,
            outputs=outputs,
            models={config.base.name: sha256_of(base)},
            gpus=len(config.base.placement.devices),
        )
        if first_process()
        else nullcontext(dict[str, int]())
    )
    with record as counts:
        chosen, questions = _conversations(config, examples)
        if first_process():
            _tell_of_fewer(questions)
        trained = train_prm(
            config.training,
            config.base.model,
            base.parent,
            chosen,
            ImageStore(*images),
            weights.parent,
            workers=workers,
            save_minutes=save_minutes,
            digest=_digest(config, inputs) if first_process() else "",
        )
        counts.update(trained | questions)
        if first_process():
            outputs += checkpoint_files(weights)
    forget_training(weights.parent)


def _conversations(
    config: TrainSlice, examples: Path
) -> tuple[Sequence[PRMExample], dict[str, int]]:
    """All of them, or those of as many questions as the recipe says; then the counts of these."""
    record = SoftPRMExample if config.soft else PRMExample
    rows: Sequence[PRMExample] = parquet.Rows(examples, record)
    most = config.training.questions
    if most is None:
        return rows, {}
    ids = parquet.frame([examples], record, ["rollout_id"])["rollout_id"]
    owners = list(map(sample_of, ids))
    counts = {WANTED: most, FOUND: min(most, len(set(owners)))}
    return Subset(rows, of_questions(owners, most, config.training.seed)), counts


def _tell_of_fewer(questions: Mapping[str, int]) -> None:
    """One line where labels are left for fewer questions than the recipe asks for.

    No error: labelling loses some of nearly every source, so a curve over the size whose last point
    is all of them would end there, after all the labels were paid for.
    """
    if questions and questions[FOUND] < questions[WANTED]:
        log.warning(
            "train: training.*.questions asks for %d questions, and %d have conversations:"
            " trains on these",
            *(questions[WANTED], questions[FOUND]),
        )


def _digest(config: TrainSlice, inputs: list[Path]) -> str:
    """Of everything that decides the bytes of the checkpoint.

    So do the number of processes (which conversations stand together) and whether there are GPUs.
    """
    facts = {
        "stage": VERSIONS["train"],
        "config": config.model_dump(mode="json"),
        "inputs": [sha256_of(path) for path in inputs if path.is_file()],
        "deepspeed": _text(config.training.deepspeed),
        "on_gpu": bool(config.base.placement.devices),
        "processes": os.environ.get("WORLD_SIZE", "1"),
        "packages": versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _text(path: str | None) -> str | None:
    return Path(path).read_text(encoding="utf-8") if path and Path(path).is_file() else None
