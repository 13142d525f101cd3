"""PRM training over ``transformers.Trainer``: logits only where a label stands."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from vlprm.config.models import ModelConfig
from vlprm.config.training import PRMTrainingConfig
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.family import Images
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import BESIDE_WEIGHTS, WEIGHTS, load_model, settle_torch
from vlprm.records import PRMExample
from vlprm.training import packed
from vlprm.training.clock import Clock
from vlprm.training.collator import PRMCollator
from vlprm.training.data import Conversations, survey
from vlprm.training.processes import (
    checkpoint_folder,
    end_with_launcher,
    first_process,
    own_gpu,
)
from vlprm.training.setup import check_deepspeed, make_ready
from vlprm.training.state import StateFolder
from vlprm.training.trainer import Lines, PRMTrainer, SaveNow

log = logging.getLogger(__name__)
_ONE_FILE = 1 << 60
"""Bytes of a weights file: all of any model. The file's presence means complete, so it is one."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a training run goes about it; nothing here changes a byte of the result."""

    workers: int = 0
    """Processes, beside each training process, that read and prepare batches."""
    save_minutes: float = 30
    digest: str | None = None
    """Of all that decides the result (``StateFolder``; of use to the first process alone); None: no
    state is kept."""
    callbacks: tuple[TrainerCallback, ...] = ()


def train_prm(
    config: PRMTrainingConfig,
    base: ModelConfig,
    base_dir: Path,
    examples: Sequence[PRMExample],
    store: Images,
    out_dir: Path,
    conduct: Conduct | None = None,
) -> dict[str, int]:
    """Train one PRM from ``base_dir`` and write its checkpoint into ``out_dir``.

    ``model.safetensors`` is moved into place last. With a digest, the state is kept beside
    ``out_dir`` on the way, and a run of the same digest goes on from there to the same bytes; it
    stays until ``forget``.
    Returns counts. Raises UserError without examples, for a base of another family, when DeepSpeed
    is configured and absent, when the loss is no number, and when the disk is full.
    """
    if not len(examples):
        raise UserError("no training conversations", cure="loosen the label rule or add rollouts")
    conduct = conduct or Conduct()
    family = FAMILIES[base.family]
    assert family.prm is not None  # the configuration takes no other base
    family.check_checkpoint(base_dir)
    end_with_launcher()
    settle_torch(training=True, on_gpu=base.gpus > 0)
    # filling fresh memory with NaN, to find its readers, costs bandwidth: 5 % of a step on a CPU
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 (typed as a module)
    check_deepspeed(config.deepspeed)
    device = own_gpu() if base.gpus else "cpu"
    with checkpoint_folder(out_dir, last=WEIGHTS) as scratch:
        arguments = _arguments(config, base, scratch, device, conduct)
        model = load_model(base_dir, dtype=_held_in(config, base), device=device)
        dense = packed.flash_runs(model, device, base.dtype)
        if dense:
            packed.use_packed(model)
        inputs = QwenInputs(family, base_dir, store, base.pixels)
        positions = packed.rotary_positions(model) if dense else None
        collate = PRMCollator(family.prm, inputs, config.label_positions, positions)
        data = Conversations(examples, collate)
        found = survey(data, collate.value_ids[0], conduct.workers, arguments.device)
        found.log()
        make_ready(model, config)
        digest = conduct.digest
        states = None if digest is None else StateFolder(state_folder(out_dir), digest)
        trainer = PRMTrainer(
            lengths=found.lengths if config.group_by_length else None,
            states=states,
            values=collate.value_ids,
            model=model,
            args=arguments,
            train_dataset=data,
            data_collator=collate,
            callbacks=[Lines(), Clock(), *conduct.callbacks],
        )
        steps = _run(trainer, states, conduct)
        if first_process():
            save_checkpoint(model, base.dtype, base_dir, scratch)
    return {
        "conversations": len(data),
        "targets": found.targets,
        "plus": found.plus,
        "steps": steps,
    }


def forget(out_dir: Path) -> None:
    """Remove the training state kept for ``out_dir``: its checkpoint is complete and recorded."""
    StateFolder(state_folder(out_dir), "").remove()


def state_folder(out_dir: Path) -> Path:
    """Where the state of the training that writes ``out_dir`` is kept."""
    return out_dir.with_name(f"{out_dir.name}.training")


def _run(trainer: PRMTrainer, states: StateFolder | None, conduct: Conduct) -> int:
    """Train to the end; the number of optimizer steps."""
    trainer.remove_callback(PrinterCallback)  # Lines says it
    state = None
    if states:
        state = states.latest(trainer.args.device)
        trainer.add_callback(SaveNow(conduct.save_minutes, trainer.args.device))
    if state:
        log.info("train: goes on from %s", state.name)
    return int(trainer.train_from(state).global_step)


def save_checkpoint(model: Any, dtype: str, base_dir: Path, out: Path) -> None:
    """Write one file of weights in ``dtype``, and what else a checkpoint holds, from the base.

    One process's own copy of the weights is whole (ZeRO 1 and 2).
    """
    model.to(getattr(torch, dtype))
    model.save_pretrained(out, max_shard_size=_ONE_FILE)
    for name in BESIDE_WEIGHTS:
        if (base_dir / name).exists():
            shutil.copyfile(base_dir / name, out / name)


def _held_in(config: PRMTrainingConfig, base: ModelConfig) -> Literal["float32", "bfloat16"]:
    """The type weights are loaded in.

    DeepSpeed's bf16 optimizer keeps float32 weights beside the 16-bit ones. Without it the weights
    themselves must be float32, and the forward is autocast: at a learning rate of 1e-5 an update is
    smaller than half the distance between two bf16 numbers, and would be lost.
    """
    return base.dtype if config.deepspeed else "float32"


def _arguments(
    config: PRMTrainingConfig, base: ModelConfig, scratch: Path, device: str, conduct: Conduct
) -> TrainingArguments:
    on_gpu = device != "cpu"
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        optim="adamw_torch_fused",  # no temporaries of the size of the parameters
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_ratio=config.warmup_ratio,
        weight_decay=config.weight_decay,
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        data_seed=config.seed,
        gradient_checkpointing=False,  # setup.make_ready does it, by layer
        deepspeed=config.deepspeed,
        use_cpu=not on_gpu,
        average_tokens_across_devices=True,
        bf16=base.dtype == "bfloat16",  # else DeepSpeed turns the weights into float32
        save_strategy="no",  # SaveNow says when
        eval_strategy="no",
        report_to=[],
        logging_steps=10,
        logging_nan_inf_filter=False,  # it would wait for the GPU at every batch; Lines looks
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,  # FromStep skips
        dataloader_num_workers=conduct.workers,
        dataloader_pin_memory=on_gpu,
        accelerator_config={"non_blocking": on_gpu},
        # with False, DDP would order gradients anew after its first step: also after a resume
        ddp_find_unused_parameters=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are several processes, never threads
    return arguments
