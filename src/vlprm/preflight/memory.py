"""Do models, caches and batches fit the cards that their jobs book? Computed from shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from vlprm.config import memory
from vlprm.config.deepspeed import zero_stage
from vlprm.config.memory import GIB, Need
from vlprm.config.models import ModelConfig
from vlprm.config.placement import CPU, WHOLE_CARD, Placement
from vlprm.config.plan import Plan
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.shapes import Shapes
from vlprm.preflight.finding import Finding, failure, ok, warning
from vlprm.preflight.needs import GpuJob

_BATCHES = (32768, 16384, 8192, 4096)
_SPLITS = (2, 4, 8)
_STEP_GROUP = 800_000_000
"""Weights that the trainer's optimizer steps at once, at most: groups of 500 million and one
tensor more (an embedding of 300 to 550 million)."""


def check_memory(
    plan: Plan, workdir: Path, jobs: Iterator[GpuJob], card: float, here: int | None = None
) -> Iterator[Finding]:
    """One finding per stage and its models; ``card``: bytes of one card, ``here``: cards of this
    machine, where a training runs on no more of them.

    A model whose shapes nobody knows before it is fetched is a warning.
    """
    seen = set()
    for job in jobs:
        key = (job.stage, job.policy, job.prm, job.scorer)
        if key not in seen:
            seen.add(key)
            yield _StageMemory(plan, workdir, job, card, here).finding()


def estimate_gb(plan: Plan, workdir: Path, job: GpuJob) -> dict[str, float]:
    """GiB on the fullest card of each role of a job, for whoever measures it on one.

    Raises LookupError where the shapes of a model are not known.
    """
    stage = _StageMemory(plan, workdir, job, 0.0)
    return {role: stage.need(role).total / GIB for role in job.placed}


def shapes_of(plan: Plan, workdir: Path, name: str) -> Shapes | None:
    """A model's shapes: from its files, otherwise from the known repository."""
    model = plan.config.models[name]
    family = FAMILIES[model.family]
    found = family.read_shapes((workdir / plan.model(name)).parent)
    return found or (family.known.get(model.hub.repo) if model.hub else None)


class _StageMemory:
    def __init__(
        self, plan: Plan, workdir: Path, job: GpuJob, card: float, here: int | None = None
    ) -> None:
        self._plan, self._workdir, self._job, self._card = plan, workdir, job, card
        booked = len(job.placed.get("training", CPU).devices)
        self._processes = min(booked, here or booked)
        self._config = plan.config

    def finding(self) -> Finding:
        job = self._job
        title = f"{job.stage} {' + '.join(filter(None, (job.policy, job.prm or job.scorer)))}"
        parts = []
        for role, place in job.placed.items():
            if not place.devices:
                continue
            name, model = self._model(role)
            shapes = shapes_of(self._plan, self._workdir, name)
            if shapes is None:
                cure = "fetch it (`snakemake fetch`), then ask again"
                return warning("memory", f"{title}: the shapes of {name} are not known yet", cure)
            engine = str(getattr(model.engines, role, None))
            count = 1 if role == "training" else len(place.devices)
            why = shapes.splits(count, engine) if count > 1 else None
            if why:
                good = [n for n in (1, *_SPLITS) if not shapes.splits(n, engine)]
                cure = f"models.{name}.gpus: one of {good}"
                return failure("memory", f"{title}: {name} on {count} cards: {why}", cure)
            need, room = self.need(role), place.memory * self._card
            kept = "optimizer" if role == "training" else "cache"
            label = job.prm if role == "scorer" and job.prm else name
            cards = self._processes if role == "training" else len(place.devices)
            parts.append(_sum(label, need, room, cards, kept))
            if need.total > room:
                return failure("memory", f"{title}: {parts[-1]}", self._cure(role, place))
        return ok("memory", f"{title}: {', '.join(parts)}")

    def need(self, role: str, changed: ModelConfig | None = None, cards: int | None = None) -> Need:
        """What a role needs, also with another number of cards or batch."""
        name, model = self._model(role)
        shapes = shapes_of(self._plan, self._workdir, name)
        if shapes is None:
            raise LookupError(name)
        model = changed or model
        count = cards or len(self._job.placed[role].devices) or 1
        if role == "training":
            return self._training(shapes, model)
        if role == "policy" and model.engines.policy == "vllm":
            return memory.vllm_policy(shapes, model.dtype, self._sequence(model), count)
        if role == "policy":
            return memory.transformers_policy(shapes, model.dtype, model.batch_tokens)
        return memory.scorer(shapes, model.dtype, model.batch_tokens, count)

    def _model(self, role: str) -> tuple[str, ModelConfig]:
        job = self._job
        name = self._config.policies[str(job.policy)].model if role == "policy" else job.scorer
        return str(name), self._config.models[str(name)]

    def _sequence(self, model: ModelConfig, policy: str | None = None) -> int:
        """Tokens of the longest solution with its question and one image of the largest size."""
        drawing = self._config.policies[policy or str(self._job.policy)]
        prompt = FAMILIES[model.family].images.most(model.pixels) + memory.PROMPT_TOKENS
        return prompt + drawing.sampling.max_tokens

    def _training(self, shapes: Shapes, model: ModelConfig, micro_batch: int | None = None) -> Need:
        training = self._config.training[str(self._config.prms[str(self._job.prm)].training)]
        sequence = self._sequence(model, self._config.labels.policy)
        recomputed = training.gradient_checkpointing
        return memory.training(
            shapes,
            model.dtype,
            (micro_batch or training.micro_batch) * sequence,
            processes=self._processes,
            tune_vision=training.tune_vision,
            every=getattr(recomputed, "every", int(bool(recomputed))),
            zero=_zero_stage(self._workdir, training.deepspeed),
            group=_STEP_GROUP,
        )

    def _cure(self, role: str, place: Placement) -> str:
        name, model = self._model(role)
        shapes = shapes_of(self._plan, self._workdir, name)
        assert shapes is not None  # the caller has them
        fits = _fits(place.memory * self._card)
        whole = _fits(WHOLE_CARD * self._card)
        if role == "training":
            return self._training_cure(shapes, model)
        engine = str(getattr(model.engines, role))
        cures = [
            f"models.{name}.batch_tokens: {tokens}"
            for tokens in _BATCHES
            if engine == "transformers"
            and tokens < model.batch_tokens
            and fits(self.need(role, model.model_copy(update={"batch_tokens": tokens})))
        ][:1]
        if place.shared and whole(self.need(role)):
            cures.append("evaluation.placement.share without this policy, or other shares")
        cures += [
            f"models.{name}.gpus: {count}"
            for count in _SPLITS
            if engine != "transformers" or role == "scorer"
            if count > len(place.devices) and not shapes.splits(count, engine)
            if whole(self.need(role, cards=count))
        ][:1]
        return ", or ".join(cures) or "cards with more memory (cards.memory_gb)"

    def _training_cure(self, shapes: Shapes, model: ModelConfig) -> str:
        key = f"training.{self._config.prms[str(self._job.prm)].training}"
        if _fits(WHOLE_CARD * self._card)(self._training(shapes, model, micro_batch=1)):
            return f"{key}.micro_batch: 1, and accumulation as many times larger"
        return f"{key}.gradient_checkpointing: true, a deepspeed file, or cards with more memory"


def _fits(room: float) -> Callable[[Need], bool]:
    return lambda need: need.total <= room


def _sum(name: str, need: Need, room: float, cards: int, kept: str) -> str:
    cache = f" + {need.cache / GIB:.1f} {kept}" if need.cache else ""
    parts = f"{need.weights / GIB:.1f} weights{cache}"
    on = f" (each of {cards} cards)" if cards > 1 else ""
    total = f"{need.total / GIB:.1f} of {room / GIB:.1f} GiB{on}"
    return f"{name} {parts} + {need.batch / GIB:.1f} batch = {total}"


def _zero_stage(workdir: Path, file: str | None) -> int | None:
    """The stage that a DeepSpeed configuration names; 2, the shipped one's, where it is absent."""
    if file is None:
        return None
    try:
        return zero_stage(workdir / file)
    except UserError:
        return 2
