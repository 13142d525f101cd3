"""What the transformers engines run of an architecture: its inputs and its decoder.

A registry of its own, beside ``FAMILIES``: the configuration reads the rules of a family, and must
not reach torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from vlprm.families.control_tokens import ControlTokens
from vlprm.families.family import Family, Images, PixelBounds
from vlprm.families.qwen25vl.decoder import Decoder as QwenDecoder
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import Dtype, load_model
from vlprm.records import ImageRef, Message


class Inputs(Protocol):
    """Tokenizer and image processor of one checkpoint."""

    @property
    def pieces(self) -> list[bytes]:
        """The text of every token, as bytes."""
        ...

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, special tokens recognised."""
        ...

    def size(self, ref: ImageRef) -> tuple[int, int]:
        """Width and height of an image as shown."""
        ...

    def chat(self, messages: Sequence[Message], prefix: str) -> str:
        """The family's chat text."""
        ...

    def control(self, vocabulary: int | None = None) -> ControlTokens:
        """Control tokens; ``vocabulary``: rows of the output matrix."""
        ...

    def patches(self, refs: Sequence[ImageRef]) -> Any:
        """Images as the decoder takes them; None without images."""
        ...


class Decoder(Protocol):
    """Draws token by token."""

    head: Any
    """The output layer: hidden states (..., width) to logits."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def prefill(self, ids: Tensor, patches: Any) -> tuple[Tensor, Tensor, Any]:
        """Read prompts (rows, tokens): last hidden states (rows, width), offsets (rows), cache.

        A cache has ``rows(index, room)``: the chosen rows, with room for so many tokens.
        """
        ...

    def step(self, tokens: Tensor, delta: Tensor, cache: Any) -> Tensor:
        """Read one more token (rows), appended to the cache: hidden states (rows, width)."""
        ...


@dataclass(frozen=True, slots=True)
class Architecture:
    """Loaders of one ``model_type``."""

    inputs: Callable[[Family, Path, Images, PixelBounds], Inputs]
    decoder: Callable[[Path, Dtype, str], Decoder]
    """(folder, dtype, device) -> the model. Raises UserError for no such checkpoint."""


def _qwen_decoder(model_dir: Path, dtype: Dtype, device: str) -> Decoder:
    return QwenDecoder(load_model(model_dir, dtype=dtype, device=device))


ARCHITECTURES: Mapping[str, Architecture] = {
    "qwen2_5_vl": Architecture(QwenInputs, _qwen_decoder),
}
"""By ``Family.architecture``; of every family that names the transformers engine."""
