"""Two cards: policy on one and PRM on the other; a 32B shape over both; training over both.

usage: python bench/gpu_pair.py [STEP ...] [beside]     (VLPRM_CHECKPOINTS: folder for checkpoints)
The 32B shape has 12 of its 64 layers and 8 of its 32 vision blocks. Training: the same 12 steps of
the same batch (8 conversations) by one process and by two; their losses are compared. The whole 7B
shape is trained by two (``training-7b``): 16 bytes a weight do not fit one card. ``beside``: the
guided search leaves half of each card to something else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from gpu_image import enter, kept
from gpu_steps import Steps, checkpoint
from report import ROOT, print_line

FOLDER = Path(os.environ.get("VLPRM_CHECKPOINTS", ROOT / "build" / "checkpoints"))
TOLERANCE = 0.02
"""Of a loss: bf16 gradients are summed in another order and in other parts."""


def train(steps: Steps, model: Path, processes: int) -> None:
    """The same 12 optimizer steps of 8 conversations, by so many processes."""
    name = {1: "training-one", 2: "training-two"}[processes]
    steps.run(
        name, "training_shape.py", "--model", model, "--deepspeed", "configs/deepspeed_zero2.json",
        "--steps", 12, "--warm-up", 4, "--workers", 4, "--losses", "--micro-batch", 8 // processes,
        "--processes", processes, "--gpus", processes, "--work", FOLDER / f"work-{name}", limit=240,
    )  # fmt: skip


def train_7b(steps: Steps) -> None:
    """All 28 layers of the 7B shape, sharded by ZeRO-2 over two cards."""
    model = checkpoint(FOLDER / "7b", "7b")
    steps.run(
        "training-7b", "training_shape.py", "--model", model, "--processes", 2, "--gpus", 2,
        "--deepspeed", "configs/deepspeed_zero2.json", "--steps", 8, "--warm-up", 3, "--losses",
        "--workers", 4, "--micro-batch", 2, "--work", FOLDER / "work-training-7b", limit=280,
    )  # fmt: skip


def judge(steps: Steps) -> None:
    """The model that ranks whole solutions, on one card and over two."""
    big = checkpoint(FOLDER / "32b-12", "32b", "--layers", 12, "--vision-layers", 8)
    few = ["--questions", 8, "--variants", "default", "--single", 4]
    for cards in (2, 1):
        name = f"scorer-{cards}"
        steps.run(name, "scoring_shape.py", big, *few, "--cards", cards, limit=200)


def policy(steps: Steps) -> None:
    """vLLM over two cards."""
    big = checkpoint(FOLDER / "32b-12", "32b", "--layers", 12, "--vision-layers", 8)
    few = ["--questions", 32, "--n", 8, "--repeats", 1]
    steps.run("policy-two", "policy_shape.py", big, "--devices", 2, *few, limit=240)


def apart(one: dict[str, Any], two: dict[str, Any]) -> float:
    """The largest relative difference of two curves of loss; 1 where one is missing."""
    pairs = list(zip(one.get("losses", []), two.get("losses", []), strict=False))
    return max((abs(a - b) / max(abs(a), 1e-9) for a, b in pairs), default=1.0)


def main() -> int:
    memory = 0.45 if "beside" in sys.argv else 0.9
    asked = [word for word in sys.argv[1:] if word != "beside"]
    wanted = asked or ["guided", "judge", "policy", "training-one", "training-two", "training-7b"]
    steps = Steps("gpu_pair")
    three = checkpoint(FOLDER / "3b", "3b")
    if "guided" in wanted:
        way = ["--apart", "--memory", memory]
        steps.run("guided-apart", "guided_shape.py", three, three, *way, limit=240)
    if "judge" in wanted:
        judge(steps)
    if "policy" in wanted:
        policy(steps)
    for processes, name in ((1, "training-one"), (2, "training-two")):
        if name in wanted:
            train(steps, three, processes)
    if "training-7b" in wanted:
        train_7b(steps)
    met = [print_line("gpu_pair_failed_steps", len(steps.failed), "steps", at_most=0)]
    known = kept("gpu_pair")
    curves = [known.get(name, {}) for name in ("training-one", "training-two")]
    if all(curves):
        far = apart(*curves)
        met.append(print_line("gpu_pair_loss_apart", far, "relative", at_most=TOLERANCE))
    return 0 if all(met) else 1


if __name__ == "__main__":
    enter()
    sys.exit(main())
