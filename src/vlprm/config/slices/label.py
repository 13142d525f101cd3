"""What ``label`` is told."""

from __future__ import annotations

from vlprm.config.block import Block, later
from vlprm.config.estimates import EstimateConfig
from vlprm.config.labels import Keep
from vlprm.config.run import Config
from vlprm.label_rules import AnyLabelRule


class LabelSlice(Block):
    """Turn estimates and verdicts into labels."""

    rule: AnyLabelRule
    min_graded: int | None
    """None: the rule asks for no estimates."""
    estimates: EstimateConfig | None = later(None)
    """How they were drawn, where that matters to what they say of a step."""
    keep: Keep = later("all")
    """Rollouts that are labelled, by what the panel of judges says."""
    panel: tuple[str, ...] = later(())
    """Judges of the panel, where any rollout is left out for their sake."""


def of(config: Config) -> LabelSlice:
    """The slice of the label stage."""
    labels, panel = config.labels, config.labels.panel
    drawn = labels.estimates if labels.estimated else None
    filtered = panel is not None and panel.keep != "all"
    return LabelSlice(
        rule=labels.rule,
        min_graded=drawn.min_graded if drawn else None,
        estimates=drawn if drawn and drawn.guesses else None,
        keep=panel.keep if panel and filtered else "all",
        panel=tuple(panel.judges) if panel and filtered else (),
    )
