"""``transformers.Trainer`` with our loss, our data order, our optimizer groups and our state."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers.trainer
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback

from vlprm.errors import UserError
from vlprm.training import processes, snapshot
from vlprm.training.collator import IGNORED
from vlprm.training.data import ByLength, FromStep
from vlprm.training.state import StateFolder

log = logging.getLogger(__name__)
GROUP_ELEMENTS = 500_000_000
"""Parameters of an optimizer group, about: DeepSpeed 0.16.4 turns the gradient of a group into
float32 at once (stage_1_and_2.py:1896), 12 GB where 3 billion parameters are one group."""


def soft_cross_entropy(logits: Tensor, soft: Tensor, values: tuple[int, ...]) -> Tensor:
    """Cross entropy with ``soft`` as the probability of ``+`` and the rest of ``-``, summed.

    ``logits`` (targets, vocabulary), ``soft`` (targets,); ``values``: token ids of ``+`` and ``-``.
    With 1 and 0 it is the cross entropy of the labels. DeepSpeed hands ``soft`` on in 16 bits:
    sixteenths are exact.
    """
    likely = logits.log_softmax(dim=-1)
    share = soft.to(likely.dtype)
    plus, minus = values
    return -(share * likely[:, plus] + (1 - share) * likely[:, minus]).sum()


class PRMTrainer(Trainer):
    """Full-vocabulary cross entropy (as published), computed at label positions alone."""

    def __init__(
        self,
        *,
        lengths: Tensor | None,
        states: StateFolder | None,
        values: tuple[int, ...],
        **rest: Any,
    ) -> None:
        """``lengths``: of the conversations, where like ones are to stand together; ``values``:
        token ids of ``+`` and ``-``."""
        super().__init__(**rest)
        self._values = values
        self._lengths, self._states = lengths, states
        self._first_step = 0
        self.model_accepts_loss_kwargs = True

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """Cross entropy summed over a batch, by the targets of the whole optimizer step."""
        del return_outputs
        soft = inputs.get("soft")
        inputs = {name: value for name, value in inputs.items() if name != "soft"}
        labels = inputs["labels"]
        chosen = labels[labels != IGNORED]
        logits = model(**inputs)
        if soft is None:
            total = cross_entropy(logits, chosen, reduction="sum")
        else:
            total = soft_cross_entropy(logits, soft, self._values)
        if num_items_in_batch is None:
            return total / len(chosen)
        # the count is of all processes, whose gradients are averaged, not summed
        return total / num_items_in_batch * self.accelerator.num_processes

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """None counted: the base class walks all modules at every batch."""
        del inputs
        return 0

    def create_optimizer(self) -> Any:
        """The base class's, under DeepSpeed in groups of bounded size: the same mathematics."""
        optimizer = super().create_optimizer()
        if self.is_deepspeed_enabled and hasattr(optimizer, "param_groups"):
            optimizer.param_groups = [
                {**group, "params": part}
                for group in optimizer.param_groups
                for part in bounded(group["params"], GROUP_ELEMENTS)
            ]
        return optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        if self._lengths is None:
            return super()._get_train_sampler(train_dataset)
        together = self.args.per_device_train_batch_size * processes.count()
        return ByLength(self._lengths, together, self.args.data_seed)

    def get_train_dataloader(self) -> Any:
        """The base class's, from where the state stands."""
        loader = super().get_train_dataloader()
        return FromStep(loader, self._first_step, self.args.gradient_accumulation_steps)

    def train_from(self, state: Path | None) -> Any:
        """Train to the end, from a state or from the start."""
        if state:
            facts = (state / transformers.trainer.TRAINER_STATE_NAME).read_text(encoding="utf-8")
            self._first_step = int(json.loads(facts)["global_step"])
        with _no_pickles():
            return self.train(resume_from_checkpoint=str(state) if state else None)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Called where ``control.should_save`` is set; after the optimizer's step."""
        del model, trial
        if self._states is None:
            return
        started = time.monotonic()
        with self._states.saving(self.state.global_step) as folder:
            snapshot.save(folder, self.model, self.lr_scheduler, self._engine())
            if processes.first_process():
                self.state.save_to_json(str(folder / transformers.trainer.TRAINER_STATE_NAME))
        log.info(
            "train: state of step %d saved in %.1f s",
            self.state.global_step,
            time.monotonic() - started,
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Weights come with the optimizer's state, below."""

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            snapshot.load(Path(checkpoint), self.model, self.lr_scheduler, self._engine())

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            snapshot.load_generators(Path(checkpoint))

    def _engine(self) -> Any:
        return self.model_wrapped if self.is_deepspeed_enabled else None


def bounded(parameters: list[Tensor], limit: int) -> Iterator[list[Tensor]]:
    """Parameters in order, in parts of no more than ``limit`` elements or of one parameter."""
    part: list[Tensor] = []
    size = 0
    for parameter in parameters:
        if part and size + parameter.numel() > limit:
            yield part
            part, size = [], 0
        part.append(parameter)
        size += parameter.numel()
    if part:
        yield part


@contextmanager
def _no_pickles() -> Iterator[None]:
    """Keep ``Trainer`` (trainer.py:2425 at 4.55.2) from reading DeepSpeed's own, pickled state.

    Ours is read right after it, in ``_load_optimizer_and_scheduler``.
    """
    name = "deepspeed_load_checkpoint"
    theirs = getattr(transformers.trainer, name)
    setattr(transformers.trainer, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(transformers.trainer, name, theirs)


class Lines(TrainerCallback):
    """Training progress as log lines.

    Raises UserError when the loss is no number any more.
    """

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Called every ``logging_steps``."""
        del args, control
        if logs and "loss" in logs:
            log.info(
                "train: step %d of %d, loss %.4f", state.global_step, state.max_steps, logs["loss"]
            )
            if not math.isfinite(logs["loss"]):
                raise UserError(
                    f"the loss is {logs['loss']} at step {state.global_step}",
                    where="training",
                    cure="lower the learning rate, or look for a damaged base checkpoint",
                )


class SaveNow(TrainerCallback):
    """Has the state saved when ``minutes`` have passed, by the first process's clock."""

    def __init__(self, minutes: float, device: torch.device) -> None:
        self._seconds, self._device = minutes * 60, device
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After every optimizer step: all processes must decide alike."""
        del args
        due = time.monotonic() - self._last >= self._seconds
        if processes.told_by_first(int(due), self._device) and state.global_step < state.max_steps:
            control.should_save = True
            self._last = time.monotonic()
