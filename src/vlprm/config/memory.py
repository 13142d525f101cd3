"""Memory of a card that a model needs in one role, in bytes, from its shapes.

Sums of what is alive at the worst moment: weights, caches, the largest batch. They are estimates
on the safe side (a kernel's workspace and the allocator's waste come from the tenth of the card
that no placement gives away); ``docs/placement.md`` shows the arithmetic and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlprm.config import scoring_memory
from vlprm.families.shapes import BYTES, Shapes, TextShape, VisionShape

GIB = 2**30
SEQUENCES = 8
"""Sequences of full length that the KV cache of vLLM should hold; fewer are preempted often."""
PROMPT_TOKENS = 1024
"""Text of a prompt beside its image: system prompt, question, options."""
VLLM_STEP_TOKENS = 16_384
"""Tokens of one engine step of vLLM, and of the images that enter in it: its own choice for a card
of 70 GB and more. The memory that activations take is measured at this size when the engine starts,
so a configuration's ``batch_tokens`` (the transformers engines' memory bound) does not apply."""
VLLM_SEQUENCES = 1024
"""Requests that run at a time: vLLM's own choice for such a card (0.10.1.1,
engine/arg_utils.py:1645)."""
VLLM_LONGEST = 32_768
"""Tokens of prompt and answer, where the model itself takes more. The key-value cache must hold one
such sequence, or vLLM does not start: 1.2 GB at the 3B shape, 1.9 GB at 7B, 8.6 GB at 32B."""
_BUCKET = 500_000_000
"""Gradients that DeepSpeed reduces at once (``reduce_bucket_size``)."""
SHOWN = 0.993
"""Share of what nvidia-smi states that CUDA shows (H100 80 GB: 79.1 of 79.6 GiB)."""
_SOLD = 0.989
"""GiB that CUDA shows for each GB a card is sold with (H100 80 GB: 79.1)."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on the fullest card, by what they are for."""

    weights: int
    cache: int
    """Keys and values; in training gradients, master weights and moments."""
    batch: int
    """Activations of the largest batch, of the text or of the vision tower; in training, what the
    optimizer's step needs for itself, where that is more."""

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.cache + self.batch


def card_bytes(sold_gb: float) -> float:
    """What CUDA can give of a card that is sold with so many GB."""
    return sold_gb * _SOLD * GIB


def scoring_bytes(text: TextShape, tokens: int, dtype: str = "bfloat16", cards: int = 1) -> int:
    """Activations of a forward over ``tokens`` without gradients, on each of ``cards``.

    The residual, its norm and two float32 copies of it inside RMSNorm; beside them either three
    widths of the gated MLP or the attention's heads with repeated keys and values.
    """
    number = BYTES[dtype]
    stream = 2 * number * text.hidden + 8 * text.hidden
    heads = number * text.head_dim * (2 * text.heads + 2 * text.heads) // cards
    inner = max(3 * number * text.mlp // cards, heads)
    return tokens * (stream + inner)


def vision_bytes(vision: VisionShape, patches: int, dtype: str = "bfloat16") -> int:
    """Activations of the vision tower over ``patches`` without gradients, and their pixels.

    Pixels come in float32 and are cast; the residual and its norm; beside them the MLP or the
    attention (queries, keys, values, their rotated float32 copies, the output).
    """
    number = BYTES[dtype]
    pixels = 3 * vision.frames * vision.patch**2 * (4 + number)
    attention = vision.hidden * (4 * number + 8)
    inner = max(number * (3 if vision.gated else 2) * vision.mlp, attention)
    return patches * (pixels + 2 * number * vision.hidden + inner)


def scorer(shapes: Shapes, dtype: str, batch_tokens: int, cards: int = 1) -> Need:
    """The packed transformers scorer (``config.scoring_memory`` counts for it, too).

    Weights of the layers split over ``cards``; embedding, head and vision tower do not. It keeps
    no cache: a batch holds whole conversations.
    """
    number = BYTES[dtype]
    each = scoring_memory.bytes_per_token_scoring(shapes.text, cards=cards, width=number)
    batch = each * batch_tokens + scoring_memory.FIXED
    return Need(number * _split_weights(shapes, cards), 0, batch)


def transformers_policy(shapes: Shapes, dtype: str, batch_tokens: int) -> Need:
    """The transformers policy: a cache for all tokens of a batch, twice while rows are copied."""
    number = BYTES[dtype]
    cache = 2 * number * shapes.text.cache_numbers(1) * batch_tokens
    images = vision_bytes(shapes.vision, shapes.vision.patches(batch_tokens), dtype)
    batch = max(scoring_bytes(shapes.text, batch_tokens, dtype), images)
    return Need(number * shapes.parameters(), cache, batch)


def _split_weights(shapes: Shapes, cards: int) -> int:
    layers = shapes.text.layers * shapes.text.layer_parameters()
    return shapes.parameters() - layers + layers // cards


def vllm_policy(shapes: Shapes, dtype: str, sequence: int, cards: int = 1) -> Need:
    """vLLM as a policy: weights, its profile run, and the least cache that is worth a start.

    The profile (0.10.1.1, v1/worker/gpu_model_runner.py:2566) runs the vision tower on as many
    images as a step may hold, the text on a step's tokens, and the sampler on all sequences.
    ``sequence``: tokens of the longest one asked for; the cache must hold ``SEQUENCES`` of them,
    and one of the engine's own limit (vLLM refuses to start without).
    """
    number, text = BYTES[dtype], shapes.text
    images = shapes.vision.patches(VLLM_STEP_TOKENS)
    batch = max(
        vision_bytes(shapes.vision, images, dtype) // (cards if shapes.vision.gated else 1),
        scoring_bytes(text, VLLM_STEP_TOKENS, dtype, cards),
        VLLM_SEQUENCES * text.vocab * 20,  # logits, their sort, probabilities
    )
    longest = min(VLLM_LONGEST, text.positions)
    sequence = min(sequence, longest)
    cache = max(SEQUENCES * text.cache_numbers(sequence), text.cache_numbers(longest))
    return Need(number * shapes.parameters() // cards, number * cache // cards, batch)


def training(
    shapes: Shapes,
    dtype: str,
    tokens: int,
    *,
    processes: int,
    tune_vision: bool,
    every: int,
    zero: int | None,
    group: int | None = None,
) -> Need:
    """Training on ``tokens`` of one micro batch, backward pass or optimizer's step.

    With DeepSpeed (``zero``: its stage, 0 to 2) every trained weight has a float32 master and two
    float32 moments, and in the step a float32 copy of its gradient and one such number more
    (torch's Adam), for ``group`` weights at a time (None: all); stage 1 splits those over
    ``processes``, 2 the gradients too. Without (``zero`` None), gradients, moments and the step's
    copy are in ``dtype``, in every process. ``every``: layers whose activations are recomputed, 0
    none, 1 all, k every k-th.
    """
    number = BYTES[dtype]
    trained = shapes.parameters() if tune_vision else shapes.text.parameters()
    if zero is None:
        states, step = 3 * number * trained, number * trained
        states += number * trained if processes > 1 else 0  # buckets of the reduction
    else:
        parts = processes if zero >= 1 else 1
        states = 12 * trained // parts + number * trained // (processes if zero >= 2 else 1)
        step = 8 * min(trained, group or trained) // parts
        states += number * _BUCKET if processes > 1 else 0
    batch = _training_batch(shapes, tokens, number, tune_vision, every)
    return Need(number * shapes.parameters(), states, max(batch, step))


def _training_batch(shapes: Shapes, tokens: int, number: int, tune_vision: bool, every: int) -> int:
    """Activations kept for the backward pass: a layer's whole, or its input where recomputed."""
    text, vision = shapes.text, shapes.vision
    # kept by one layer: residuals and norms, queries to output, four widths of the MLP;
    # in its backward as many gradients again
    heads = text.head_dim * (3 * text.heads + 2 * text.kv_heads)
    layer = number * (6 * text.hidden + heads + 4 * text.mlp) + 8 * text.hidden
    block = number * (6 * vision.hidden + 4 * vision.hidden + 4 * vision.mlp) + 16 * vision.hidden
    patches = vision.patches(tokens)
    whole = text.layers - -(-text.layers // every) if every else text.layers
    words = whole * layer + (text.layers - whole) * number * text.hidden + 2 * layer
    towers = vision.depth * (number * vision.hidden if every else block) + 2 * block
    dtype = "float32" if number == 4 else "bfloat16"
    return max(
        tokens * words, patches * towers if tune_vision else vision_bytes(vision, patches, dtype)
    )
