"""What the rest of a run needs: GPUs, keys, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vlprm.config import placement
from vlprm.config.data import MatrixData
from vlprm.config.labels import JudgeConfig
from vlprm.config.placement import Placement
from vlprm.config.plan import Plan

# GB on disk of what a run writes, rough and on the safe side: a question with its picture, and a
# rollout with its scores, verdict and labels; imported ones, then generated ones (the mini
# experiment: 15 kB and 0.1 kB). A trained checkpoint may be wider than its base: twice its size.
_GB_QUESTION, _GB_ROLLOUT = 2e-4, 4e-6
_GB_PUZZLE, _GB_PUZZLE_ROLLOUT = 2e-5, 2e-7
_WIDER = 2


@dataclass(frozen=True, slots=True)
class GpuJob:
    """One job that runs models."""

    stage: str
    output: str
    placed: dict[str, Placement]
    """Role -> cards (``config.placement``)."""
    policy: str | None = None
    prm: str | None = None
    scorer: str | None = None
    """The model that scores, or is trained to."""


class Needs:
    """Needs of a plan, given the files that exist under ``workdir``."""

    def __init__(self, plan: Plan, workdir: Path) -> None:
        self.plan, self.workdir = plan, workdir
        self.config = plan.config

    def gpus(self) -> int:
        """The most GPUs that one job still to run asks of a node; 0 when none does."""
        # a training takes as many cards as there are, its processes up to eight of them
        return max(
            (1 if job.stage == "train" else placement.cards(job.placed) for job in self.gpu_jobs()),
            default=0,
        )

    def keys(self) -> dict[str, str]:
        """Environment variables that must hold a key, with the reason."""
        return {
            item.key_env: f"judge {judge.name}"
            for judge in self._asked()
            for item in judge.asked_at
            if item.key_env is not None
        }

    def unpaid(self) -> list[str]:
        """Judges whose calls cost money, still to be made, and nobody has said how much."""
        prices = self.config.prices or {}
        return [
            judge.name
            for judge in self._asked()
            if judge.budget is None and judge.model in prices and not prices[judge.model].free
        ]

    def results_gb(self) -> float:
        """Rough size of what the run still writes: checkpoints, pictures, records."""
        plan = self.plan
        bases = [self.config.prms[name].base for name in self._trained()]
        total = _WIDER * sum(self.model_gb(base) for base in bases)
        for name, data in plan.data.items():
            source = self.config.sources.get(name)
            rollouts = source.rollouts if source else self._candidates()
            gb, gb_rollout = _GB_QUESTION, _GB_ROLLOUT
            if isinstance(data, MatrixData):
                gb, gb_rollout = _GB_PUZZLE, _GB_PUZZLE_ROLLOUT
            share = sum(not self._there(path) for path in plan.tables("samples", name))
            total += data.n * (gb + rollouts * gb_rollout) * share / len(plan.shards(name))
        return total

    def model_gb(self, name: str) -> float:
        """Size of a model's weights: as stated for the Hub, or measured in the checkout."""
        model = self.config.models[name]
        if model.hub is not None:
            return model.hub.gb or 0.0
        file = self.workdir / (model.path or "") / "model.safetensors"
        return file.stat().st_size / 1e9 if file.is_file() else 0.0

    def roles(self) -> list[str]:
        """Roles of the containers that the run's rules use."""
        return list(dict.fromkeys(map(self.plan.container, ("cpu", "gpu"))))

    def _there(self, path: str) -> bool:
        return (self.workdir / path).exists()

    def _candidates(self) -> int:
        evaluation = self.config.evaluation
        widths = sum(self.config.searches[name].width for name in evaluation.searches)
        searches = widths * len(evaluation.prms)
        return (evaluation.ranking.candidates + searches) * len(evaluation.policies)

    def _built(self) -> list[str]:
        used = self.config.evaluation.prms
        return [name for name in used if self.config.prms[name].source == "build"]

    def _trained(self) -> list[str]:
        return [name for name in self._built() if not self._there(self.plan.prm(name))]

    def _labelled(self) -> list[str]:
        """Sources whose rollouts this run draws, estimates and judges."""
        if not self._trained() or self.config.labels.examples.published:
            return []
        return [name for name in self.config.sources if name not in self.plan.published]

    def _asked(self) -> Iterator[JudgeConfig]:
        """Judges behind an address that are still to be asked."""
        for judge, verdicts in self._judges():
            if judge.engine == "api" and not all(self._there(path) for path in verdicts):
                yield judge

    def _judges(self) -> Iterator[tuple[JudgeConfig, list[str]]]:
        """Every judge with the tables of its verdicts, the one whose word counts last."""
        labels = self.config.labels
        for beside, judge in labels.panel.judges.items() if labels.panel else ():
            names = ("panel", beside, labels.policy)
            yield judge, [p for name in self.config.sources for p in self.plan.tables(*names, name)]
        if labels.judge is not None:
            yield labels.judge, list(self._verdicts())

    def _verdicts(self) -> Iterator[str]:
        plan, evaluation, labels = self.plan, self.config.evaluation, self.config.labels
        for name in self._labelled() if labels.judged or labels.panel else ():
            yield from plan.tables("verdicts", self.config.labels.policy, name)
        if evaluation.step_truth:
            for policy in evaluation.policies:
                for name in evaluation.benchmarks:
                    yield from plan.tables("verdicts", policy, name)

    def gpu_jobs(self) -> Iterator[GpuJob]:
        """Every job that runs a model on GPUs and whose output is not there yet."""
        for job in self._model_jobs():
            if placement.cards(job.placed) and not self._there(job.output):
                yield job

    def _model_jobs(self) -> Iterator[GpuJob]:
        config, plan, evaluation = self.config, self.plan, self.config.evaluation
        teacher = config.labels.policy
        of_teacher = placement.of_policy(config, teacher)
        for name in self._labelled():
            stages = [("rollout", "rollouts")]
            stages += [("estimate", "estimates")] if config.labels.estimated else []
            for stage, kind in stages:
                for path in plan.tables(kind, teacher, name):
                    yield GpuJob(stage, path, of_teacher, policy=teacher)
        for prm in self._trained():
            base, placed = config.prms[prm].base, placement.of_training(config, prm)
            yield GpuJob("train", plan.prm(prm), placed, prm=prm, scorer=base)
        for policy in evaluation.policies:
            for name in evaluation.benchmarks:
                placed = placement.of_policy(config, policy)
                for path in plan.tables("rollouts", policy, name):
                    yield GpuJob("rollout", path, placed, policy=policy)
                yield from self._scorings(policy, name)
        yield from self._searches()

    def _scorings(self, policy: str, benchmark: str) -> Iterator[GpuJob]:
        config, tables = self.config, self.plan.tables
        for prm in config.evaluation.prms:
            placed = placement.of_prm(config, prm)
            for path in tables("scores", prm, policy, benchmark):
                yield GpuJob("score", path, placed, prm=prm, scorer=config.prms[prm].base)
        judge = config.evaluation.llm_judge
        if judge is not None:
            for path in tables("ranks", policy, benchmark):
                yield GpuJob("rank", path, placement.of_judge(config), scorer=judge)

    def _searches(self) -> Iterator[GpuJob]:
        """A search holds policy and PRM at once."""
        for name, prm, policy, benchmark in self.plan.searches():
            placed = placement.of_search(self.config, policy, prm)
            for path in self.plan.searched("rollouts", name, prm, policy, benchmark):
                yield GpuJob("search", path, placed, policy, prm, self.config.prms[prm].base)
