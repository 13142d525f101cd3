"""Labels: a rule turns estimates and verdicts into step labels; what it drops is listed."""

from __future__ import annotations

from collections import defaultdict
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
        values: dict[str, list[StepEstimate]] = defaultdict(list)
        for item in tables.read(estimates, StepEstimate):
            values[item.rollout_id].append(item)
        said = {item.rollout_id: item for item in tables.read(verdicts, Verdict)}
        solutions = tables.read(rollouts, Rollout)
        found: list[StepLabel] = []
        reasons: list[tuple[str, str]] = []
        for rollout in solutions:
            steps, reason = label_rollout(
                rollout,
                values[rollout.id],
                said.get(rollout.id),
                config.rule,
                min_graded=config.min_graded,
            )
            found += steps
            if reason is not None:
                reasons.append((rollout.id, reason))
        tables.write(found, labels, StepLabel)
        write_text(dropped, listing(reasons))
        counts["rollouts"] = len(solutions)
        counts["dropped"] = len(reasons)
        counts["steps"] = len(found)
        counts["plus"] = sum(item.label == 1 for item in found)
        counts["minus"] = sum(item.label == 0 for item in found)
