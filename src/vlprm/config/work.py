"""The work of a run, counted: every job of the workflow, and how many units it has to do.

Counts are what the configuration says: questions, rollouts, candidates, conversations. Where the
data decide (a rollout without labels trains nothing), the count is the most there can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlprm.config import placement
from vlprm.config.plan import Plan

NO_SHARD = ""
_MEASURED = (("metrics", "accuracy"), ("step_metrics", "steps"), ("costs", "costs"))
"""Rules that measure one benchmark, and the tables they write."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``keys`` are its rule's wildcards in the order of the path, without the shard."""

    rule: str
    keys: tuple[str, ...]
    shard: str
    path: str
    """The output beside which the stage leaves its manifest and timing."""
    gpus: int
    units: int
    unit: str

    @property
    def group(self) -> tuple[str, tuple[str, ...]]:
        """Jobs of one group do the same on other questions: one speed serves them all."""
        return self.rule, self.keys


class Work:
    """All jobs of the default target, fetching left out (it computes nothing)."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config

    def jobs(self) -> Iterator[Job]:
        """Rule after rule, roughly in the order of the run."""
        for name in self.plan.data:
            rule = "import_rollouts" if name in self.plan.published else "prepare"
            for shard, n in self._shards(name):
                yield self._job(rule, "samples", (name,), shard, n, "question")
        yield from self._leaks()
        yield from self._bases()
        yield from self._labels()
        yield from self._training()
        for policy in self.config.evaluation.policies:
            for benchmark in self.config.evaluation.benchmarks:
                yield from self._candidates(policy, benchmark)
        yield from self._searches()
        yield from self._pages()

    def of_policy(self, name: str) -> int:
        """Cards of a job that draws from a policy."""
        return placement.cards(placement.of_policy(self.config, name))

    def of_prm(self, name: str) -> int:
        """Cards of a job that scores with a PRM."""
        return placement.cards(placement.of_prm(self.config, name))

    def rollouts(self) -> int:
        """Rollouts that are labelled: at most as many conversations come of them."""
        return sum(item.data.n * item.rollouts for item in self.config.sources.values())

    def conversations(self, prm: str) -> int:
        """Conversations that a PRM's training sees, epoch after epoch, at most."""
        recipe = self.config.training[str(self.config.prms[prm].training)]
        most = self.config.labels.examples.max_examples
        n = self.rollouts() if most is None else min(most, self.rollouts())
        if recipe.questions is not None:
            each = max((item.rollouts for item in self.config.sources.values()), default=n)
            n = min(n, recipe.questions * each)
        if self.config.rehearsal is not None:
            n = self.config.rehearsal.conversations
        return n * recipe.epochs

    def _job(
        self,
        rule: str,
        kind: str,
        keys: tuple[str, ...],
        shard: str,
        units: int,
        unit: str,
        gpus: int = 0,
        suffix: str = "",
    ) -> Job:
        path = self.plan.table(kind, *keys, *([shard + suffix] if shard else []))
        return Job(rule, keys, shard, path, gpus, units, unit)

    def _shards(self, name: str) -> Iterator[tuple[str, int]]:
        """Shards of a data set with their questions."""
        data = self.plan.data[name]
        for number, shard in enumerate(self.plan.shards(name)):
            yield shard, min(data.shard_size, data.n - number * data.shard_size)

    def _leaks(self) -> Iterator[Job]:
        """The leak check, if there is one."""
        if self.config.leaks is None:
            return
        for name in (*self.config.sources, *self.config.evaluation.benchmarks):
            for shard, n in self._shards(name):
                yield self._job("fingerprint", "fingerprints", (name,), shard, n, "question")
        path = f"{self.plan.root}/leaks/hits.parquet"
        questions = sum(item.data.n for item in self.config.sources.values())
        yield Job("leaks", (), NO_SHARD, path, 0, questions, "question")

    def _bases(self) -> Iterator[Job]:
        for name, model in self.config.models.items():
            if model.source == "build":
                steps = self.config.base_models[name].steps
                yield Job("base", (name,), NO_SHARD, self.plan.model(name), 0, steps, "step")

    def _labels(self) -> Iterator[Job]:
        policy = self.config.labels.policy
        cards = self.of_policy(policy)
        for name, source in self.config.sources.items():
            for shard, n in self._shards(name):
                keys, units = (policy, name), n * source.rollouts
                if name not in self.plan.published:
                    yield self._job("rollout", "rollouts", keys, shard, units, "rollout", cards)
                    if self.config.labels.estimated:
                        yield self._job(
                            "estimate", "estimates", keys, shard, units, "rollout", cards
                        )
                    if self.config.labels.judged or self.config.labels.panel:
                        yield self._job("judge", "verdicts", keys, shard, units, "rollout")
                panel = self.config.labels.panel
                for judge in panel.judges if panel else ():
                    named = (judge, *keys)
                    yield self._job("judge_panel", "panel", named, shard, units, "rollout")
                yield self._job("label", "labels", keys, shard, units, "rollout")

    def _training(self) -> Iterator[Job]:
        built = [
            name for name in self.config.evaluation.prms if self.config.prms[name].source == "build"
        ]
        if built and not self.config.labels.examples.published:
            path = self.plan.examples()
            yield Job("examples", (), NO_SHARD, path, 0, self.rollouts(), "rollout")
        for name in built:
            cards = placement.cards(placement.of_training(self.config, name))
            units = self.conversations(name)
            path = self.plan.prm(name)
            yield Job("train", (name,), NO_SHARD, path, cards, units, "conversation")

    def _candidates(self, policy: str, benchmark: str) -> Iterator[Job]:
        evaluation, keys = self.config.evaluation, (policy, benchmark)
        for shard, n in self._shards(benchmark):
            units, unit = n * evaluation.ranking.candidates, "candidate"
            cards = self.of_policy(policy)
            yield self._job("rollout", "rollouts", keys, shard, units, unit, cards)
            yield self._job("grade", "grades", keys, shard, units, unit)
            if evaluation.step_truth:
                yield self._job("judge", "verdicts", keys, shard, units, unit)
            if evaluation.llm_judge:
                cards = placement.cards(placement.of_judge(self.config))
                yield self._job("rank", "ranks", keys, shard, units, unit, cards)
            for prm in evaluation.prms:
                named = (prm, *keys)
                yield self._job("score", "scores", named, shard, units, unit, self.of_prm(prm))

    def _searches(self) -> Iterator[Job]:
        """A search holds policy and PRM at once, on one card or on their own."""
        kind, unit = "searches", "question"
        for name, prm, policy, benchmark in self.plan.searches():
            keys = (name, prm, policy, benchmark)
            cards = placement.cards(placement.of_search(self.config, policy, prm))
            for shard, n in self._shards(benchmark):
                yield self._job("search", kind, keys, shard, n, unit, cards, ".rollouts")
                yield self._job("grade_search", kind, keys, shard, n, unit, 0, ".grades")

    def _pages(self) -> Iterator[Job]:
        evaluation, root = self.config.evaluation, self.plan.root
        policies, n = len(evaluation.policies), evaluation.ranking.candidates
        for name in evaluation.benchmarks:
            candidates = self.plan.data[name].n * n
            for policy in evaluation.policies:
                path = f"{root}/selections/{policy}/{name}.parquet"
                yield Job("select", (policy, name), NO_SHARD, path, 0, candidates, "candidate")
            for rule, file in _MEASURED:
                path = f"{root}/metrics/{name}/{file}.parquet"
                yield Job(rule, (name,), NO_SHARD, path, 0, candidates * policies, "candidate")
        labelled = self.rollouts()
        path = f"{root}/tables/strategies.csv"
        yield Job("tables", (), NO_SHARD, path, 0, labelled, "rollout")
        if self.config.labels.panel:
            path = f"{root}/tables/judges.parquet"
            yield Job("judges", (), NO_SHARD, path, 0, labelled, "rollout")
        yield Job("cost_pages", (), NO_SHARD, f"{root}/tables/costs.md", 0, 1, "page")
        yield Job("figures", (), NO_SHARD, f"{root}/figures/accuracy.svg", 0, 1, "page")
