"""Label rules: each a module with its block of the configuration, its evidence, its decision.

A new rule is one module and one line in ``RULES``; the configuration's allowed names are read off
it, and ``rules/labels.smk`` runs the stages that the rule needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Union, get_args

from pydantic import Field

from vlprm.label_rules.agreement import Agreement
from vlprm.label_rules.consensus import Consensus
from vlprm.label_rules.judge import JudgeAlone
from vlprm.label_rules.monte_carlo import MonteCarlo
from vlprm.label_rules.rule import Evidence, LabelRule

__all__ = ["RULES", "AnyLabelRule", "Evidence", "LabelRule"]

_RULES: Final = (
    Consensus,
    Agreement,
    MonteCarlo,
    JudgeAlone,
)

RULES: Final[dict[str, type[LabelRule]]] = {
    get_args(rule.model_fields["name"].annotation)[0]: rule for rule in _RULES
}
"""Every rule by the name that a configuration gives it."""

if TYPE_CHECKING:
    AnyLabelRule = LabelRule
else:  # a union of what the registry holds, told apart by name
    AnyLabelRule = Annotated[Union[tuple(RULES.values())], Field(discriminator="name")]  # noqa: UP007
