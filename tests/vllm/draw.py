"""Draw in a process of its own: ``python -m tests.vllm.draw CHECKPOINT [unbarred]``.

Prints texts and reasons as JSON. ``unbarred`` takes the rule for control tokens away.

The first line of standard output that starts with ``[`` is the answer.
"""

from __future__ import annotations

import json
import sys

from tests.unit.puzzles import WARM, request
from tests.vllm.conftest import MODEL, QUESTIONS, started

HARD = (
    {},
    {"temperature": 0.0},
    {"top_k": 5},
    {"top_p": 0.9},
    {"repetition_penalty": 2.0, "top_k": 20, "top_p": 0.8},
)
"""Samplings that each take another way through the draw."""


def main(checkpoint: str, *unbarred: str) -> None:
    more = {"additional_config": {"vlprm_barred": []}} if unbarred else {}
    policy = started(MODEL.model_copy(update={"path": checkpoint}), **more)
    asked = [request(sample, (1, 2, 3)) for sample in QUESTIONS[:4]]
    found = []
    for changed in HARD:
        answers = policy.generate(asked, WARM.model_copy(update=changed))
        found.append([[item.text, item.finish_reason] for items in answers for item in items])
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
