"""Labels: a rule turns estimates and verdicts into step labels; what it drops is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from vlprm.config.slices.label import LabelSlice
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.keys import Files, keys_of
from vlprm.io.manifest import recorded
from vlprm.io.solved import evidence
from vlprm.label_rules.rule import unlabelled
from vlprm.labels.panel import refused
from vlprm.labels.rollout_labels import label_rollout
from vlprm.records import Rollout, StepEstimate, StepLabel, Verdict
from vlprm.stages import VERSIONS, In, Out


def run(
    config: LabelSlice,
    rollouts: In,
    estimates: list[In],
    verdicts: list[In],
    panel: list[In],
    labels: Out,
    dropped: Out,
) -> None:
    """Read rollouts, estimates and verdicts; write labels and the list of what was dropped.

    ``estimates`` and ``verdicts``: one file each, none where the rule asks for none; ``panel``: the
    verdicts of the other judges, where any rollout is left out for their sake.
    """
    with recorded(
        "label",
        VERSIONS["label"],
        config.model_dump(mode="json"),
        inputs=[rollouts, *estimates, *verdicts, *panel],
        outputs=[labels, dropped],
    ) as counts:
        keys = keys_of(rollouts, Rollout, "dataset", "shard", "policy")
        ids = parquet.frame([rollouts], Rollout, ["id"])["id"]
        known = evidence(estimates, StepEstimate, keys, ids)
        values = parquet.ByKey(known, StepEstimate, "rollout_id")
        said = parquet.ByKey(evidence(verdicts, Verdict, keys, ids), Verdict, "rollout_id")
        beside = _panel(config, panel, keys, ids)
        reasons: list[tuple[str, str]] = []
        seen: Counter[str | int | None] = Counter()

        def found() -> Iterator[StepLabel]:
            for rollout in parquet.iterate([rollouts], Rollout):
                verdict, *others = (
                    next(iter(judge.get(rollout.id, [])), None) for judge in (said, *beside)
                )
                steps, reason = label_rollout(
                    rollout,
                    values.get(rollout.id, []),
                    verdict,
                    config.rule,
                    min_graded=config.min_graded or 1,
                    drawn=config.estimates,
                )
                left_out = refused(config.keep, [verdict, *others])
                if left_out is not None and unlabelled(rollout) is None:
                    steps, reason = [], str(left_out)
                seen.update(item.label for item in steps)
                seen["rollouts"] += 1
                if reason is not None:
                    reasons.append((rollout.id, reason))
                yield from steps

        steps = parquet.write(found(), labels, StepLabel, keys=keys)
        write_text(dropped, listing(reasons))
        counts["rollouts"] = seen["rollouts"]
        counts["dropped"] = len(reasons)
        counts["steps"] = steps
        counts["plus"] = seen[1]
        counts["minus"] = seen[0]


def _panel(
    config: LabelSlice, paths: list[Path], keys: dict[str, str], ids: pl.Series
) -> list[parquet.ByKey[Verdict]]:
    """The verdicts of each judge of the panel, in the panel's order."""
    wanted = [keys | {"judge": name} for name in config.panel]
    files = Files(paths, Verdict, wanted)
    found = [evidence(files.of(judge=own["judge"]), Verdict, own, ids) for own in wanted]
    return [parquet.ByKey(table, Verdict, "rollout_id") for table in found]
