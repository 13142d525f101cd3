"""What the policy's front end costs: tokens per second of VLLMPolicy over those of plain vLLM.

Two workloads on the mini policy (or another checkpoint): every question drawn 16 times, and
continuations of what was drawn. Plain vLLM is ``LLM.generate`` of the same engine with
``SamplingParams(n=16)`` on the same prompts, with images decoded before the clock starts. Lengths
differ by chance, so tokens are counted; the value is the median over pairs of runs.
Runs on a GPU or on vLLM's CPU build.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import vllm_cpu

from vlprm.benchmarks import question_text
from vlprm.config.matrix import MatrixSpec
from vlprm.config.models import Engines, ModelConfig, Pixels
from vlprm.config.placement import WHOLE_CARD, Placement
from vlprm.engines.vllm_policy import VLLMPolicy
from vlprm.io.images import ImageStore
from vlprm.protocols import Completion, GenerationRequest
from vlprm.records import Sampling
from vlprm.seeds import seed_for
from vlprm.solutions.rollouts import policy_messages
from vlprm.sources import matrix_drafts

from report import ROOT, print_line

SPEC = MatrixSpec(
    attributes=("colour", "shape"), rules=("constant", "progression"), holdout=(), split="seen",
    cell=28, jitter=0.08, noise=6, panel=False,
)  # fmt: skip


def main() -> int:
    options = _arguments()
    store = ImageStore()
    asked = _questions(options, store)
    policy = _policy(options, store)
    sampling = Sampling(
        temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0, max_tokens=options.max_tokens
    )
    policy.generate(asked[:2], sampling)  # the first steps compile and allocate
    warm = _plain(policy, asked[:2], sampling, options.n)
    rates: dict[str, list[float]] = {"policy": [], "plain": []}
    costs: dict[str, list[float]] = {"policy": [], "plain": []}
    drawn: list[tuple[Completion, ...]] = []
    for number in range(options.repeats):
        # in pairs, each first in turn: what else the machine does drifts
        for name in ("policy", "plain") if number % 2 == 0 else ("plain", "policy"):
            used = time.process_time()
            if name == "policy":
                drawn, tokens, spent = _ours(policy, asked, sampling)
            else:
                tokens, spent = _plain(policy, asked, sampling, options.n)
            rates[name].append(tokens / spent)
            costs[name].append(1e6 * (time.process_time() - used) / tokens)
    rest = _continuations(asked, drawn, options.n)
    short = sampling.model_copy(update={"max_tokens": min(40, options.max_tokens)})
    start = time.perf_counter()
    if options.profile:
        with cProfile.Profile() as profile:
            found = policy.generate(rest, short)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(70)
    else:
        found = policy.generate(rest, short)
    spent = time.perf_counter() - start
    requests = sum(len(items) for items in found)
    print(json.dumps({
        "requests": len(asked) * options.n, "tokens_per_second": rates, "warm": warm[0],
        "cpu_us_per_token": costs,
        "continuations": requests, "continuations_per_second": requests / spent,
        "ms_per_continuation": 1000 * spent / requests,
    }))  # fmt: skip
    pairs = zip(rates["policy"], rates["plain"], strict=True)
    ratio = median(ours / theirs for ours, theirs in pairs)
    return 0 if print_line("front_end", ratio, "policy / plain", at_least=0.95) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "mini" / "small")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--size", type=int, nargs=2, help="width and height of images, in pixels")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs")
    parser.add_argument("--profile", action="store_true", help="of the continuations, to stderr")
    return parser.parse_args()


def _questions(options: argparse.Namespace, store: ImageStore) -> list[GenerationRequest]:
    found = []
    for draft in matrix_drafts("bench", SPEC, 5, 0, options.questions):
        images = [image.resize(options.size) if options.size else image for image in draft.images]
        sample = draft.to_sample(tuple(store.put(image) for image in images))
        messages = policy_messages(
            sample, question_text(sample), system_prompt=None, user_prompt="policy_mini_v1"
        )
        seeds = tuple(seed_for(0, "front_end", sample.id, k) for k in range(options.n))
        found.append(GenerationRequest(sample.id, messages, "", seeds))
    return found


def _policy(options: argparse.Namespace, store: ImageStore) -> VLLMPolicy:
    on_cpu = vllm_cpu.ready()
    model = ModelConfig(
        source="published", family="qwen2.5-vl", path=str(options.model),
        engines=Engines(policy="vllm"),
        dtype=options.dtype,
        pixels=Pixels(min=784, max=1003520), batch_tokens=65536, gpus=0 if on_cpu else 1,
    )  # fmt: skip
    placement = Placement(() if on_cpu else (0,), WHOLE_CARD)
    more = {**vllm_cpu.OPTIONS, "max_num_seqs": 256} if on_cpu else {}
    return VLLMPolicy(options.model, store, model, placement, more)


def _ours(
    policy: VLLMPolicy, asked: Sequence[GenerationRequest], sampling: Sampling
) -> tuple[list[tuple[Completion, ...]], int, float]:
    """Completions, tokens and seconds of the policy; no question is known from before."""
    policy._front._questions.clear()
    start = time.perf_counter()
    drawn = policy.generate(asked, sampling)
    spent = time.perf_counter() - start
    return drawn, sum(item.completion_tokens for items in drawn for item in items), spent


def _plain(
    policy: VLLMPolicy, asked: Sequence[GenerationRequest], sampling: Sampling, n: int
) -> tuple[int, float]:
    """Tokens and seconds of ``LLM.generate``, unseeded: its fastest way."""
    from vllm import SamplingParams

    front = policy._front
    prompts: list[dict[str, Any]] = []
    for request in asked:
        text = front._template(
            [front._chat_message(message) for message in request.messages],
            add_generation_prompt=True,
            tokenize=False,
        )
        images = [front._image(ref) for message in request.messages for ref in message.images]
        prompts.append({"prompt": text, "multi_modal_data": {"image": images}})
    settings = SamplingParams(
        n=n, temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_tokens
    )
    policy._llm.reset_prefix_cache()
    start = time.perf_counter()
    outputs = policy._llm.generate(prompts, settings, use_tqdm=False)
    spent = time.perf_counter() - start
    return sum(len(item.token_ids) for output in outputs for item in output.outputs), spent


def _continuations(
    asked: Sequence[GenerationRequest], drawn: Sequence[tuple[Completion, ...]], n: int
) -> list[GenerationRequest]:
    """Two rollouts per question, continued after each of their first four steps."""
    found = []
    for request, completions in zip(asked, drawn, strict=True):
        for completion in completions[:2]:
            steps = completion.text.split("\n\n")[:-1]
            for count in range(1, min(4, len(steps)) + 1):
                prefix = "\n\n".join(steps[:count]) + "\n\n"
                name = f"{request.id}/{len(found)}"
                seeds = tuple(seed_for(0, "front_end", name, k) for k in range(n))
                found.append(GenerationRequest(name, request.messages, prefix, seeds))
    return found


if __name__ == "__main__":
    sys.exit(main())
