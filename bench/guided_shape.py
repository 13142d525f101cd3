"""Step-guided search at a real shape: policy and PRM on one card, or each on its own.

usage: python bench/guided_shape.py POLICY PRM [--apart] [--problems 64] [--n 8] [--steps 8]
Prints problems per second, and the share of the time in which each model waits for the other.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from vlprm.determinism import settle_environment

settle_environment()

from vlprm.config.placement import Placement  # noqa: E402
from vlprm.io.images import ImageStore  # noqa: E402
from vlprm.records import Sampling  # noqa: E402
from vlprm.search.expand import Setting  # noqa: E402
from vlprm.search.keep.greedy import Greedy  # noqa: E402
from vlprm.search.loop import search as searched  # noqa: E402

from gpu_image import enter, facts  # noqa: E402
from policy_shape import load, model  # noqa: E402
from shape_inputs import Rendering, SteppingPolicy, TimedScorer, questions  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("policy", type=Path)
    parser.add_argument("prm", type=Path)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--memory", type=float, default=0.9, help="of each card, with --apart")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--length", type=int, default=40)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    enter()
    import torch

    from vlprm.engines import load_scorer

    places = (Placement((0,), 0.55), Placement((0,), 0.35))
    if given.apart:
        places = (Placement((0,), given.memory), Placement((1,), given.memory))
    if given.device == "cpu":
        places = (Placement((), 0.5), Placement((), 0.5))
    store = ImageStore()
    gpus = len(places[0].devices)
    policy: Any = SteppingPolicy(load(given.policy, store, places[0]), given.policy, given.length)
    scorer = TimedScorer(load_scorer(model(gpus), given.prm, store, places[1]))
    config = Greedy(
        kind="greedy", n=given.n, rank_by="p_plus", max_steps=given.steps,
        step_tokens=4 * given.length, deduplicate=True, stop_at_box=False,
    )  # fmt: skip
    sampling = Sampling(
        temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0, max_tokens=4096
    )

    def search(count: int, seed: int) -> tuple[float, int]:
        policy.seconds = scorer.seconds = 0.0
        policy.tokens = scorer.calls = 0
        samples = questions(count, (448, 448), 250, seed, store)
        started = time.monotonic()
        setting = Setting(config, Rendering(), sampling, "Judge it.")
        found = searched(samples, policy, scorer, setting, seed=1, key=("shape",))
        return time.monotonic() - started, sum(item.cost.rounds for item in found)

    search(4, 98)
    seconds, rounds = search(given.problems, 1)
    cards = range(torch.cuda.device_count())
    print(json.dumps({
        "name": "guided_shape", "policy": given.policy.name, "prm": given.prm.name,
        "apart": given.apart, "problems": given.problems, "n": given.n,
        "rounds_per_problem": round(rounds / given.problems, 2),
        "problems_per_second": round(given.problems / seconds, 3),
        "policy_tokens_per_second": round(policy.tokens / policy.seconds),
        "prm_calls_per_second": round(scorer.calls / max(scorer.seconds, 1e-9), 1),
        "policy_idle": round(1 - policy.seconds / seconds, 3),
        "prm_idle": round(1 - scorer.seconds / seconds, 3),
        "card_gb_used": [round((t - f) / 1e9, 1) for f, t in map(torch.cuda.mem_get_info, cards)],
        **facts(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
