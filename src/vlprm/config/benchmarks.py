"""Grading: whose scorer, and what becomes of an answer that names nothing."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from vlprm.config.block import Block

SOURCE_SCORER_VERSION: Final = 2
"""Version of the comparison by answer type, as training sources are graded. A benchmark states its
own (``scorer_version``). 2: one reader of values, statements that name something."""


class GradingConfig(Block):
    """How a benchmark's answers are graded. The defaults are ours; the rest are parity switches.

    ``scorer: published`` is the released code's direct scorer (spec: evaluation 4.7): the last
    box as written or else the whole text, equality without case, Math-Verify only where gold
    is all digits. ``unparsed`` is what a finished solution without an answer, or with one that
    names no option, counts as; ``random`` draws an option as MMMU's official scorer does, but
    from a seed of its own for each rollout.
    """

    scorer: Literal["own", "published"] = "own"
    unparsed: Literal["wrong", "ungraded", "random"] = "wrong"
    seed: int = Field(default=0, ge=0, description="of unparsed: random")
