"""Matrix puzzles: the mini experiment's own benchmark, drawn by ``sources.matrix``.

Source: generated from the specification, seed and numbers in the config; nothing is fetched,
so there are no rows to read here. Answers are a few value words in a fixed order
(``green star``), or a letter where the puzzle shows an answer panel.
Official scorer: this one; equality of the words, without case, articles and outer punctuation.
Known deviations: none.
"""

from __future__ import annotations

from vlprm.benchmarks.grading import grade_plain as grade

__all__ = ["SCORER_VERSION", "grade"]

SCORER_VERSION = 1
