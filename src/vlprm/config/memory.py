"""Memory of a card that a model needs in one role, in bytes, from its shapes.

Sums of what is alive at the worst moment: weights, caches, the largest batch. They are estimates
on the safe side (a kernel's workspace and the allocator's waste come from the tenth of the card
that no placement gives away); ``docs/placement.md`` shows the arithmetic and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlprm.config.shapes import BYTES, Shapes, TextShape, VisionShape

GIB = 2**30
SEQUENCES = 8
"""Sequences of full length that the KV cache of vLLM should hold; fewer are preempted often."""
PROMPT_TOKENS = 1024
"""Text of a prompt beside its image: system prompt, question, options."""
_VLLM_IMAGE_TOKENS = 16384
_VLLM_SEQUENCES = 1024
"""vLLM 0.10.1.1, engine/arg_utils.py:1645: sequences at once of ``LLM`` on a card of 70 GiB."""
_BUCKET = 500_000_000
"""Gradients that DeepSpeed reduces at once (``reduce_bucket_size``)."""
SHOWN = 0.993
"""Share of what nvidia-smi states that CUDA shows (H100 80 GB: 79.1 of 79.6 GiB)."""
_SOLD = 0.989
"""GiB that CUDA shows for each GB a card is sold with (H100 80 GB: 79.1)."""

PIXEL_SIDE = 28
"""Side of an image token of Qwen2.5-VL in pixels."""


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
    """A transformers scorer (or policy): a full batch whose prefixes are shared.

    Weights of the text part split over ``cards`` (embedding, head and vision tower do not). Keys
    and values are there twice while a shared prefix is copied to its branches.
    """
    number, text = BYTES[dtype], shapes.text
    split = text.layers * (
        text.hidden * text.head_dim * (2 * text.heads + 2 * text.kv_heads)
        + 3 * text.hidden * text.mlp
    )
    weights = shapes.parameters() - split + split // cards
    cache = 2 * text.cache_numbers(1) * batch_tokens // cards
    images = vision_bytes(shapes.vision, shapes.vision.patches(batch_tokens), dtype)
    words = scoring_bytes(text, batch_tokens, dtype, cards)
    # the tower runs before the branches' cache is there
    batch = max(words, images - number * cache // 2)
    return Need(number * weights, number * cache, batch)


def vllm_policy(
    shapes: Shapes, dtype: str, batch_tokens: int, sequence: int, cards: int = 1
) -> Need:
    """vLLM as a policy: weights, its profile run, and the least cache that is worth a start.

    The profile (0.10.1.1, v1/worker/gpu_model_runner.py:2566) runs the vision tower on as many
    images as a batch may hold, the text on ``batch_tokens``, and the sampler on all sequences.
    ``sequence``: tokens of the longest one asked for; the cache must hold ``SEQUENCES`` of them,
    and one of the checkpoint's own limit (vLLM refuses to start without).
    """
    number, text = BYTES[dtype], shapes.text
    images = shapes.vision.patches(max(batch_tokens, _VLLM_IMAGE_TOKENS))
    sampler = min(_VLLM_SEQUENCES, batch_tokens) * text.vocab * 20  # logits, sort, probabilities
    batch = max(
        vision_bytes(shapes.vision, images, dtype) // (cards if shapes.vision.gated else 1),
        scoring_bytes(text, batch_tokens, dtype, cards),
        sampler,
    )
    cache = max(SEQUENCES * text.cache_numbers(sequence), text.cache_numbers(text.positions))
    return Need(number * shapes.parameters() // cards, number * cache // cards, batch)


def training(
    shapes: Shapes,
    dtype: str,
    tokens: int,
    *,
    processes: int,
    tune_vision: bool,
    checkpointing: bool,
    zero: int | None,
) -> Need:
    """Training on ``tokens`` of one micro batch, backward pass or optimizer's step.

    With DeepSpeed (``zero``: its stage, 0 to 3) every trained weight has a float32 master and two
    float32 moments, and in the step a float32 copy of its gradient and one such number more
    (torch's Adam works on all weights at once); stage 1 splits those over ``processes``, 2 the
    gradients too, 3 the weights too. Without (``zero`` None), gradients, moments and the step's
    copy are in ``dtype``, in every process.
    """
    number = BYTES[dtype]
    every = shapes.parameters()
    trained = every if tune_vision else shapes.text.parameters()
    if zero is None:
        weights, states, step = number * every, 3 * number * trained, number * trained
        states += number * trained if processes > 1 else 0  # buckets of the reduction
    else:
        split = trained // (processes if zero >= 1 else 1)
        gradients = number * trained // (processes if zero >= 2 else 1)
        weights = number * every // (processes if zero >= 3 else 1)
        states, step = 12 * split + gradients, 8 * split
        states += number * _BUCKET * (2 if zero >= 3 else 1) if processes > 1 else 0
    batch = _training_batch(shapes, tokens, number, tune_vision, checkpointing)
    return Need(weights, states, max(batch, step))


def _training_batch(
    shapes: Shapes, tokens: int, number: int, tune_vision: bool, checkpointing: bool
) -> int:
    """Activations kept for the backward pass: all, or each layer's input and one layer's whole."""
    text, vision = shapes.text, shapes.vision
    # kept by one layer: residuals and norms, queries to output, four widths of the MLP;
    # in its backward as many gradients again
    heads = text.head_dim * (3 * text.heads + 2 * text.kv_heads)
    layer = number * (6 * text.hidden + heads + 4 * text.mlp) + 8 * text.hidden
    block = number * (6 * vision.hidden + 4 * vision.hidden + 4 * vision.mlp) + 16 * vision.hidden
    patches = vision.patches(tokens)
    if checkpointing:
        words = tokens * (text.layers * number * text.hidden + 2 * layer)
        images = patches * (vision.depth * number * vision.hidden + 2 * block)
    else:
        words = tokens * (text.layers * layer + layer)
        images = patches * (vision.depth * block + block)
    dtype = "float32" if number == 4 else "bfloat16"
    return max(words, images if tune_vision else vision_bytes(vision, patches, dtype))


def image_tokens(max_pixels: int) -> int:
    """Tokens of the largest image that a model's ``pixels`` allow."""
    return max_pixels // PIXEL_SIDE**2
