"""PRM training over ``transformers.Trainer``: logits only where a label stands."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from vlprm.config.models import ModelConfig
from vlprm.config.training import PRMTrainingConfig
from vlprm.errors import UserError
from vlprm.prm.format import VALUE_TOKENS
from vlprm.qwen.inputs import Images, QwenInputs
from vlprm.qwen.model import WEIGHTS, load_model, settle_torch
from vlprm.records import PRMExample
from vlprm.training.clock import Clock
from vlprm.training.collator import IGNORED, Conversation, PRMCollator
from vlprm.training.processes import checkpoint_folder, first_process, own_gpu

log = logging.getLogger(__name__)
_COPIED = (
    "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json",
    "special_tokens_map.json", "chat_template.jinja", "preprocessor_config.json",
    "video_preprocessor_config.json",
)  # fmt: skip


class _Conversations(Dataset[dict[str, Any]]):
    def __init__(self, rows: Sequence[Conversation]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        return {"conversation": row, "input_ids": row.ids}


def _logits_at_labels(model: Any) -> None:
    """Give the model a forward that returns logits at label positions alone.

    As its own forward, so that the wrappers of several processes (DDP, DeepSpeed) see every call:
    one that goes around them leaves the gradients of each process to itself.
    """

    def forward(labels: Tensor, **inputs: Any) -> Tensor:
        hidden = model.model(**inputs, use_cache=False).last_hidden_state
        logits: Tensor = model.lm_head(hidden[labels != IGNORED]).float()
        return logits

    model.forward = forward


class _PRMTrainer(Trainer):
    """Full-vocabulary cross entropy (as published), computed at label positions alone."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        del return_outputs
        labels = inputs["labels"]
        chosen = labels[labels != IGNORED]
        total = cross_entropy(model(**inputs), chosen, reduction="sum")
        if num_items_in_batch is None:
            return total / len(chosen)
        # the count is of all processes, whose gradients are averaged, not summed
        return total / num_items_in_batch * self.accelerator.num_processes


class _Lines(TrainerCallback):
    """Training progress as log lines."""

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        del args, control
        if logs and "loss" in logs:
            log.info(
                "train: step %d of %d, loss %.4f", state.global_step, state.max_steps, logs["loss"]
            )


def train_prm(
    config: PRMTrainingConfig,
    base: ModelConfig,
    base_dir: Path,
    examples: Sequence[PRMExample],
    store: Images,
    out_dir: Path,
) -> dict[str, int]:
    """Train one PRM from ``base_dir`` and write its checkpoint into ``out_dir``.

    ``model.safetensors`` is moved into place last. Returns counts. Raises UserError without
    examples and when the disk is full.
    """
    if not examples:
        raise UserError("no training conversations", cure="loosen the label rule or add rollouts")
    settle_torch(training=True, on_gpu=base.gpus > 0)
    device = own_gpu() if base.gpus else "cpu"
    inputs = QwenInputs(base_dir, store, base.pixels)
    collate = PRMCollator(inputs, config.label_positions)
    rows = [collate.conversation(example) for example in examples]
    model = load_model(base_dir, dtype=base.dtype, device=device)
    model.model.visual.requires_grad_(config.tune_vision)
    _logits_at_labels(model)
    with checkpoint_folder(out_dir, last=WEIGHTS) as scratch:
        trainer = _PRMTrainer(
            model=model,
            args=_arguments(config, base, scratch, device),
            train_dataset=_Conversations(rows),
            data_collator=collate,
            callbacks=[_Lines(), Clock()],
        )
        trainer.remove_callback(PrinterCallback)  # _Lines says it
        trainer.model_accepts_loss_kwargs = True
        outcome = trainer.train()
        log.info("train: mean loss %.4f", outcome.training_loss)
        weights = trainer.accelerator.get_state_dict(
            trainer.model_wrapped
        )  # all processes take part
        if first_process():
            model.save_pretrained(scratch, state_dict=weights)
            for name in _COPIED:
                if (base_dir / name).exists():
                    shutil.copyfile(base_dir / name, scratch / name)
    plus = inputs.token_id(VALUE_TOKENS[0])
    targets = [token for row in rows for _, token in row.targets]
    return {
        "conversations": len(rows),
        "targets": len(targets),
        "plus": sum(token == plus for token in targets),
        "steps": int(outcome.global_step),
    }


def _arguments(
    config: PRMTrainingConfig, base: ModelConfig, scratch: Path, device: str
) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_ratio=config.warmup_ratio,
        weight_decay=config.weight_decay,
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        data_seed=config.seed,
        gradient_checkpointing=config.gradient_checkpointing,
        deepspeed=config.deepspeed,
        use_cpu=device == "cpu",
        average_tokens_across_devices=True,
        bf16=base.dtype == "bfloat16",  # else DeepSpeed turns the weights into float32
        save_strategy="no",
        eval_strategy="no",
        report_to=[],
        logging_steps=10,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are several processes, never threads
    return arguments
