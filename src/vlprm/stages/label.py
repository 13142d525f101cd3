"""Labels: a rule turns estimates and verdicts into step labels; what it drops is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vlprm.config.slices import LabelSlice
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.manifest import recorded
from vlprm.labels.consensus import label_rollout
from vlprm.records import Rollout, StepEstimate, StepLabel, Verdict
from vlprm.stages import VERSIONS


def run(
    config: LabelSlice,
    rollouts: Path,
    estimates: Path,
    verdicts: Path,
    labels: Path,
    dropped: Path,
) -> None:
    """Read rollouts, estimates and verdicts; write labels and the list of what was dropped."""
    with recorded(
        "label",
        VERSIONS["label"],
        config.model_dump(mode="json"),
        inputs=[rollouts, estimates, verdicts],
        outputs=[labels, dropped],
    ) as counts:
        values = tables.ByKey([estimates], StepEstimate, "rollout_id")
        said = tables.ByKey([verdicts], Verdict, "rollout_id")
        reasons: list[tuple[str, str]] = []
        seen: Counter[str | int | None] = Counter()

        def found() -> Iterator[StepLabel]:
            for rollout in tables.iterate([rollouts], Rollout):
                steps, reason = label_rollout(
                    rollout,
                    values.get(rollout.id, []),
                    next(reversed(said.get(rollout.id, [])), None),
                    config.rule,
                    min_graded=config.min_graded,
                )
                seen.update(item.label for item in steps)
                seen["rollouts"] += 1
                if reason is not None:
                    reasons.append((rollout.id, reason))
                yield from steps

        steps = tables.write(found(), labels, StepLabel)
        write_text(dropped, listing(reasons))
        counts["rollouts"] = seen["rollouts"]
        counts["dropped"] = len(reasons)
        counts["steps"] = steps
        counts["plus"] = seen[1]
        counts["minus"] = seen[0]
