"""The panel of judges as a filter: of which rollouts labels are made at all."""

from __future__ import annotations

from collections.abc import Sequence

from vlprm.config.labels import Keep
from vlprm.label_rules.rule import Drop
from vlprm.records import Verdict


def refused(keep: Keep, verdicts: Sequence[Verdict | None]) -> Drop | None:
    """Why a rollout is not labelled, by the verdicts of all judges; None where it may be.

    ``usable``: every judge gave a usable verdict, as the published data were filtered although the
    rule read only one judge (specification, data 3.5, point 6). ``same_conclusion``: they also all
    say right, or all say wrong (*consensus v1*, point 5).
    """
    if keep == "all":
        return None
    said = [item for item in verdicts if item is not None and item.status == "ok"]
    if len(said) < len(verdicts):
        return Drop.PANEL_UNUSABLE
    right = {item.first_error is None for item in said}
    return Drop.PANEL_DISAGREES if keep == "same_conclusion" and len(right) > 1 else None
