"""Training the mini base models from a seed: policy and PRM base of the mini experiment."""

from __future__ import annotations

import json
import logging
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2TokenizerFast

from vlprm import prompts
from vlprm.config.base_model import BaseModelConfig
from vlprm.config.matrix import MatrixSpec
from vlprm.families.qwen25vl.chat import render_turns
from vlprm.families.qwen25vl.model import WEIGHTS, batch_vision, settle_torch
from vlprm.io.atomic import atomic_folder
from vlprm.io.manifest import sha256_of
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_text import question, solution
from vlprm.training.base_architecture import build_model, save_processor
from vlprm.training.base_data import ASK, IGNORED, SAID, PuzzleSet, patchify, puzzle_set
from vlprm.training.tokenizer import build_tokenizer

log = logging.getLogger(__name__)
_VOCABULARY_PUZZLES = 2000
_HELD_OUT_SEED = 1
"""Added to the puzzle seed: held-out puzzles are other puzzles."""


def train_base(config: BaseModelConfig, out_dir: Path, device: str | None = None) -> dict[str, int]:
    """Train one base model and write its checkpoint, ``recipe.json`` and figures.

    Weights are stored in bfloat16. Returns counts for the stage's closing line.
    """
    settle_torch()
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU; no effect on a CPU
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with atomic_folder(out_dir, last=WEIGHTS) as scratch:
        tokenizer = build_tokenizer(_vocabulary_texts(config), scratch)
        data = _puzzles(config, tokenizer).to(where)
        model = build_model(config, tokenizer).to(where)
        batch_vision(model)
        loss = _train(model, data, config)
        model = model.to(torch.bfloat16)
        save_processor(scratch)
        model.save_pretrained(scratch)
        scores = _evaluate(model.float(), config, tokenizer, where)
        parameters = sum(p.numel() for p in model.parameters())
        recipe = {
            "config": config.model_dump(mode="json"),
            "parameters": parameters,
            "final_loss": round(loss, 4),
            "held_out": scores,
            "versions": {name: version(name) for name in ("torch", "transformers")},
            "hardware": torch.cuda.get_device_name() if where == "cuda" else platform.machine(),
            "sha256": {file.name: sha256_of(file) for file in sorted(scratch.iterdir())},
        }
        (scratch / "recipe.json").write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n")
    log.info("base: %s", json.dumps(scores))
    return {"puzzles": config.n_puzzles, "steps": config.steps, "parameters": parameters}


def _puzzles(config: BaseModelConfig, tokenizer: Qwen2TokenizerFast) -> PuzzleSet:
    started = time.monotonic()
    made = puzzle_set(
        config.puzzles,
        config.puzzle_seed,
        config.n_puzzles,
        config.user_prompt,
        tokenizer,
        config.claims,
    )
    log.info("base: %d puzzles in %.0f s", config.n_puzzles, time.monotonic() - started)
    return made


def _vocabulary_texts(config: BaseModelConfig) -> list[str]:
    """Solutions and the chat around them, as policy and PRM will see them."""
    puzzles = [
        make_puzzle(config.puzzles, config.puzzle_seed, index)
        for index in range(_VOCABULARY_PUZZLES)
    ]
    solutions = [solution(puzzle) for puzzle in puzzles]
    asked = prompts.render(config.user_prompt, question=question(puzzles[0]))
    system = prompts.render("prm_system_mini_v1")
    chat = [f"user\n{asked}", "assistant\n", f"system\n{system}", *render_turns(asked, ["x"])]
    return solutions + [*chat, ASK, *SAID.values()] * 100


def _positions(model: Qwen2_5_VLForConditionalGeneration, data: PuzzleSet) -> torch.Tensor:
    """M-RoPE positions (3, 1, length): prompts are equal, so one row serves all."""
    _, grid = patchify(data.images[:1])
    row = data.tokens[:1]
    positions, _ = model.model.get_rope_index(row, grid, None, None, torch.ones_like(row))
    out: torch.Tensor = positions
    return out


def _row_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean over rows of the mean over a row's labels: a few yes/no count as much as a solution."""
    following = labels[:, 1:]
    each = cross_entropy(
        logits[:, :-1].transpose(1, 2).float(), following, ignore_index=IGNORED, reduction="none"
    )
    return (each.sum(1) / (following != IGNORED).sum(1)).mean()


def _train(
    model: Qwen2_5_VLForConditionalGeneration, data: PuzzleSet, config: BaseModelConfig
) -> float:
    model.train()
    rate = config.learning_rate
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=config.cycle_steps, pct_start=config.warmup
    )
    order = torch.Generator().manual_seed(config.seed)
    positions = _positions(model, data)
    started, loss, rows = time.monotonic(), torch.zeros(()), torch.empty(0, dtype=torch.long)
    for step in range(config.steps):
        if len(rows) < config.batch:
            rows = torch.randperm(len(data.tokens), generator=order)
        chosen, rows = rows[: config.batch].to(data.tokens.device), rows[config.batch :]
        patches, grid = patchify(data.images[chosen])
        out: Any = model(
            input_ids=data.tokens[chosen],
            # without a mask transformers 4.55.2 takes the repeated positions of image tokens for
            # packed sequences and hides the image from the text
            attention_mask=torch.ones_like(data.tokens[chosen]),
            pixel_values=patches,
            image_grid_thw=grid,
            position_ids=positions.expand(3, len(chosen), -1),
            use_cache=False,
        )
        loss = _row_loss(out.logits, data.labels[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            taken = time.monotonic() - started
            log.info("base: step %d, loss %.4f, %.0f s", step + 1, loss.item(), taken)
    return float(loss.detach())


@torch.inference_mode()
def _evaluate(
    model: Qwen2_5_VLForConditionalGeneration,
    config: BaseModelConfig,
    tokenizer: Qwen2TokenizerFast,
    device: str,
) -> dict[str, float]:
    """Share of right answers on held-out puzzles: greedy and sampled, seen and unseen pairs."""
    model.eval()
    splits: dict[str, MatrixSpec] = {"seen": config.puzzles.model_copy(update={"split": "seen"})}
    if config.puzzles.holdout:
        splits["unseen"] = config.puzzles.model_copy(update={"split": "unseen"})
    vision = [t for t in tokenizer.all_special_ids if t not in (tokenizer.eos_token_id,)]
    scores: dict[str, float] = {}
    for split, spec in splits.items():
        seed = config.puzzle_seed + _HELD_OUT_SEED
        data = puzzle_set(spec, seed, config.n_held_out, config.user_prompt, tokenizer).to(device)
        patches, grid = patchify(data.images)
        for temperature in (0.0, 1.0, 1.3, 1.6, 2.0):
            torch.manual_seed(config.seed)
            sampled: dict[str, Any] = (
                {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
                if temperature
                else {"do_sample": False}
            )
            out = model.generate(
                input_ids=data.tokens[:, : data.prompt],
                attention_mask=torch.ones_like(data.tokens[:, : data.prompt]),
                pixel_values=patches,
                image_grid_thw=grid,
                max_new_tokens=64,
                suppress_tokens=vision,
                **sampled,
            )
            texts = tokenizer.batch_decode(out[:, data.prompt :], skip_special_tokens=True)
            right = [
                text.endswith(rf"\boxed{{{answer}}}")
                for text, answer in zip(texts, data.answers, strict=True)
            ]
            scores[f"{split}_T{temperature}"] = round(sum(right) / len(right), 4)
        scores[f"{split}_claims"] = _claims_right(model, spec, config, tokenizer, device)
    return scores


def _claims_right(
    model: Qwen2_5_VLForConditionalGeneration,
    spec: MatrixSpec,
    config: BaseModelConfig,
    tokenizer: Qwen2TokenizerFast,
    device: str,
) -> float:
    """Share of yes/no questions answered right on held-out puzzles."""
    seed, n = config.puzzle_seed + _HELD_OUT_SEED, config.n_held_out
    data = puzzle_set(spec, seed, n, config.user_prompt, tokenizer, 1.0).to(device)
    patches, grid = patchify(data.images)
    logits = model(
        input_ids=data.tokens,
        attention_mask=torch.ones_like(data.tokens),
        pixel_values=patches,
        image_grid_thw=grid,
        position_ids=_positions(model, data).expand(3, n, -1),
        use_cache=False,
    ).logits
    words = {tokenizer.convert_tokens_to_ids(word) for word in SAID.values()}
    asked = torch.isin(data.labels[:, 1:], torch.tensor(sorted(words), device=device))
    said = logits[:, :-1].argmax(-1)[asked]
    return round((said == data.labels[:, 1:][asked]).float().mean().item(), 4)
