"""What the part of a run that is still to do needs: GPUs, keys, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlprm.config.data import MatrixData
from vlprm.config.plan import Plan

# GB on disk of what a run writes, rough and on the safe side: a question with its picture, and a
# rollout with its scores, verdict and labels; imported ones, then generated ones (the mini
# experiment: 15 kB and 0.1 kB). A trained checkpoint may be wider than its base: twice its size.
_GB_QUESTION, _GB_ROLLOUT = 2e-4, 4e-6
_GB_PUZZLE, _GB_PUZZLE_ROLLOUT = 2e-5, 2e-7
_WIDER = 2


class Needs:
    """Needs of a plan, seen from the files that are there under ``workdir``."""

    def __init__(self, plan: Plan, workdir: Path) -> None:
        self.plan, self.workdir = plan, workdir
        self.config = plan.config

    def gpus(self) -> int:
        """The most GPUs that one job still to run asks of a node; 0 when none does."""
        return max((gpus for gpus, path in self._gpu_jobs() if not self._there(path)), default=0)

    def keys(self) -> dict[str, str]:
        """Environment variables that must hold a key, and what for."""
        judge = self.config.labels.judge
        if judge.engine != "api" or judge.api_key_env is None:
            return {}
        if all(self._there(path) for path in self._verdicts()):
            return {}
        return {judge.api_key_env: f"judge {judge.name}"}

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
        """Size of a model's weights: stated for the Hub, measured in the checkout."""
        model = self.config.models[name]
        if model.hub is not None:
            return model.hub.gb or 0.0
        file = self.workdir / (model.path or "") / "model.safetensors"
        return file.stat().st_size / 1e9 if file.is_file() else 0.0

    def roles(self) -> list[str]:
        """Roles of the images that the run's rules use."""
        return list(dict.fromkeys(map(self.plan.image, ("cpu", "gpu"))))

    def _there(self, path: str) -> bool:
        return (self.workdir / path).exists()

    def _candidates(self) -> int:
        evaluation = self.config.evaluation
        searches = evaluation.guided.n * len(evaluation.prms)
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

    def _verdicts(self) -> Iterator[str]:
        plan, evaluation = self.plan, self.config.evaluation
        for name in self._labelled():
            yield from plan.tables("verdicts", self.config.labels.policy, name)
        if evaluation.step_truth:
            for policy in evaluation.policies:
                for name in evaluation.benchmarks:
                    yield from plan.tables("verdicts", policy, name)

    def _gpu_jobs(self) -> Iterator[tuple[int, str]]:
        """GPUs and an output of every job that runs a model."""
        config, plan, evaluation = self.config, self.plan, self.config.evaluation

        def of_model(name: str) -> int:
            return config.models[name].gpus

        def of_policy(name: str) -> int:
            return of_model(config.policies[name].model)

        teacher = config.labels.policy
        for name in self._labelled():
            for kind in ("rollouts", "estimates"):
                yield from ((of_policy(teacher), p) for p in plan.tables(kind, teacher, name))
        for prm in self._trained():
            yield of_model(config.prms[prm].base), plan.prm(prm)
        for policy in evaluation.policies:
            for name in evaluation.benchmarks:
                tables = plan.tables
                yield from ((of_policy(policy), p) for p in tables("rollouts", policy, name))
                for prm in evaluation.prms:
                    gpus = of_model(config.prms[prm].base)
                    yield from ((gpus, p) for p in tables("scores", prm, policy, name))
                if evaluation.llm_judge:
                    gpus = of_model(evaluation.llm_judge)
                    yield from ((gpus, p) for p in tables("ranks", policy, name))
        yield from self._searches()

    def _searches(self) -> Iterator[tuple[int, str]]:
        """A guided search holds policy and PRM at once."""
        config, plan, evaluation = self.config, self.plan, self.config.evaluation
        for prm in evaluation.prms:
            for policy in evaluation.policies:
                gpus = config.models[config.policies[policy].model].gpus
                gpus += config.models[config.prms[prm].base].gpus
                for name in evaluation.guided_benchmarks:
                    for path in plan.tables("guided", prm, policy, name):
                        yield gpus, path.replace(".parquet", ".rollouts.parquet")
