"""Prompts for vLLM 0.10.1.1, prepared once each, beside the engine's thread.

``LLM.generate`` renders, tokenises, hashes and processes a prompt once per request. Here a question
(chat and images) is processed once, in a thread, and every continuation and every seed of it is
a copy of that request: only a prefix is tokenised anew.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from vlprm.errors import UserError
from vlprm.families.control_tokens import ControlTokens
from vlprm.families.family import ImageRule, Images, PixelBounds
from vlprm.protocols import GenerationRequest
from vlprm.records import ImageRef, Message

AHEAD = 64
"""Prompts prepared ahead of the engine."""
KEPT_BYTES = 4 * 2**30
"""Processed images that are kept for later prompts of the same question."""
THREADS = 4

_OWN_FAULT = (UserError, ValueError, RuntimeError, AssertionError, OSError)
"""What vLLM and Pillow raise for one bad prompt or image."""


@dataclass(frozen=True, slots=True)
class Question:
    """A chat with its images as vLLM wants it, up to the opened assistant turn."""

    request: Any
    """An ``EngineCoreRequest`` without sampling parameters."""
    head: list[int]
    """Token ids up to the last control token, image places included."""
    header: str
    """The text after it: the header of the assistant turn."""
    bytes: int
    """Memory of its processed images."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request of the caller, ready for any number of seeds; or why it cannot be asked."""

    place: int
    ids: list[int]
    question: Question | None
    error: str | None = None

    def request(self, name: str, settings: Any) -> Any:
        """An ``EngineCoreRequest`` that shares everything but its name and settings."""
        if self.question is None:
            raise ValueError(f"prompt {self.place} cannot be asked: {self.error}")
        made = copy(self.question.request)
        made.request_id, made.prompt_token_ids, made.sampling_params = name, self.ids, settings
        return made


class SharedHashes:
    """vLLM's hasher of a request's key-value blocks; seeds of one prompt share its blocks' hashes.

    They come one after the other and hold one and the same list of prompt ids. Hashing was three
    quarters of what a request costs on its way in.
    """

    def __init__(self, hasher: Callable[[Any], list[Any]]) -> None:
        self._hasher = hasher
        self._ids: list[int] | None = None
        self._hashes: list[Any] = []

    def __call__(self, request: Any) -> list[Any]:
        """Hashes of the blocks that have none yet (kv_cache_utils.py: request_block_hasher)."""
        if request.block_hashes or request.num_output_tokens:
            return self._hasher(request)
        if request.prompt_token_ids is not self._ids:
            self._ids, self._hashes = request.prompt_token_ids, self._hasher(request)
        return list(self._hashes)


class Front:
    """Renders chats by the checkpoint's own template and processes them in threads.

    ``tokenizer`` (with the chat template) is used by the engine's thread only, but for rendering;
    ``processor`` makes a vLLM input processor (``vllm.v1.engine.processor.Processor``): every
    thread has its own, since tokenizers and caches are not made to be shared. ``longest``: tokens
    a prompt may have.
    """

    def __init__(
        self,
        tokenizer: Any,
        processor: Callable[[], Any],
        placeholder: Any,
        control: ControlTokens,
        store: Images,
        rule: ImageRule,
        pixels: PixelBounds,
        longest: int,
    ) -> None:
        self._template = tokenizer.apply_chat_template
        self._processor, self._placeholder = processor, placeholder
        self._control, self._store = control, store
        self._rule, self._pixels, self._longest = rule, pixels, longest
        self._encode = tokenizer.backend_tokenizer.encode
        self._begin = tokenizer.bos_token
        added = {n: token.content for n, token in tokenizer.added_tokens_decoder.items()}
        known = frozenset(control.spellings)
        self._spelled = {n: content for n, content in added.items() if content in known}
        workers = min(THREADS, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prompts")
        self._local = threading.local()
        self._questions: dict[tuple[Message, ...], Future[Question]] = {}
        self._kept: OrderedDict[tuple[Message, ...], int] = OrderedDict()
        self._bytes = 0

    def prompts(self, requests: Sequence[GenerationRequest]) -> Iterator[Prompt]:
        """One prompt a request, in order; at most ``AHEAD`` are worked on beforehand."""
        ahead: deque[Future[Question]] = deque()
        following = iter(requests)
        for place, request in enumerate(requests):
            while len(ahead) < AHEAD and (upcoming := next(following, None)) is not None:
                ahead.append(self._question(upcoming.messages))
            yield self._prompt(place, request, ahead.popleft())

    def _question(self, messages: tuple[Message, ...]) -> Future[Question]:
        known = self._questions.get(messages)
        if known is None:
            known = self._questions[messages] = self._pool.submit(self._prepare, messages)
        return known

    def _prompt(self, place: int, request: GenerationRequest, prepared: Future[Question]) -> Prompt:
        try:
            question = prepared.result()
        except _OWN_FAULT as error:
            self._questions.pop(request.messages, None)
            return Prompt(place, [], None, f"{type(error).__name__}: {error}")
        self._keep(request.messages, question.bytes)
        ids: list[int] = question.request.prompt_token_ids
        if request.prefix:
            text = question.header + self._control.defuse(request.prefix)
            ids = question.head + self._encode(text, add_special_tokens=False).ids
        if len(ids) >= self._longest:
            reason = f"a prompt of {len(ids)} tokens leaves no room in {self._longest}"
            return Prompt(place, [], None, reason)
        return Prompt(place, ids, question)

    def _keep(self, messages: tuple[Message, ...], size: int) -> None:
        """Note the question as used last; the ones used longest ago make room."""
        self._bytes += size - self._kept.pop(messages, 0)
        self._kept[messages] = size
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            oldest, freed = self._kept.popitem(last=False)
            self._bytes -= freed
            self._questions.pop(oldest, None)

    def _prepare(self, messages: tuple[Message, ...]) -> Question:
        text = self._template(
            [self._chat_message(message) for message in messages],
            add_generation_prompt=True,
            tokenize=False,
        )
        # A template may write the beginning-of-text token that the tokenizer adds again (Gemma 3).
        if self._begin and text.startswith(self._begin):
            text = text[len(self._begin) :]
        asked: dict[str, Any] = {"prompt": text}
        images = [self._image(ref) for message in messages for ref in message.images]
        if images:
            asked["multi_modal_data"] = {"image": images}
            # the engine's own setting of use_fast loses to a default (models/qwen2_5_vl.py:792)
            asked["mm_processor_kwargs"] = dict(self._rule.processor(self._pixels))
        if not hasattr(self._local, "processor"):
            self._local.processor = self._processor()
        _, request = self._local.processor.process_inputs("", asked, self._placeholder)
        ids: list[int] = request.prompt_token_ids
        cut = max((n for n, token in enumerate(ids) if token in self._spelled), default=-1)
        spelled = self._spelled[ids[cut]] if cut >= 0 else ""
        header = text[text.rfind(spelled) + len(spelled) :] if spelled else ""
        if not spelled or self._encode(header, add_special_tokens=False).ids != ids[cut + 1 :]:
            raise UserError(
                "the chat template does not end in an opened turn that can be continued",
                cure="use a checkpoint whose template ends in a turn's start token and header",
            )
        size = sum(_bytes(item) for item in request.mm_kwargs or ())
        return Question(request, ids[: cut + 1], header, size)

    def _chat_message(self, message: Message) -> dict[str, Any]:
        content: list[dict[str, str]] = [{"type": "image"} for _ in message.images]
        text = self._control.defuse(message.text)
        return {"role": message.role, "content": [*content, {"type": "text", "text": text}]}

    def _image(self, ref: ImageRef) -> Image.Image:
        """The image at the family's size, named by its content."""
        image = self._store.open(ref)
        size = self._rule.size(ref, self._pixels)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        # vLLM takes this tag for the image's hash (multimodal/hasher.py: serialize_item)
        name = uuid.uuid5(uuid.NAMESPACE_OID, f"{ref.sha256} {size[0]}x{size[1]}")
        image.getexif()[ExifTags.Base.ImageID] = name
        return image


def _bytes(item: Any) -> int:
    tensors = item.get_data().values()
    return sum(t.nbytes for t in tensors if hasattr(t, "nbytes"))
