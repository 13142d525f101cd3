"""Mini puzzles and models for the engine tests."""

from __future__ import annotations

from pathlib import Path

from vlprm.benchmarks import question_text
from vlprm.config.matrix import MatrixSpec
from vlprm.config.models import ModelConfig
from vlprm.config.placement import WHOLE_CARD, Placement
from vlprm.io.images import ImageStore
from vlprm.protocols import GenerationRequest
from vlprm.records import Sample, Sampling
from vlprm.solutions.rollouts import policy_messages
from vlprm.sources import matrix_drafts

SMALL = Path(__file__).resolve().parents[2] / "models" / "mini" / "small"
SPEC = MatrixSpec(
    attributes=("colour", "shape"),
    rules=("constant", "progression", "arithmetic", "distribute-three"),
    holdout=(),
    split="seen",
    cell=28,
    jitter=0.08,
    noise=6,
    panel=False,
)
GREEDY = Sampling(temperature=0, top_p=1, top_k=0, repetition_penalty=1, max_tokens=96)
WARM = GREEDY.model_copy(update={"temperature": 1.5})


CPU = Placement((), WHOLE_CARD)


class Bounds:
    """No resize."""

    min = 784
    max = 1003520


def questions(n: int) -> tuple[list[Sample], ImageStore]:
    store = ImageStore()
    drafts = matrix_drafts("m", SPEC, 77, 0, n)
    return [d.to_sample(tuple(store.put(image) for image in d.images)) for d in drafts], store


def request(sample: Sample, seeds: tuple[int, ...], prefix: str = "") -> GenerationRequest:
    messages = policy_messages(
        sample, question_text(sample), system_prompt=None, user_prompt="policy_mini_v1"
    )
    return GenerationRequest(sample.id, messages, prefix, seeds)


def small(**more: object) -> ModelConfig:
    """The small mini model on the CPU."""
    settings: dict[str, object] = {
        "source": "published", "family": "qwen2.5-vl", "path": str(SMALL),
        "engines": {"policy": "transformers", "scorer": "transformers"}, "dtype": "float32",
        "pixels": {"min": Bounds.min, "max": Bounds.max}, "batch_tokens": 65536, "gpus": 0,
    }  # fmt: skip
    return ModelConfig.model_validate(settings | more)
