"""Tokens per second of the rollout stage's engine against plain ``vllm.LLM``, at a real shape.

usage: python bench/policy_shape.py CHECKPOINT [--size 448x448] [--questions 128] [--n 16]
                                    [--tokens 256] [--repeats 3] [--memory 0.9] [--devices 1]
                                    [--prefixes 0]
Both use the same ``vllm.LLM``; rounds alternate, each with questions of its own, so that no cache
of the one serves the other. Plain: prompts as text with their pictures, one request with ``n``
completions per question. Prints a line per round, then one with the medians. ``--prefixes k``: what
the estimate stage asks, ``n`` continuations of k growing prefixes of each question's solution.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlprm.determinism import settle_environment

settle_environment()

from vlprm.config.models import ModelConfig  # noqa: E402
from vlprm.config.placement import Placement  # noqa: E402
from vlprm.engines.vllm_policy import VLLMPolicy  # noqa: E402
from vlprm.io.images import ImageStore  # noqa: E402
from vlprm.protocols import GenerationRequest  # noqa: E402
from vlprm.records import Sample, Sampling  # noqa: E402
from vlprm.seeds import seed_for  # noqa: E402

from gpu_image import enter, facts  # noqa: E402
from shape_inputs import messages, questions  # noqa: E402


def model(gpus: int) -> ModelConfig:
    """The configuration of a checkpoint that vLLM draws with."""
    return ModelConfig.model_validate(
        {
            "source": "published",
            "family": "qwen2.5-vl",
            "path": "given",
            "engines": {"policy": "vllm", "scorer": "transformers"},
            "dtype": "bfloat16",
            "pixels": {"min": 784, "max": 1003520},
            "batch_tokens": 65536,
            "gpus": gpus,
        }
    )


def load(
    checkpoint: Path, store: ImageStore, placement: Placement, more: Mapping[str, Any] | None = None
) -> VLLMPolicy:
    """The stage's vLLM engine; on a CPU (no cards) vLLM's own CPU build."""
    import vllm_cpu

    options = dict(more or {})
    if vllm_cpu.ready():
        options |= vllm_cpu.OPTIONS
    return VLLMPolicy(checkpoint, store, model(len(placement.devices)), placement, options)


STEP = "the shape in row three is blue and each one more side the shape in row three is blue"
"""A step of a solution: about 20 tokens."""


def prefixes(count: int) -> list[str]:
    """Growing prefixes of a solution; the empty one where rollouts are asked for."""
    return ["".join(f"{STEP} {k}.\n\n" for k in range(end)) for end in range(1, count + 1)] or [""]


def requests(samples: list[Sample], n: int, count: int = 0) -> list[GenerationRequest]:
    """What the rollout stage asks, or, with ``count`` prefixes of each solution, the estimates'."""
    return [
        GenerationRequest(
            f"{sample.id}/{place}",
            messages(sample),
            prefix,
            tuple(seed_for(1, sample.id, place, k) for k in range(n)),
        )
        for sample in samples
        for place, prefix in enumerate(prefixes(count))
    ]


def plain(
    engine: Any,
    samples: list[Sample],
    n: int,
    sampling: Sampling,
    store: ImageStore,
    count: int = 0,
) -> int:
    """The same prompts through ``LLM.generate``; number of tokens drawn."""
    from vllm import SamplingParams

    prompts = [
        {
            "prompt": "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>"
            f"{sample.question}<|im_end|>\n<|im_start|>assistant\n{prefix}",
            "multi_modal_data": {"image": [store.open(sample.images[0])]},
        }
        for sample in samples
        for prefix in prefixes(count)
    ]
    settings = SamplingParams(n=n, temperature=1.0, max_tokens=sampling.max_tokens, seed=1)
    outputs = engine._llm.generate(prompts, settings, use_tqdm=False)
    return sum(len(item.token_ids) for output in outputs for item in output.outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--size", default="448x448")
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--words", type=int, default=250)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=float, default=0.9)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--prefixes", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    enter()
    width, height = map(int, given.size.split("x"))
    store = ImageStore()
    started = time.monotonic()
    placement = Placement(
        tuple(range(given.devices if given.device == "cuda" else 0)), given.memory
    )
    engine = load(given.checkpoint, store, placement)
    start_up = time.monotonic() - started
    sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0,
                        max_tokens=given.tokens)  # fmt: skip
    warm = questions(8, (width, height), given.words, 99, store)
    engine.generate(requests(warm, 2), sampling)
    plain(engine, warm, 2, sampling, store)
    speeds: dict[str, list[float]] = {"stage": [], "plain": []}
    drawn_per_second: dict[str, list[float]] = {"stage": [], "plain": []}
    prompt_tokens = 0
    for number in range(2 * given.repeats):
        which = ("stage", "plain", "plain", "stage")[number % 4]
        samples = questions(given.questions, (width, height), given.words, number, store)
        started = time.monotonic()
        if which == "stage":
            drawn = engine.generate(requests(samples, given.n, given.prefixes), sampling)
            tokens = sum(item.completion_tokens for row in drawn for item in row)
            failed = sum(item.finish_reason == "error" for row in drawn for item in row)
            if failed:
                raise SystemExit(f"{failed} completions failed: {drawn[0][0].error}")
            prompt_tokens = drawn[0][0].prompt_tokens
        else:
            tokens = plain(engine, samples, given.n, sampling, store, given.prefixes)
        seconds = time.monotonic() - started
        speeds[which].append(tokens / seconds)
        drawn_per_second[which].append(given.questions * max(1, given.prefixes) * given.n / seconds)
        print(json.dumps({which: round(tokens / seconds), "tokens": tokens,
                          "seconds": round(seconds, 2)}), flush=True)  # fmt: skip
    again = requests(questions(16, (width, height), given.words, 0, store), given.n)
    first, second = (engine.generate(again, sampling) for _ in range(2))
    differ = sum(a.text != b.text for one, two in zip(first, second, strict=True)
                 for a, b in zip(one, two, strict=True))  # fmt: skip
    stage, bare = (statistics.median(speeds[which]) for which in ("stage", "plain"))
    per_second = {
        f"{which}_completions_per_second": round(statistics.median(drawn_per_second[which]), 1)
        for which in speeds
    }
    print(json.dumps({
        "name": "policy_shape", "checkpoint": given.checkpoint.name, "size": given.size,
        "prompt_tokens": prompt_tokens, "stage_tokens_per_second": round(stage),
        "plain_tokens_per_second": round(bare), "ratio": round(stage / bare, 3),
        "prefixes": given.prefixes, **per_second,
        "texts_that_differ_when_drawn_again": differ, "texts_drawn_again": 16 * given.n,
        "start_up_seconds": round(start_up, 1), "devices": given.devices, **facts(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
