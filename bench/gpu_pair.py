"""Two cards: policy on one and PRM on the other; a 32B shape over both; training over both.

usage: python bench/gpu_pair.py [STEP ...]        (VLPRM_CHECKPOINTS: folder for checkpoints)
The 32B shape has 12 of its 64 layers and 8 of its 32 vision blocks. Training: the same 12 steps of
the same batch (8 conversations) by one process and by two; their losses are compared.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from gpu_image import enter, keep
from gpu_steps import Steps, checkpoint
from report import ROOT, print_line

FOLDER = Path(os.environ.get("VLPRM_CHECKPOINTS", ROOT / "build" / "checkpoints"))
TOLERANCE = 0.02
"""Of a loss: bf16 gradients are summed in another order and in other parts."""


def training(steps: Steps, model: Path) -> None:
    """The same optimizer steps on one card and on two."""
    zero = ["training_shape.py", "--model", model, "--deepspeed", "configs/deepspeed_zero2.json"]
    same = ["--steps", 12, "--warm-up", 4, "--workers", 4, "--micro-batch", 2, "--losses"]
    for name, processes, accumulation in (("one", 1, 4), ("two", 2, 2)):
        split = ["--processes", processes, "--gpus", processes, "--accumulation", accumulation]
        work = ["--work", FOLDER / f"work-{name}"]
        steps.run(f"training-{name}", *zero, *same, *split, *work, limit=240)


def apart(one: dict[str, Any], two: dict[str, Any]) -> float:
    """The largest relative difference of two curves of loss; 1 where one is missing."""
    pairs = list(zip(one.get("losses", []), two.get("losses", []), strict=False))
    return max((abs(a - b) / max(abs(a), 1e-9) for a, b in pairs), default=1.0)


def main() -> int:
    wanted = sys.argv[1:] or ["apart", "judge", "training"]
    steps = Steps("gpu_pair", [])
    three = checkpoint(FOLDER / "3b", "3b")
    if "apart" in wanted:
        steps.run("guided-apart", "guided_shape.py", three, three, "--apart", limit=240)
    if "judge" in wanted:
        big = checkpoint(FOLDER / "32b-12", "32b", "--layers", 12, "--vision-layers", 8)
        few = ["--questions", 8, "--variants", "default", "--single", 4]
        steps.run("scorer-one", "scoring_shape.py", big, *few, limit=200)
        steps.run("scorer-two", "scoring_shape.py", big, *few, "--cards", 2, limit=200)
        steps.run(
            "policy-two", "policy_shape.py", big, "--devices", 2, "--questions", 32, "--n", 8,
            "--repeats", 1, limit=240,
        )  # fmt: skip
    if "training" in wanted:
        training(steps, three)
    found = steps.found
    met = [print_line("gpu_pair_failed_steps", len(steps.failed), "steps", at_most=0)]
    if "training" in wanted:
        far = apart(found.get("training-one", {}), found.get("training-two", {}))
        met.append(print_line("gpu_pair_loss_apart", far, "relative", at_most=TOLERANCE))
    keep("gpu_pair", {"failed": steps.failed})
    print(json.dumps({name: item.get("wall_seconds") for name, item in found.items()}))
    return 0 if all(met) else 1


if __name__ == "__main__":
    enter()
    sys.exit(main())
