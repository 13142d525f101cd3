"""Scoring at a real shape: candidates per second, new tokens per second, share of the card's peak.

usage: python bench/scoring_shape.py CHECKPOINT [--device cuda|cpu] [--questions 32]
           [--candidates 16] [--variants NAME ...] [--single 16] [--profile]
One JSON line a figure. CHECKPOINT is a folder (``bench/random_checkpoint.py`` makes one).
Candidates have 8 steps; by default a conversation has about 1,977 tokens, of which a question's
candidates share 588. ``--device cpu`` takes a tiny checkpoint and short texts.

Floating-point operations are those of the tokens really run: 2 for each weight of the text layers
and token (of the last layer's output product and MLP: and read-out), 4 x heads x head width for
each causal query-key pair and layer, 2 for each weight of the vision tower and patch. A shared
prefix counts once, padding not at all. Peak: 989 TFLOP/s, an H100 SXM's dense bfloat16.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vlprm.config.models import Engines, ModelConfig, Pixels
from vlprm.config.placement import CPU, WHOLE_CARD, Placement
from vlprm.engines.hf_prm import HFScorer, Variant
from vlprm.families.qwen25vl import FAMILY, attention
from vlprm.families.qwen25vl.packed import Work
from vlprm.families.shapes import Shapes
from vlprm.io.images import ImageStore
from vlprm.protocols import ScoreRequest, StepLogits

from report import print_line
from shape_inputs import WORDS, questions

PEAK = 989e12
BEFORE = 27.7
"""Candidates per second at the 3B shape before this scorer (padded batches, sdpa with a mask)."""
STEPS = 8
Logits = list[tuple[StepLogits, ...]]


@dataclass(frozen=True)
class Way:
    """One way to run: names of the switches, as in ``engines.hf_prm.Variant``."""

    packed: bool = True
    elementwise: str | None = None
    sdpa: bool = False
    batch_tokens: int = 65_536


WAYS = {
    "default": Way(),
    "sdpa": Way(sdpa=True),
    "eager": Way(elementwise="eager"),
    "compiled": Way(elementwise="compiled"),
    "batch-16k": Way(batch_tokens=16_384),
    "batch-32k": Way(batch_tokens=32_768),
    "batch-128k": Way(batch_tokens=131_072),
    "padded": Way(packed=False),
}


PUBLISHED = Pixels(min=256 * 28 * 28, max=1280 * 28 * 28)
NO_RESIZE = Pixels(min=28 * 28, max=1280 * 28 * 28)
"""Of small images."""


def requests(
    count: int, candidates: int, size: tuple[int, int], words: int, step_words: int, seed: int
) -> tuple[list[ScoreRequest], ImageStore]:
    """``candidates`` conversations of ``STEPS`` steps for each of ``count`` questions."""
    store = ImageStore()
    random = np.random.default_rng(seed)

    def text(length: int) -> str:
        return " ".join(WORDS[place] for place in random.integers(0, len(WORDS), length))

    found = []
    for sample in questions(count, size, words, seed, store):
        for number in range(candidates):
            steps = tuple(text(step_words) for _ in range(STEPS))
            name = f"{sample.id}#{number}"
            found.append(ScoreRequest(name, "Right?", sample.images, sample.question, steps))
    return found, store


def operations(shapes: Shapes, work: Work) -> float:
    """Floating-point operations of ``work``, as the module says."""
    text, vision = shapes.text, shapes.vision
    late = text.hidden * text.head_dim * text.heads + 3 * text.hidden * text.mlp
    layers = text.layers * text.layer_parameters()
    products = 2 * ((layers - late) * work.tokens + late * work.readouts)
    attended = 4 * text.heads * text.head_dim * text.layers * work.pairs
    return products + attended + 2 * vision.parameters() * work.patches


def apart(one: Logits, other: Logits) -> float:
    """The largest difference of two value logits."""
    return max(
        max(abs(a.plus - b.plus), abs(a.minus - b.minus))
        for rows in zip(one, other, strict=True)
        for a, b in zip(*rows, strict=True)
    )


def moved(one: Logits, other: Logits) -> float:
    """The largest difference of two probabilities of ``+``."""
    pairs = [
        (a.plus - a.minus, b.plus - b.minus)
        for rows in zip(one, other, strict=True)
        for a, b in zip(*rows, strict=True)
    ]
    both = torch.tensor(pairs, dtype=torch.float64).sigmoid()
    return float((both[:, 0] - both[:, 1]).abs().max())


def built(model_dir: Path, store: ImageStore, way: Way, on_gpu: bool, cards: int) -> HFScorer:
    """The scorer of a way, alone on the first cards."""
    os.environ[attention.SWITCH] = "sdpa" if way.sdpa else "auto"
    return HFScorer(
        model_dir,
        store,
        ModelConfig(
            source="published", family=FAMILY.name, path=str(model_dir),
            engines=Engines(scorer="transformers"), dtype="bfloat16" if on_gpu else "float32",
            pixels=PUBLISHED if on_gpu else NO_RESIZE, batch_tokens=way.batch_tokens,
            gpus=cards if on_gpu else 0,
        ),
        Placement(tuple(range(cards)), WHOLE_CARD) if on_gpu else CPU,
        Variant(packed=way.packed, elementwise=way.elementwise),
    )  # fmt: skip


def timed(scorer: HFScorer, asked: Sequence[ScoreRequest], warm: int) -> tuple[Logits, float, Work]:
    """Logits, seconds and work of all requests but the first ``warm``, which run before."""
    on_gpu = torch.cuda.is_available()
    scorer.score(asked[:warm])
    before = scorer.work or Work()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    found = scorer.score(asked[warm:])
    seconds = time.perf_counter() - start
    after = scorer.work or Work()
    done = [
        getattr(after, n) - getattr(before, n) for n in ("tokens", "pairs", "patches", "readouts")
    ]
    return found, seconds, Work(*done)


def profile(scorer: HFScorer, asked: Sequence[ScoreRequest]) -> None:
    """Where a card's time goes, by kernel."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as recorded:
        scorer.score(asked)
    print(recorded.key_averages().table(sort_by="self_cuda_time_total", row_limit=25))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--image", default="448x448")
    parser.add_argument("--question-words", type=int, default=117)
    parser.add_argument("--step-words", type=int, default=63)
    parser.add_argument("--variants", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--cards", type=int, default=1, help="tensor parallel over so many")
    parser.add_argument("--single", type=int, default=16, help="requests scored one a call too")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def report_speed(name: str, count: int, seconds: float, work: Work, shapes: Shapes) -> None:
    """Rates and, on a card, the share of its peak; targets stand on the default way."""
    on_gpu = torch.cuda.is_available()
    aimed = on_gpu and name == "default"
    print_line(
        f"{name}: candidates", count / seconds, "1/s", at_least=2 * BEFORE if aimed else None
    )
    print_line(f"{name}: new tokens", work.tokens / seconds, "1/s")
    speed = operations(shapes, work) / seconds
    print_line(f"{name}: operations", speed / 1e12, "TFLOP/s")
    if on_gpu:
        print_line(f"{name}: share of peak", speed / PEAK, "", at_least=0.4 if aimed else None)
        print_line(f"{name}: peak memory", torch.cuda.max_memory_allocated() / 1e9, "GB")


def report_repeats(
    name: str, scorer: HFScorer, asked: Sequence[ScoreRequest], found: Logits, single: int
) -> None:
    """A second run of the same requests, and one request a call."""
    lengths = [rows[-1].prompt_tokens for rows in found]
    print_line("tokens of a conversation", sum(lengths) / len(lengths), "")
    print_line(f"{name}: logits of a second run", apart(found, scorer.score(asked)), "", at_most=0)
    start = time.perf_counter()
    alone = [scorer.score([request])[0] for request in asked[:single]]
    seconds = time.perf_counter() - start
    print_line(f"{name}: one candidate a call", len(alone) / seconds, "1/s")
    print_line(f"{name}: logits one a call", apart(found[: len(alone)], alone), "")
    print_line(f"{name}: probability one a call", moved(found[: len(alone)], alone), "")


def main() -> None:
    given = arguments()
    on_gpu = given.device == "cuda"
    shapes = FAMILY.read_shapes(given.checkpoint)
    if shapes is None:
        raise SystemExit(f"{given.checkpoint} holds no checkpoint whose shapes are known")
    width, _, height = given.image.partition("x")
    asked, store = requests(
        given.questions + 2,
        given.candidates,
        (int(width), int(height)),
        given.question_words,
        given.step_words,
        seed=0,
    )
    warm = 2 * given.candidates
    first, reference = given.variants[0], None
    work = Work()
    for name in given.variants:
        scorer = built(given.checkpoint, store, WAYS[name], on_gpu, given.cards)
        found, seconds, done = timed(scorer, asked, warm)
        work = done if done.tokens else work  # the padded scorer counts nothing: the same tokens
        report_speed(name, len(found), seconds, work, shapes)
        if reference is None:
            reference = found
            report_repeats(name, scorer, asked[warm:], found, given.single)
        else:
            print_line(f"{name}: logits from {first}", apart(found, reference), "")
            print_line(f"{name}: probability from {first}", moved(found, reference), "")
        if given.profile and name == first:
            profile(scorer, asked[warm : warm + 4 * given.candidates])
        del scorer
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
