"""How often the package's intervals hold the truth, on simulated questions.

Accuracies 0.2 to 0.999, 128 to 1,000 questions. One pick per question is counted exactly, from the
binomial distribution. Means over draws are simulated: questions alike, of different difficulty
(beta), and a mixture in which half of the failures are questions that always fail. Paired
differences are simulated too, against pass@1 over 16 candidates and between single picks; they
are reported in a line of their own. Means over trainings (``metrics.replicates``) and their
differences to pass@1 are cases of both. The last line is the worst coverage of an accuracy.

usage: python bench/interval_coverage.py [--runs 4000]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vlprm.metrics.intervals import (
    Array,
    difference_intervals,
    mean_intervals,
    share_intervals,
)
from vlprm.metrics.replicates import of_trainings

from report import print_line

CONFIDENCE = 0.95
ACCURACIES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
QUESTIONS = (128, 256, 512, 1000)
DRAWS = (4, 16)
KINDS = ("alike", "beta 20", "beta 2", "beta 0.3", "mixture")
CHANGES = (
    (0.3, 0.3), (0.5, 0.6), (0.6, 0.9), (0.6, 0.99), (0.9, 0.88),
    (0.95, 0.95), (0.95, 0.999), (0.99, 0.995), (0.999, 0.999),
)  # fmt: skip
TRAININGS = (3, 4, 5)
LUCK = (0.0, 0.05, 0.15, 0.4)
"""Standard deviation of a training, in log odds; 0.4 are 10 points at an accuracy of 0.5."""
OF_QUESTIONS, OF_BOTH = 1.5, 0.7
"""The same of a question, and of what question and training do together."""
CHUNK = 500


def exact(accuracy: float, questions: int) -> float:
    """Coverage with one pick per question."""
    right = np.arange(questions + 1.0)
    share = right / questions
    variance = share * (1 - share) / (questions - 1)
    low, high = share_intervals(share, variance, np.full_like(share, questions), CONFIDENCE)
    covers = (low <= accuracy) & (accuracy <= high)
    return float(binom.pmf(right, questions, accuracy)[covers].sum())


def chances(kind: str, accuracy: float, size: tuple[int, int], seed: np.random.Generator) -> Array:
    """Chance that a pick is right, of every question and run; its mean is the accuracy."""
    if kind == "alike":
        return np.full(size, accuracy)
    if kind == "mixture":
        always = (1 - accuracy) / 2
        hard = seed.random(size) < always
        return np.where(hard, 0.0, 1 - always / (1 - always))
    weight = float(kind.split()[1])
    return seed.beta(accuracy * weight, (1 - accuracy) * weight, size=size)


def chunks(runs: int) -> Iterator[int]:
    """Numbers of runs that fit into memory, adding up to all of them."""
    yield from (min(CHUNK, runs - start) for start in range(0, runs, CHUNK))


def drawn(kind: str, accuracy: float, questions: int, draws: int, runs: int) -> float:
    """Coverage with a mean over draws of every question."""
    seed = np.random.default_rng([questions, draws, int(1000 * accuracy), KINDS.index(kind)])
    held = 0
    for size in chunks(runs):
        chance = chances(kind, accuracy, (questions, size), seed)
        _, low, high = mean_intervals(seed.binomial(draws, chance) / draws, CONFIDENCE)
        held += int(((low <= accuracy) & (accuracy <= high)).sum())
    return held / runs


def paired(
    kind: str, change: tuple[float, float], questions: int, draws: tuple[int, int], runs: int
) -> float:
    """Coverage of the difference of a row to another one over the same questions."""
    before, after = change
    seed = np.random.default_rng([questions, *draws, *(int(1000 * x) for x in change),
                                  KINDS.index(kind)])  # fmt: skip
    held, truth = 0, after - before
    for size in chunks(runs):
        first = chances(kind, before, (questions, size), seed)
        second = first * after / before
        if after > before:
            second = first + (1 - first) * truth / (1 - before)
        values = seed.binomial(draws[1], second) / draws[1]
        values = values - seed.binomial(draws[0], first) / draws[0]
        _, low, high = difference_intervals(values, CONFIDENCE)
        held += int(((low <= truth) & (truth <= high)).sum())
    return held / runs


def pooled(
    accuracy: float, questions: int, trainings: int, luck: float, runs: int
) -> tuple[float, float]:
    """Coverage of a mean over trainings, and of its difference to one that asks no PRM."""
    seed = np.random.default_rng([questions, trainings, int(1000 * accuracy), int(100 * luck)])
    spread = float(np.hypot(np.hypot(OF_QUESTIONS, OF_BOTH), luck))
    centre = centred(accuracy, spread)
    base, held, held_delta = centred(0.6, OF_QUESTIONS), 0, 0
    for size in chunks(runs):
        question = seed.normal(0, OF_QUESTIONS, (questions, 1, size))
        odds = centre + question + seed.normal(0, luck, (1, trainings, size))
        odds = odds + seed.normal(0, OF_BOTH, (questions, trainings, size))
        values = seed.binomial(4, expit(odds)) / 4
        more = of_trainings(values, CONFIDENCE)
        mean = values.mean(axis=1)
        _, low, high = mean_intervals(mean, CONFIDENCE, more)
        held += int(((low <= accuracy) & (accuracy <= high)).sum())
        without = seed.binomial(16, expit(base + question[:, 0])) / 16
        _, low, high = difference_intervals(mean - without, CONFIDENCE, more)
        held_delta += int(((low <= accuracy - 0.6) & (accuracy - 0.6 <= high)).sum())
    return held / runs, held_delta / runs


def centred(accuracy: float, spread: float) -> float:
    """Mean of normal log odds of this spread whose chance is right on average."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        below = float(weights @ expit(middle + spread * points)) < accuracy
        low, high = (middle, high) if below else (low, middle)
    return low


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=4000)
    runs = parser.parse_args().runs
    found = {f"one pick, {a}, {q}": exact(a, q) for a in ACCURACIES for q in QUESTIONS}
    found |= {
        f"{kind}, {draws} draws, {a}, {q}": drawn(kind, a, q, draws, runs)
        for kind in KINDS for draws in DRAWS for a in ACCURACIES for q in QUESTIONS
    }  # fmt: skip
    pairs = {
        f"{kind}, {draws[0]} against {draws[1]} draws, {change[0]} to {change[1]}, {q}": paired(
            kind, change, q, draws, runs
        )
        for kind in KINDS for draws in ((16, 1), (16, 4), (1, 1)) for change in CHANGES
        for q in QUESTIONS
    }  # fmt: skip
    both = {
        f"{trainings} trainings of luck {luck}, {a}, {q}": pooled(
            a, q, trainings, luck, max(runs // 4, 1)
        )
        for trainings in TRAININGS for luck in LUCK for a in ACCURACIES[::2] for q in QUESTIONS[:3]
    }  # fmt: skip
    found |= {name: share for name, (share, _) in both.items()}
    pairs |= {f"{name} to pass@1": share for name, (_, share) in both.items()}
    for title, values in (("accuracy", found), ("difference", pairs)):
        worst = sorted(values, key=lambda name: values[name])[:5]
        mean = float(np.mean(list(values.values())))
        print(json.dumps({"of": title, "cases": len(values), "mean": round(mean, 4),
                          "worst": {name: round(values[name], 4) for name in worst}}))  # fmt: skip
    print_line("difference_interval_coverage", 100 * min(pairs.values()), "% at worst")
    met = print_line("interval_coverage", 100 * min(found.values()), "% at worst", at_least=93)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
