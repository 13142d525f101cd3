"""What only a card can show: ``selftest.py --gpu`` runs it inside the gpu image.

Each part in a process of its own, because an assertion on a card ends the process: flash-attn
forward and backward against torch in float32; one vLLM request with an image; ZeRO-2 steps against
plain torch. Each prints one line with its figures. Torch and the rest are imported there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from selftest_card import UnfitError

MARK = "self-test result: "
SECONDS = 600
# largest difference over the largest value. bfloat16 keeps 8 bits (steps of 0.4 %) and flash-attn
# rounds its probabilities to it, so a right kernel stays within a few of these steps.
ATTENTION_TOLERANCE = 0.02
# relative difference of the loss after the last step; bfloat16 weights against float32 ones
LOSS_TOLERANCE = 0.05
LENGTHS = (1, 37, 128, 300)  # of the sequences in one call: ragged, one longer than a block
# name: head width, query heads, key heads, causal
SHAPES = {"vision tower": (80, 16, 16, False), "text tower": (128, 16, 2, True)}


def run(flash_attn: dict[str, Any] | None, checkpoint: Path | None) -> list[str]:
    """Run the parts, those of which there is something to run; one line for each that failed."""
    parts: dict[str, list[str]] = {"flash-attn": [], "vllm": [str(checkpoint)], "zero-2": []}
    if flash_attn is None:
        del parts["flash-attn"]
        print("flash-attn: not in this image, not tried")
    if checkpoint is None:
        del parts["vllm"]
        print("vllm: --without-vllm, not tried")
    return [line for name, given in parts.items() for line in _in_a_process(name, given)]


def _in_a_process(name: str, arguments: list[str]) -> list[str]:
    """Run a part; print its line, or return what ended it (its whole output goes to a file)."""
    with tempfile.TemporaryDirectory() as folder:
        at = {n: f"{folder}/{n}" for n in ("HOME", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR")}
        single = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1"}
        offline = {"HF_HUB_OFFLINE": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        for path in at.values():
            Path(path).mkdir()
        try:
            done = subprocess.run(
                [sys.executable, "-B", __file__, name, *arguments],
                env=os.environ | at | single | offline, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [f"{name}: not done after {SECONDS} s"]
    found = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode == 0 and found:
        print(f"{name}: {found[-1].removeprefix(MARK)}", flush=True)
        return []
    log = Path(tempfile.gettempdir(), f"vlprm-selftest-{name}.log")
    log.write_text(done.stdout, encoding="utf-8")
    return [f"{name}: exit status {done.returncode}, {cause(done.stdout)} (all of it: {log})"]


def cause(output: str) -> str:
    """The line of a failed part that tells most: a card's assertion, else the last error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    asserted = [line for line in lines if "Assertion" in line]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (asserted[:1] or errors[-1:] or lines[-1:] or ["it said nothing"])[0][:500]


def attention(query: Any, key: Any, value: Any, causal: bool) -> Any:
    """Attention of one sequence as its formula reads; tokens x heads x width each."""
    import torch

    shared = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    scores = torch.einsum("qhd,khd->hqk", query, key) * query.shape[-1] ** -0.5
    if causal:
        scores = scores + torch.full_like(scores[0], float("-inf")).triu(1)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value)


def attention_errors(call: Any, shape: tuple[int, int, int, bool], device: str) -> dict[str, float]:
    """Largest difference over largest value, of output and gradients, to torch in float32.

    ``call(query, key, value, edges, longest, causal)`` is attention over packed sequences; the
    edges are their bounds.
    """
    import torch

    width, heads, key_heads, causal = shape
    torch.manual_seed(0)
    edges = [sum(LENGTHS[:n]) for n in range(len(LENGTHS) + 1)]

    def drawn(number: int) -> Any:
        return torch.randn(edges[-1], number, width, device=device, dtype=torch.bfloat16)

    inputs = [drawn(n).requires_grad_() for n in (heads, key_heads, key_heads)]
    weight = drawn(heads)
    bounds = torch.tensor(edges, device=device, dtype=torch.int32)
    out = call(*inputs, bounds, max(LENGTHS), causal)
    (out.float() * weight.float()).sum().backward()
    exact = [part.detach().float().requires_grad_() for part in inputs]
    pieces = [
        attention(*(part[start:stop] for part in exact), causal) for start, stop in pairwise(edges)
    ]
    wanted = torch.cat(pieces)
    (wanted * weight.float()).sum().backward()
    pairs = {"output": (out.detach(), wanted.detach())}
    for name, mine, theirs in zip(("query", "key", "value"), inputs, exact, strict=True):
        pairs[f"{name} gradient"] = (mine.grad, theirs.grad)
    return {
        name: float((mine.float() - theirs).abs().max() / theirs.abs().max())
        for name, (mine, theirs) in pairs.items()
    }


def flash_attention() -> str:
    """Forward and backward at the head widths of the models' two towers. Raises UnfitError."""
    from flash_attn import flash_attn_varlen_func

    def call(query: Any, key: Any, value: Any, bounds: Any, longest: int, causal: bool) -> Any:
        packed = (bounds, bounds, longest, longest)
        return flash_attn_varlen_func(query, key, value, *packed, causal=causal)

    said = []
    for name, shape in SHAPES.items():
        errors = attention_errors(call, shape, "cuda")
        worst = max(errors, key=lambda part: errors[part])
        if not errors[worst] <= ATTENTION_TOLERANCE:  # also where it is no number
            raise UnfitError(
                f"{name} (head width {shape[0]}): {worst} is {errors[worst]:.4f} of its largest"
                f" value away from torch's, {ATTENTION_TOLERANCE} is allowed"
            )
        said.append(f"{name} (head width {shape[0]}) {errors[worst]:.4f} in {worst}")
    return f"largest differences to float32: {'; '.join(said)} (allowed {ATTENTION_TOLERANCE})"


def vllm_request(checkpoint: Path) -> str:
    """Eight greedy tokens after a picture of 84 x 56 pixels. Raises UnfitError.

    Only ordinary tokens may be drawn: vLLM 0.10.1.1 takes a drawn image placeholder for a place of
    a picture and aborts.
    """
    import torch
    from PIL import Image
    from transformers import AutoConfig, AutoProcessor
    from vllm import LLM, SamplingParams

    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    processor = AutoProcessor.from_pretrained(checkpoint, local_files_only=True)
    tokenizer = processor.tokenizer
    apart = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    ordinary = sorted(set(tokenizer.get_vocab().values()) - apart)
    content = [{"type": "image"}, {"type": "text", "text": "What is in the picture?"}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    picture = Image.frombytes("RGB", (84, 56), bytes(n * 7 % 256 for n in range(84 * 56 * 3)))
    settings: dict[str, Any] = {}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        wanted = 4 * 2**30 + sum(f.stat().st_size for f in checkpoint.glob("*.safetensors"))
        if free < wanted:
            raise UnfitError(
                f"the card has {free / 2**30:.1f} GiB free, {wanted / 2**30:.1f} are needed"
                " -> end what else runs on it, or choose another card (CUDA_VISIBLE_DEVICES)"
            )
        settings = {"gpu_memory_utilization": wanted / total}
    engine = LLM(
        model=str(checkpoint), dtype="bfloat16", enforce_eager=True, max_model_len=2048,
        max_num_seqs=4, limit_mm_per_prompt={"image": 1, "video": 0}, seed=0,
        disable_log_stats=True, **settings,
    )  # fmt: skip
    sampling = SamplingParams(
        temperature=0, max_tokens=8, ignore_eos=True, allowed_token_ids=ordinary
    )
    request = {"prompt": prompt, "multi_modal_data": {"image": picture}}
    (output,) = engine.generate([request], sampling, use_tqdm=False)
    places = output.prompt_token_ids.count(config.image_token_id)
    drawn = list(output.outputs[0].token_ids)
    if places != 6 or len(drawn) != 8 or not set(drawn) <= set(ordinary):
        raise UnfitError(f"{places} places of the picture, 6 are right; drawn tokens {drawn}")
    return f"{len(output.prompt_token_ids)} tokens of prompt, {places} of the picture, drew {drawn}"


def _losses(step: Any, like: Any) -> list[float]:
    """Losses before each of four steps on one batch; of the device and dtype of ``like``."""
    import torch

    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(16, 32, generator=generator).to(like.device)
    wanted = inputs.sum(-1, keepdim=True).tanh()
    return [step(inputs.to(like.dtype), wanted) for _ in range(4)]


def zero_steps() -> str:
    """ZeRO-2 in bfloat16 with torch's AdamW, as the trainer runs it, beside torch in float32."""
    import copy
    import socket

    import deepspeed
    import torch

    on_card = torch.cuda.is_available()
    device = "cuda" if on_card else "cpu"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 1))
    plain = copy.deepcopy(model).to(device)
    deepspeed.init_distributed("nccl" if on_card else "gloo", auto_mpi_discovery=False)
    config = {
        "train_micro_batch_size_per_gpu": 16, "gradient_accumulation_steps": 1,
        "bf16": {"enabled": True}, "zero_optimization": {"stage": 2},
    }  # fmt: skip
    model = model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=on_card)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    if engine.zero_optimization_stage() != 2:
        raise UnfitError(f"DeepSpeed took ZeRO stage {engine.zero_optimization_stage()}")

    def sharded(inputs: Any, wanted: Any) -> float:
        loss = torch.nn.functional.mse_loss(engine(inputs).float(), wanted)
        engine.backward(loss)
        engine.step()
        return float(loss.detach())

    reference = torch.optim.AdamW(plain.parameters(), lr=0.01)

    def exact(inputs: Any, wanted: Any) -> float:
        loss = torch.nn.functional.mse_loss(plain(inputs), wanted)
        reference.zero_grad()
        loss.backward()
        reference.step()
        return float(loss.detach())

    mine = _losses(sharded, next(engine.module.parameters()))
    theirs = _losses(exact, next(plain.parameters()))
    torch.distributed.destroy_process_group()
    apart = abs(mine[-1] - theirs[-1]) / theirs[-1]
    said = f"loss {mine[0]:.4f} -> {mine[-1]:.4f} in 3 steps, torch in float32 {theirs[-1]:.4f}"
    if not (apart <= LOSS_TOLERANCE and mine[-1] < mine[0]):
        raise UnfitError(f"{said}: {apart:.3f} apart, {LOSS_TOLERANCE} is allowed")
    return f"{said} ({apart:.4f} apart, allowed {LOSS_TOLERANCE})"


def main() -> None:
    part, arguments = sys.argv[1], sys.argv[2:]
    if part == "flash-attn":
        line = flash_attention()
    elif part == "vllm":
        line = vllm_request(Path(arguments[0]))
    else:
        line = zero_steps()
    print(f"\n{MARK}{line}", flush=True)


if __name__ == "__main__":
    main()
