"""The judge alone names the first wrong step."""

from __future__ import annotations

from typing import ClassVar, Literal

from vlprm.label_rules.rule import Evidence, LabelRule, Seen


class JudgeAlone(LabelRule):
    """``judge``: the judge alone; no continuation is drawn."""

    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.VERDICTS})

    name: Literal["judge"]

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """The judge's."""
        error = seen.judged_error
        return error, "judge_correct" if error is None else "judge_incorrect"
