"""Draws that change no label: the cheap orders of evidence against the published fixed 16.

Outcomes of all 16 continuations of every step are there, and each order of evidence draws from
them as the stage would (``labels.drawing``), with the same numbers. Printed for each rule,
threshold and order: the share of all draws that it takes, and the share of rollouts whose labels,
or reason for none, are those of all draws. Two sets of outcomes:

- ``published``: the authors' VQAv2 sample (reference data beside the checkout): 21 rollouts with
  16 continuations a step, of which only counts are known, so each rollout is drawn in 20 seeded
  orders; the judge's word is known of 12, which ``consensus`` and ``agreement`` are measured on.
- ``mini``: the first questions of the mini experiment's source, drawn here by its policy through
  the run's own stages, the truth as the judge. Its policy is right about half the time, so its
  steps lie nearer to a threshold than any published ones.

Targets, of the published rule (``consensus``): at threshold 0 at most 10 % of the draws and all
labels equal; above 0 at least 3 times fewer at 97 % equal labels. Without a judge (``monte_carlo``)
every step is read, and at threshold 0.8 a step that is right 16 times of 16 takes 8 draws.

usage: python bench/adaptive_mc.py [--questions 128] [--error 0.05]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vlprm.determinism import settle_environment

settle_environment()

import numpy as np  # noqa: E402
from PIL.Image import Image  # noqa: E402

from vlprm.answers.equal import Check  # noqa: E402
from vlprm.config import slices  # noqa: E402
from vlprm.config.checked import load_config  # noqa: E402
from vlprm.config.estimates import EstimateConfig  # noqa: E402
from vlprm.config.reader import read_config  # noqa: E402
from vlprm.config.slices.import_rollouts import ImportRolloutsSlice  # noqa: E402
from vlprm.engines import load_policy  # noqa: E402
from vlprm.io import parquet  # noqa: E402
from vlprm.io.images import ImageStore  # noqa: E402
from vlprm.label_rules import RULES  # noqa: E402
from vlprm.label_rules.rule import EstimateRule, LabelRule, unlabelled  # noqa: E402
from vlprm.labels.drawing import next_draws  # noqa: E402
from vlprm.labels.monte_carlo import estimate  # noqa: E402
from vlprm.labels.rollout_labels import label_rollout  # noqa: E402
from vlprm.records import Rollout, Sample, StepEstimate, Verdict  # noqa: E402
from vlprm.sources import matrix_drafts  # noqa: E402
from vlprm.stages import estimate as stage  # noqa: E402
from vlprm.stages import import_rollouts, judge, rollout  # noqa: E402

from report import ROOT, print_line  # noqa: E402

SHARED = Path(os.environ.get("VLPRM_SHARED", ROOT.parent / "shared"))
K, ORDERS = 16, 20
FIXED: dict[str, Any] = {"continuations": K, "failed_as": "missing", "min_graded": K // 2}
THRESHOLDS = (0.0, 0.25, 0.5, 0.8)
"""The authors tried 0, 0.5 and 0.8."""
TESTED = "sequential, doubtful first"
Checks = Mapping[int, Sequence[Check]]


@dataclass(frozen=True)
class Case:
    """A rollout, the judge's word, and all outcomes of every step in the order of their seeds."""

    rollout: Rollout
    verdict: Verdict | None
    outcomes: Checks
    free: frozenset[int] = frozenset()
    """Steps whose prefix holds the final answer: nothing is drawn."""

    @property
    def all_draws(self) -> int:
        return K * (len(self.outcomes) - len(self.free))


@dataclass(frozen=True)
class Row:
    """What one order of evidence took."""

    share: float
    equal: float
    rollouts: int


def published() -> list[Case]:
    """The authors' sample, every rollout in ``ORDERS`` orders of its outcomes."""
    folder = SHARED / "data" / "vqav2_sample"
    names = ("rollouts.jsonl", "judge_requests.jsonl", "judge_results.json")
    with tempfile.TemporaryDirectory() as scratch:
        kinds = ("samples", "images", "rollouts", "estimates", "verdicts")
        out = {kind: Path(scratch) / f"{kind}.parquet" for kind in kinds}
        import_rollouts.run(
            ImportRolloutsSlice(dataset="vqav2", shard="000", policy="p", kind="vqav2", n=100),
            *(folder / name for name in names),
            *out.values(),
        )
        rollouts = parquet.read(out["rollouts"], Rollout)
        verdicts = {v.rollout_id: v for v in parquet.read(out["verdicts"], Verdict)}
        counts: dict[str, list[StepEstimate]] = {}
        for item in parquet.read(out["estimates"], StepEstimate):
            counts.setdefault(item.rollout_id, []).append(item)
    rng, found = np.random.default_rng(11), []
    for item in rollouts:
        for _ in range(ORDERS):
            outcomes = {}
            for step in counts[item.id]:
                right = rng.permutation(K) < step.n_correct
                outcomes[step.step_index] = [Check(bool(one), "text") for one in right]
            found.append(Case(item, verdicts.get(item.id), outcomes))
    return found


def mini(n: int) -> list[Case]:
    """The first questions of the mini experiment's source: rollouts, verdicts and all draws."""
    file = read_config(ROOT / "configs" / "mini.yaml")
    config = load_config(file)
    ((name, source),) = config.sources.items()
    policy, store = config.labels.policy, ImageStore()
    drafts = matrix_drafts(name, source.data.spec, source.data.seed, 0, n)
    samples = [
        one.to_sample(tuple(store.put(i) for i in one.images if isinstance(i, Image)))
        for one in drafts
    ]
    told = slices.rollout.of(config, policy, name)
    model = told.engine.model
    engine = load_policy(model, ROOT / str(model.path), store, told.engine.placement)
    asked = rollout.plan(told, samples)
    solved = rollout.fold(told, samples, engine.generate(asked, told.policy.sampling))
    verdicts = _truth(slices.judge.of(config), samples, solved)
    changed = config.labels.estimates.model_copy(update=FIXED | {"draw": "all"})
    labels = config.labels.model_copy(update={"estimates": changed})
    every = slices.estimate.of(config.model_copy(update={"labels": labels}), policy)
    return list(_drawn(every, engine, samples, solved, verdicts))


def _truth(config: Any, samples: Sequence[Sample], solved: Sequence[Rollout]) -> dict[str, Verdict]:
    from vlprm.engines import load_judge

    questions = {item.id: item for item in samples}
    asking = load_judge(config.judge, ImageStore())
    replies = asking.judge(judge.plan(config, questions, solved))
    return {item.rollout_id: item for item in judge.fold(config, solved, replies)}


def _drawn(
    config: Any,
    engine: Any,
    samples: Sequence[Sample],
    solved: Sequence[Rollout],
    verdicts: Mapping[str, Verdict],
) -> Iterator[Case]:
    """All continuations, by the requests and checks of the stage itself."""
    questions, asked = {item.id: item for item in samples}, []
    outcomes = [stage._finished(config, questions[item.sample_id], item) for item in solved]
    free = [frozenset(own) for own in outcomes]
    for place, item in enumerate(solved):
        for step, numbers in next_draws(
            config.estimates, None, item, None, outcomes[place]
        ).items():
            sample = questions[item.sample_id]
            asked.append(
                (place, step, stage._request(config, sample, item, item.steps[step], numbers))
            )
    answers = engine.generate([request for _, _, request in asked], config.sampling)
    for (place, step, _), drawn in zip(asked, answers, strict=True):
        item = solved[place]
        sample = questions[item.sample_id]
        outcomes[place][step] = stage._checks(sample, item, item.steps[step], drawn)
    for item, own, done in zip(solved, outcomes, free, strict=True):
        if unlabelled(item) is None:
            yield Case(item, verdicts.get(item.id), own, done)


def measured(cases: Sequence[Case], rule: EstimateRule, keys: Mapping[str, Any]) -> Row:
    """One order of evidence on all cases."""
    asked = EstimateConfig(**FIXED, **keys)
    drawn = total = equal = 0
    for case in cases:
        some = {step: list(case.outcomes[step]) for step in case.free}
        known: LabelRule | None = rule if asked.stops else None
        while wanted := next_draws(asked, known, case.rollout, case.verdict, some):
            for step, numbers in wanted.items():
                some.setdefault(step, []).extend(case.outcomes[step][n] for n in numbers)
                drawn += len(numbers)
        total += case.all_draws
        equal += _labels(case, some, rule, asked) == _labels(case, case.outcomes, rule, None)
    return Row(drawn / total, equal / len(cases), len(cases))


def _labels(case: Case, checks: Checks, rule: EstimateRule, drawn: EstimateConfig | None) -> object:
    seen = [estimate(case.rollout.id, step, own) for step, own in checks.items()]
    least = int(FIXED["min_graded"])
    steps, reason = label_rollout(
        case.rollout, seen, case.verdict, rule, min_graded=least, drawn=drawn
    )
    return [(item.step_index, item.label) for item in steps], reason


def orders(rule: EstimateRule, error: float) -> dict[str, dict[str, Any]]:
    """The orders of evidence that a rule can have."""
    found: dict[str, dict[str, Any]] = {"until_decided": {"draw": "until_decided"}}
    if rule.threshold > 0:
        found["sequential"] = {"draw": "sequential", "error": error}
    for name, keys in [*found.items()]:
        found[f"{name}, doubtful first"] = keys | {"doubtful_first": True}
    if rule.halves:
        found["bisection"] = {"draw": "all", "steps": "bisection"}
        last = list(found["sequential" if rule.threshold > 0 else "until_decided"].items())
        found[f"bisection, {last[0][1]}"] = {"steps": "bisection"} | dict(last)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--error", type=float, default=0.05)
    asked = parser.parse_args()
    found: dict[tuple[str, str, float, str], Row] = {}
    for name in ("published", "mini"):
        every = published() if name == "published" else mini(asked.questions)
        print(f"{name}: {_described(every)}", flush=True)
        for rule_name, kind in RULES.items():
            if not issubclass(kind, EstimateRule):
                continue
            cases = [case for case in every if case.verdict or rule_name == "monte_carlo"]
            for threshold in THRESHOLDS:
                keys = {"name": rule_name, "threshold": threshold, "after_first_error": "stop"}
                rule = kind.model_validate(keys)
                for order, drawn in orders(rule, asked.error).items():
                    row = found[name, rule_name, threshold, order] = measured(cases, rule, drawn)
                    print(f"{name:10} {rule_name:12} {threshold:<5} {order:29}"
                          f" {100 * row.share:6.2f} % of draws ({1 / max(row.share, 1e-9):5.1f}x)"
                          f" {100 * row.equal:6.2f} % equal", flush=True)  # fmt: skip
    return report(found)


def _described(cases: Sequence[Case]) -> str:
    values = [
        np.mean([check.correct is True for check in own])
        for case in cases
        for step, own in case.outcomes.items()
        if step not in case.free
    ]
    kinds = np.histogram(values, [0, 1e-9, 0.25, 0.5, 0.75, 1 - 1e-9, 1.1])[0] / len(values)
    parts = ", ".join(f"{100 * one:.0f}" for one in kinds)
    return (
        f"{len(cases)} rollouts, {len(values) / len(cases):.1f} drawn steps each; % of steps whose "
        f"value is 0, up to 1/4, up to 1/2, up to 3/4, below 1, 1: {parts}"
    )


def report(found: Mapping[tuple[str, str, float, str], Row]) -> int:
    """The figures with targets: the published rule at 0, the sequential test above it."""
    ok = []
    for name in ("published", "mini"):
        zero = found[name, "consensus", 0.0, "until_decided, doubtful first"]
        above = {
            (rule, t): row
            for (data, rule, t, order), row in found.items()
            if data == name and t > 0 and order == TESTED
        }
        own = [row for (rule, _), row in above.items() if rule == "consensus"]
        exact = min(
            row.equal
            for (data, _, _, order), row in found.items()
            if data == name and order.startswith("until_decided")
        )
        line = f"adaptive_mc_{name}"
        ok += [
            print_line(f"{line}_equal_until_decided", 100 * exact, "% of rollouts", at_least=100),
            print_line(f"{line}_equal_above_zero", 100 * min(r.equal for r in above.values()),
                       "% of rollouts, the least of rules and thresholds", at_least=97),
            print_line(f"{line}_fewer_above_zero_any_rule",
                       min(1 / r.share for r in above.values()),
                       "times fewer draws, the least of rules and thresholds"),
            print_line(f"{line}_fewer_above_zero", min(1 / r.share for r in own),
                       "times fewer draws, the least of thresholds", at_least=3),
            print_line(f"{line}_share_at_zero", 100 * zero.share, "% of draws", at_most=10),
        ]  # fmt: skip
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
