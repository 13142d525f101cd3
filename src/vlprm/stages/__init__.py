"""One stage a rule. A stage reads files, calls the layers below, writes files, counts.

``VERSIONS`` is part of every rule's params: raising a number reruns that stage and all after
it. Each raise has a one-line reason here.
"""

from __future__ import annotations

VERSIONS: dict[str, int] = {
    "fetch": 2,  # every file checked; the listing names the revision's files and no others
    "fetch_image": 1,
    "prepare": 1,
    "published": 1,
    "base": 1,
    "rollout": 1,
    "estimate": 1,
    "judge": 1,
    "label": 1,
    "examples": 1,
    "train": 1,
    "grade": 1,
    "score": 1,
    "rank": 1,
    "search": 1,
    "select": 1,
    "metrics": 1,
    "step_metrics": 1,
    "tables": 1,
    "figures": 1,
    "manifest": 1,
    "verify": 1,
    "crate": 1,
}
