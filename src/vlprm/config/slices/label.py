"""What ``label`` is told."""

from __future__ import annotations

from vlprm.config.block import Block, later
from vlprm.config.labels import Keep
from vlprm.config.run import Config
from vlprm.label_rules import AnyLabelRule


class LabelSlice(Block):
    """Turn estimates and verdicts into labels."""

    rule: AnyLabelRule
    min_graded: int | None
    """None: the rule asks for no estimates."""
    keep: Keep = later("all")
    """Rollouts that are labelled, by what the panel of judges says."""
    panel: tuple[str, ...] = later(())
    """Judges of the panel, where any rollout is left out for their sake."""


def of(config: Config) -> LabelSlice:
    """The slice of the label stage."""
    labels = config.labels
    counted = labels.estimates.min_graded if labels.estimated and labels.estimates else None
    panel = labels.panel
    if panel is None or panel.keep == "all":
        return LabelSlice(rule=labels.rule, min_graded=counted)
    return LabelSlice(
        rule=labels.rule, min_graded=counted, keep=panel.keep, panel=tuple(panel.judges)
    )
