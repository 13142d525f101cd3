"""The first wrong step by halving, as OmegaPRM looks for it (arXiv 2406.06592, section 3.3).

It assumes that a solution stays spoiled: where the value of a step is above the threshold, so are
those of all steps before it; where it is not, none after it is. Then the last step is asked about
first (it is often free: its prefix holds the final answer), and of the steps between the last one
known right and the first one known wrong the middle one, until none is left: of m steps about
log2(m). A step that too few graded continuations leave unknown is stepped over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def following(above: Sequence[bool | None]) -> list[bool | None]:
    """What follows for every step from the steps that were looked at (None: unknown).

    Where they contradict the assumption, the first negative one counts.
    """
    wrong = above.index(False) if False in above else len(above)
    right = max((step for step in range(wrong) if above[step]), default=-1)
    between = [None] * (wrong - right - 1)
    return [True] * (right + 1) + between + [False] * (len(above) - wrong)


def known(steps: int, settled: Mapping[int, bool | None]) -> dict[int, bool | None]:
    """``settled`` and what follows from it; a step that stayed unknown is settled, too."""
    follows = following([settled.get(step) for step in range(steps)])
    return {
        step: side
        for step, side in enumerate(follows)
        if side is not None or (step in settled and settled[step] is None)
    }


def next_look(steps: int, wanted: Sequence[int]) -> tuple[int, ...]:
    """The step to look at, of those whose side is not known; empty where there is none."""
    if not wanted:
        return ()
    return (wanted[-1] if wanted[-1] == steps - 1 else wanted[(len(wanted) - 1) // 2],)
