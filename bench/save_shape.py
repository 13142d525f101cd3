"""A checkpoint of a real shape through the trainer's own saving, and read again by both engines.

usage: python bench/save_shape.py CHECKPOINT OUT [--device cpu]
Prints the file's size, seconds, and the largest difference of a score before and after (0).
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import time
from pathlib import Path

from vlprm.determinism import settle_environment

settle_environment()

from vlprm.config.placement import Placement  # noqa: E402
from vlprm.io.images import ImageStore  # noqa: E402
from vlprm.protocols import ScoreRequest  # noqa: E402
from vlprm.records import Sampling  # noqa: E402

from gpu_image import enter, facts  # noqa: E402
from policy_shape import load  # noqa: E402
from policy_shape import model as model_config  # noqa: E402
from policy_shape import requests as draws  # noqa: E402
from shape_inputs import questions  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    enter()
    import torch

    from vlprm.engines import load_scorer
    from vlprm.families.qwen25vl.model import load_model
    from vlprm.training.prm import save_checkpoint

    store = ImageStore()
    samples = questions(4, (448, 448), 100, 5, store)
    asked = [
        ScoreRequest(item.id, "Judge.", item.images, item.question, ("one step", "another"))
        for item in samples
    ]
    gpus = int(given.device == "cuda")
    where = Placement((0,) if gpus else (), 0.9)

    def scores(folder: Path) -> list[float]:
        scorer = load_scorer(model_config(gpus), folder, store, where)
        found = [step.plus for steps in scorer.score(asked) for step in steps]
        del scorer
        gc.collect()
        torch.cuda.empty_cache()
        return found

    before = scores(given.checkpoint)
    model = load_model(given.checkpoint, dtype="bfloat16", device="cpu")
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    started = time.monotonic()
    save_checkpoint(model, "bfloat16", given.checkpoint, given.out)
    seconds = time.monotonic() - started
    del model
    gc.collect()
    after = scores(given.out)
    sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0, max_tokens=16)
    policy = load(given.out, store, where, {"enforce_eager": True})
    drawn = policy.generate(draws(samples, 2), sampling)
    files = sorted(path.name for path in given.out.glob("*.safetensors*"))
    print(json.dumps({
        "name": "save_shape", "checkpoint": given.checkpoint.name, "files": files,
        "gb": round((given.out / "model.safetensors").stat().st_size / 1e9, 2),
        "save_seconds": round(seconds, 1),
        "score_difference": max(abs(a - b) for a, b in zip(before, after, strict=True)),
        "drawn_tokens": sum(item.completion_tokens for row in drawn for item in row),
        "failed": sum(item.finish_reason == "error" for row in drawn for item in row),
        **facts(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
