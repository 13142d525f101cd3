"""What labels cost: the paper's configuration by the plan's own arithmetic, before and after.

Before: all 16 continuations of every step (``draw: all``), in the shards that a job of four hours
then took. After: ``config.yaml`` as it stands. Rollouts of the sources, continuations and calls of
the judge are counted, drawn tokens and GPU hours follow from the stated speeds, engine starts
included (``config.work``, ``config.expected``, ``config.speeds``, ``config.times``); no model runs.
The assumptions are printed with the figures, and what becomes of them where the assumed share of
right continuations is another.

usage: python bench/label_cost.py
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vlprm.config import expected, speeds
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.reader import read_config
from vlprm.config.times import Times

from report import ROOT, print_line

BEFORE_SHARDS = {"ai2d": 280, "infovqa": 280}
BEFORE_SHARD = 180
"""Questions of a shard whose estimates take four hours where all are drawn."""


@dataclass(frozen=True)
class Cost:
    """Of the label factory of one run."""

    rollouts: int
    continuations: float
    judge_calls: int
    tokens: float
    rollout_hours: float
    estimate_hours: float
    run_hours: float
    longest: float

    @property
    def hours(self) -> float:
        return self.rollout_hours + self.estimate_hours


def cost(data: dict[str, Any]) -> Cost:
    """Counts and GPU hours of a configuration."""
    config = load_config(data, "config.yaml")
    times = Times(Plan(config))
    jobs = [job for job in times.jobs if job.keys and job.keys[-1] in config.sources]
    units = {
        rule: sum(job.units for job in jobs if job.rule == rule)
        for rule in ("rollout", "estimate", "judge")
    }
    hours = {
        rule: sum(times.seconds(job) * job.gpus / 3600 for job in jobs if job.rule == rule)
        for rule in ("rollout", "estimate")
    }
    drawn = sum(
        job.units * expected.continuations(config, job.keys[1])
        for job in jobs
        if job.rule == "estimate"
    )
    tokens = units["rollout"] * speeds.ROLLOUT_TOKENS + drawn * speeds.continued_tokens(config)
    return Cost(
        units["rollout"],
        drawn,
        units["judge"],
        tokens,
        hours["rollout"],
        hours["estimate"],
        sum(item.gpu_hours for item in times.rules().values()),
        max(times.seconds(job) for job in jobs) / 3600,
    )


def before(after: dict[str, Any]) -> dict[str, Any]:
    """The configuration with all draws."""
    data = copy.deepcopy(after)
    kept = ("continuations", "failed_as", "min_graded")
    data["labels"]["estimates"] = {name: data["labels"]["estimates"][name] for name in kept}
    for name, source in data["sources"].items():
        source["data"]["shard_size"] = BEFORE_SHARDS.get(name, BEFORE_SHARD)
    return data


def main() -> int:
    data = dict(read_config(ROOT / "config.yaml").data)
    config = load_config(data, "config.yaml")
    print("Assumed (src/vlprm/config/expected.py and speeds.py):")
    for name, source in config.sources.items():
        judged, right = expected.shares(source.data.kind)
        each = expected.continuations(config, name)
        print(f"  {name:8} judge calls {100 * judged:5.1f} % of rollouts right, estimates agree on"
              f" {100 * right:5.1f} %  -> {each:5.1f} continuations a rollout")  # fmt: skip
    again = "(within one, a question's are read once: prefix cache)"
    print(f"  {expected.PREFIXES} continued prefixes a rollout; a right step's continuations are"
          f" right {100 * expected.RIGHT:.0f} % of the time, a wrong one's never;\n"
          f"  {speeds.ROLLOUT_TOKENS:.0f} tokens a rollout, {speeds.continued_tokens(config):.0f} a"
          f" continuation; {speeds.DRAWN_TOKENS:,.0f} tokens/s and card at the 3B shape (measured,"
          " one H100), scaled by bytes.\n  Not counted: rounds that leave cards half empty; prompts"
          f" read again in a later round {again}.")  # fmt: skip
    rows = {"before": cost(before(data)), "after": cost(data)}
    for name, row in rows.items():
        print(f"{name:7} {row.rollouts:,} rollouts, {row.continuations:,.0f} continuations,"
              f" {row.judge_calls:,} judge calls, {row.tokens / 1e9:.2f} G tokens drawn;"
              f" GPU hours: rollout {row.rollout_hours:,.0f}, estimate {row.estimate_hours:,.0f},"
              f" labels {row.hours:,.0f}, the whole run {row.run_hours:,.0f};"
              f" longest job {row.longest:.1f} h")  # fmt: skip
    assumed = expected.RIGHT
    for value in (0.3, 0.5, 1.0):
        expected.RIGHT = value  # type: ignore[misc]
        other = cost(data)
        fewer = rows["before"].hours / other.hours
        print(f"  were right steps' continuations right {100 * value:.0f} % of the time:"
              f" labels {other.hours:,.0f} GPU hours, {fewer:.1f} times fewer")  # fmt: skip
    expected.RIGHT = assumed  # type: ignore[misc]
    first, last = rows["before"], rows["after"]
    print_line("label_cost_continuations", first.continuations / last.continuations, "times fewer")
    print_line("label_cost_tokens", first.tokens / last.tokens, "times fewer")
    print_line("label_cost_whole_run", first.run_hours / last.run_hours, "times fewer GPU hours")
    met = print_line("label_cost", first.hours / last.hours, "times fewer GPU hours", at_least=10)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
