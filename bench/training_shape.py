"""Training speed and memory at a model's real shape, through the stage's own code.

Trains N steps on synthetic conversations of a stated length, and prints JSON lines: tokens per
second, share of the bf16 peak (MFU), peak memory, first and last loss, digest of the weights.

    python bench/training_shape.py --model FOLDER --deepspeed configs/deepspeed_zero2.json

``--dtype float32 --gpus 0`` runs the same on a CPU (tiny models). FLOPs counted: 6 x parameters of
the text layers x tokens, and 2 x parameters of the vision tower x patches (it is frozen), neither
recomputation nor attention's products.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(Path(__file__).parent)]
PART = "TRAINING_SHAPE_PART"
"""Set for the processes that train; an option would be taken for one of torchrun's."""
PEAK = 989e12
"""bf16 FLOP/s of an H100 SXM, dense (NVIDIA H100 data sheet)."""


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a checkpoint's folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "training_shape")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--gpus", type=int, default=1, help="0: on the CPU")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--deepspeed", default=None)
    parser.add_argument("--attention", default="flash", choices=("flash", "sdpa"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--checkpointing", default="all", help="all, none, or every k-th layer: k")
    parser.add_argument("--micro-batch", type=int, default=4)
    parser.add_argument("--accumulation", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=5, help="steps before the clock starts")
    parser.add_argument("--tokens", type=int, default=1977)
    parser.add_argument("--spread", type=int, default=0, help="lengths differ by up to so many")
    parser.add_argument("--image", default="448x448")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--losses", action="store_true", help="print the loss of every step")
    parser.add_argument("--group-by-length", action="store_true")
    parser.add_argument("--tune-vision", action="store_true")
    parser.add_argument("--fast", action="store_true", help="without deterministic algorithms")
    parser.add_argument("--save-minutes", type=float, default=None, help="also keep a state")
    return parser.parse_args()


def synthesise(options: argparse.Namespace) -> None:
    """Write the conversations: 8 steps each, words drawn at random, noise for an image."""
    import numpy as np
    from PIL import Image
    from transformers import Qwen2TokenizerFast

    from vlprm.families.qwen25vl.chat import chat_text, render_turns
    from vlprm.families.qwen25vl.resize import image_tokens
    from vlprm.io import parquet
    from vlprm.io.images import ImageStore
    from vlprm.records import PRMExample

    tokenizer = Qwen2TokenizerFast.from_pretrained(options.model, local_files_only=True)
    words = [f" {word}" for word in ("red", "blue", "star", "square", "so", "row", "is", "the")]
    words = [word for word in words if len(tokenizer.encode(word)) == 1]
    width, height = map(int, options.image.split("x"))
    rng = np.random.default_rng(0)
    store = ImageStore()

    def texts() -> Any:
        count = options.steps * options.micro_batch * options.accumulation * options.processes
        for number in range(count):
            noise = rng.integers(0, 256, (height // 14, width // 14, 3), dtype=np.uint8)
            image = store.put(Image.fromarray(noise).resize((width, height)))
            fixed = chat_text(
                "S", render_turns("", [":"] * 8), ["+"] * 8, [image_tokens(width, height)]
            )
            length = options.tokens - int(rng.integers(0, options.spread + 1))
            free = max(8, length - len(tokenizer.encode(fixed)))
            drawn = rng.choice(words, free)
            steps = [":" + "".join(part) for part in np.array_split(drawn, 8)]
            labels = rng.integers(0, 2, 8).tolist()
            yield PRMExample(
                rollout_id=f"r{number}",
                images=(image,),
                system="S",
                question="",
                steps=steps,
                labels=labels,
            )

    options.work.mkdir(parents=True, exist_ok=True)
    parquet.write(texts(), options.work / "examples.parquet", PRMExample)
    store.save(options.work / "images.parquet")


def measure(options: argparse.Namespace) -> None:
    """One process's part: train, and, in the first, print."""
    from vlprm.determinism import settle_environment

    settle_environment()
    import torch
    from transformers import TrainerCallback

    from vlprm.io import parquet
    from vlprm.io.images import ImageStore
    from vlprm.records import PRMExample
    from vlprm.training import prm, processes

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)

    class Clock(TrainerCallback):
        def on_step_end(self, _a: Any, state: Any, _c: Any, **_: Any) -> None:
            if state.global_step in (options.warm_up, state.max_steps):
                if options.gpus:
                    torch.cuda.synchronize()
                self.times[state.global_step] = time.monotonic()

        def on_train_begin(self, args: Any, state: Any, _c: Any, **more: Any) -> None:
            if options.fast:
                torch.use_deterministic_algorithms(False)
            if options.losses:
                args.logging_steps = state.logging_steps = 1
            self.model, self.times = more["model"], {}

        def on_train_end(self, _a: Any, state: Any, _c: Any, **_: Any) -> None:
            self.losses = [entry["loss"] for entry in state.log_history if "loss" in entry]

    clock = Clock()
    digest = "measurement" if options.save_minutes is not None else None
    conduct = prm.Conduct(options.workers, options.save_minutes or 0, digest, (clock,))
    out = options.work / "checkpoint"
    prm.train_prm(
        recipe(options),
        model_config(options),
        options.model,
        parquet.Rows(options.work / "examples.parquet", PRMExample),
        ImageStore(options.work / "images.parquet"),
        out,
        conduct,
    )
    if processes.first_process():
        report(options, clock, out / "model.safetensors")


def recipe(options: argparse.Namespace) -> Any:
    """The training block."""
    from vlprm.config.training import PRMTrainingConfig

    named = {"all": True, "none": False}
    checkpointing = named.get(options.checkpointing)
    if checkpointing is None:
        checkpointing = {"every": int(options.checkpointing)}
    return PRMTrainingConfig(
        learning_rate=1e-5, schedule="cosine", warmup_ratio=0.05, weight_decay=1e-4,
        betas=(0.9, 0.95), max_grad_norm=1.0, epochs=1, micro_batch=options.micro_batch,
        accumulation=options.accumulation, seed=100, tune_vision=options.tune_vision,
        label_positions="assistant_turns", gradient_checkpointing=checkpointing,
        deepspeed=options.deepspeed, group_by_length=options.group_by_length,
        compile=options.compile,
    )  # fmt: skip


def model_config(options: argparse.Namespace) -> Any:
    """The base's block."""
    from vlprm.config.models import ModelConfig

    return ModelConfig(
        source="published", family="qwen2.5-vl", path=str(options.model),
        engines={"scorer": "transformers"},
        dtype=options.dtype,
        pixels={"min": 784, "max": 28 * 28 * 1280}, batch_tokens=65536, gpus=min(options.gpus, 1),
    )  # fmt: skip


def report(options: argparse.Namespace, clock: Any, weights: Path) -> None:
    """The lines."""
    import pyarrow.parquet as pq
    import torch

    from vlprm.io.manifest import sha256_of

    from report import print_line

    steps = options.steps - options.warm_up
    times = sorted(clock.times.items())
    seconds = times[-1][1] - times[0][1]
    rows = steps * options.micro_batch * options.accumulation * options.processes
    tokens = rows * (options.tokens - options.spread / 2)
    text, vision = clock.model.model.language_model, clock.model.model.visual
    layers = sum(weight.numel() for weight in text.layers.parameters())
    tower = sum(weight.numel() for weight in vision.parameters())
    width, height = map(int, options.image.split("x"))
    patches = rows * (width // 14) * (height // 14)
    seen = 6 if options.tune_vision else 2
    flops = 6 * layers * tokens + seen * tower * patches
    name = f"training_shape/{options.model.name}"
    facts = {key: str(value) for key, value in vars(options).items() if key != "work"}
    card = torch.cuda.get_device_name() if options.gpus else "CPU"
    print(json.dumps({"name": name, "options": facts, "card": card, "text_layers": layers}))
    print_line(f"{name}/tokens", tokens / seconds, "tokens/s")
    print_line(f"{name}/step", seconds / steps, "s/step")
    print_line(f"{name}/mfu", 100 * flops / seconds / PEAK / options.processes, "% of bf16 peak")
    if options.gpus:
        print_line(f"{name}/allocated", torch.cuda.max_memory_allocated() / 2**30, "GiB")
        print_line(f"{name}/reserved", torch.cuda.max_memory_reserved() / 2**30, "GiB")
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print_line(f"{name}/host", host, "GiB")
    for when, loss in (("first", clock.losses[:1]), ("last", clock.losses[-1:])):
        if loss:
            print_line(f"{name}/loss_{when}", loss[0], "mean of 10 steps")
    if options.losses:
        print(json.dumps({"name": name, "losses": clock.losses}))
    made = pq.ParquetFile(options.work / "examples.parquet").metadata.num_rows
    print(json.dumps({"name": name, "conversations": made, "sha256": sha256_of(weights)}))


def main() -> int:
    """Make the data, then start the processes; each of them runs this file again."""
    options = arguments()
    if os.environ.get(PART):
        measure(options)
        return 0
    if options.steps <= options.warm_up:
        sys.exit("--steps must be more than --warm-up")
    synthesise(options)
    from vlprm.cluster.launch import torchrun

    argv = torchrun([sys.executable, __file__, *sys.argv[1:]], [], 0, options.processes)
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    environment = os.environ | {"OMP_NUM_THREADS": threads, PART: "1"}
    if options.attention == "sdpa":
        environment["VLPRM_ATTENTION"] = "sdpa"
    done = subprocess.run(argv, env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
