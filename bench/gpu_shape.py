"""Rollouts, scores, training, guided search and saving at the 3B and 7B shape, on one card.

usage: python bench/gpu_shape.py [3b|7b] [STEP ...]     (VLPRM_CHECKPOINTS: folder for checkpoints)
STEP: policy, estimate, scorer, guided, save, training, or one way of training
(training-wide-compiled).
Random weights; figures of single programs beside this one, each in a process of its own, kept in
bench/results/gpu_shape_SHAPE.json. The 7B shape trains with 12 of its 28 layers, because 16 bytes
per weight do not fit one card; it is saved and reloaded whole.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from gpu_image import enter, keep
from gpu_steps import Steps, checkpoint
from report import ROOT, print_line

FOLDER = Path(os.environ.get("VLPRM_CHECKPOINTS", ROOT / "build" / "checkpoints"))
BEFORE = {"candidates": 27.7, "training": 7600.0}
"""At the 3B shape, before: candidates and training tokens per second."""


def policy(steps: Steps, model: Path, repeats: int) -> None:
    """The stage's engine against plain vLLM: two sizes of picture."""
    for name, size, questions in (("small", "448x448", 128), ("large", "1008x812", 64)):
        steps.run(
            f"policy-{name}", "policy_shape.py", model, "--size", size, "--questions", questions,
            "--repeats", repeats, limit=400,
        )  # fmt: skip


def estimate(steps: Steps, model: Path) -> None:
    """The same for estimates: 16 continuations of 8 prefixes of each question."""
    steps.run(
        "estimate", "policy_shape.py", model, "--questions", 32, "--prefixes", 8, "--tokens", 128,
        "--repeats", 2, limit=300,
    )  # fmt: skip


def scorer(steps: Steps, model: Path) -> None:
    """The packed scorer and its variants."""
    steps.run(
        "scorer", "scoring_shape.py", model, "--variants", "default", "sdpa",
        limit=240,
    )  # fmt: skip


WAYS: dict[str, list[Any]] = {
    "all": ["--checkpointing", "all"],
    "again": ["--checkpointing", "all"],
    "compiled": ["--checkpointing", "all", "--compile"],
    "wide": ["--checkpointing", "all", "--micro-batch", 8],
    "wide-compiled": ["--checkpointing", "all", "--micro-batch", 8, "--compile"],
    "published": [
        *("--checkpointing", "all", "--micro-batch", 8, "--compile"),
        *("--accumulation", 8, "--steps", 6, "--warm-up", 2),
    ],
    "every-2": ["--checkpointing", 2, "--compile", "--micro-batch", 2, "--accumulation", 2],
}
"""Ways to train: 4 conversations at a time where nothing else is said, ``wide`` 8; ``published`` is
the recipe's batch of 64."""


def training(steps: Steps, model: Path, ways: list[str]) -> None:
    """ZeRO-2 and flash-attn, 20 optimizer steps where a way says nothing else."""
    zero = ["training_shape.py", "--model", model, "--deepspeed", "configs/deepspeed_zero2.json"]
    for name in ways:
        more = ["--steps", 20, "--warm-up", 6, "--workers", 8]
        work = ["--work", FOLDER / f"work-{model.name}-{name}"]
        steps.run(f"training-{name}", *zero, *more, *WAYS[name], *work, limit=240)


def best(steps: Steps, kind: str, figure: str) -> float:
    """The largest figure of the steps whose name begins with ``kind``."""
    values = [
        float(value)
        for name, found in steps.found.items()
        if name.startswith(kind)
        for key, value in found.items()
        if key.endswith(figure)
    ]
    return max(values, default=0.0)


def main() -> int:
    shape = sys.argv[1] if sys.argv[1:] else "3b"
    steps = Steps(f"gpu_shape_{shape}")
    model = checkpoint(FOLDER / shape, shape)
    wanted = sys.argv[2:] or ["policy", "estimate", "scorer", "guided", "save", "training"]
    if "policy" in wanted:
        policy(steps, model, 2 if shape == "3b" else 1)
    if "estimate" in wanted:
        estimate(steps, model)
    if "scorer" in wanted:
        scorer(steps, model)
    if "guided" in wanted:
        steps.run("guided", "guided_shape.py", model, model, limit=240)
    if "save" in wanted:
        steps.run("save", "save_shape.py", model, FOLDER / f"saved-{shape}", limit=240)
    default = list(WAYS) if shape == "3b" else ["all", "wide-compiled"]
    ways = [name for name in WAYS if f"training-{name}" in wanted]
    if "training" in wanted or ways:
        trained = model if shape == "3b" else checkpoint(FOLDER / "7b-12", "7b", "--layers", 12)
        training(steps, trained, ways or default)
    digests = [steps.found.get(f"training-{name}", {}).get("sha256") for name in ("all", "again")]
    if shape == "3b" and all(digests):
        print_line("3b_training_repeat_differs", int(digests[0] != digests[1]), "files", at_most=0)
    ratios = [found.get("ratio", 0.0) for name, found in steps.found.items() if "ratio" in found]
    met = [
        print_line(f"{shape}_policy_ratio", min(ratios, default=0.0), "of plain", at_least=0.95),
        print_line(
            f"{shape}_scorer", best(steps, "scorer", "default: candidates"), "candidates/s",
            at_least=2 * BEFORE["candidates"] if shape == "3b" else None,
        ),
        print_line(
            f"{shape}_scorer_peak", best(steps, "scorer", "default: share of peak"), "of peak",
            at_least=0.4,
        ),
        print_line(
            f"{shape}_training", best(steps, "training", "/tokens"), "tokens/s",
            at_least=2 * BEFORE["training"] if shape == "3b" else None,
        ),
        print_line(f"{shape}_failed_steps", len(steps.failed), "steps", at_most=0),
    ]  # fmt: skip
    keep(f"gpu_shape_{shape}", {"failed": steps.failed})
    return 0 if all(met) else 1


if __name__ == "__main__":
    enter()
    sys.exit(main())
