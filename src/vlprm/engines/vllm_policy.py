"""A policy over vLLM 0.10.1.1 (V1 engine): any chat VLM that ships its own chat template.

Prompts are rendered by the checkpoint's template and sent as text with the images beside it, so
Qwen2.5-VL and Gemma 3 need no code of their own. Each completion is a request with its own seed:
what it draws does not depend on which others run beside it (up to the kernels' batch effects).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.errors import UserError
from vlprm.prm.resize import smart_resize
from vlprm.protocols import Completion, GenerationRequest
from vlprm.qwen.inputs import Images
from vlprm.records import ImageRef, Message, Sampling


class VLLMPolicy:
    """``protocols.Policy`` over ``vllm.LLM``; needs the gpu image and a GPU."""

    def __init__(
        self, model_dir: Path, store: Images, model: ModelConfig, placement: Placement
    ) -> None:
        try:
            from transformers import AutoProcessor
            from vllm import LLM
        except ImportError as error:
            raise UserError(
                f"vLLM is not installed here ({error})",
                where="models.*.engines.policy",
                cure="run the stage in its image (--sdm apptainer), or say policy: transformers",
            ) from error
        self._store, self._pixels = store, model.pixels
        self._template: Any = AutoProcessor.from_pretrained(model_dir, local_files_only=True)
        self._llm: Any = LLM(
            model=str(model_dir),
            dtype=model.dtype,
            tensor_parallel_size=max(1, len(placement.devices)),
            gpu_memory_utilization=placement.memory,
            max_num_batched_tokens=model.batch_tokens,
            limit_mm_per_prompt={"image": 16},
            seed=0,
            disable_log_stats=True,
        )

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """See ``protocols.Policy``. A prompt that does not fit is a completion with an error."""
        from vllm import SamplingParams

        prompts: list[dict[str, Any]] = []
        settings: list[Any] = []
        owners: list[int] = []
        found: list[list[Completion]] = [[] for _ in requests]
        for place, request in enumerate(requests):
            try:
                prompt = self._prompt(request)
            except UserError as error:
                failed = Completion("", "error", None, 0, 0, error=str(error))
                found[place] = [failed] * len(request.seeds)
                continue
            for seed in request.seeds:
                prompts.append(prompt)
                settings.append(SamplingParams(**_settings(sampling, request.stop, seed)))
                owners.append(place)
        outputs = self._llm.generate(prompts, settings, use_tqdm=False) if prompts else []
        for place, output in zip(owners, outputs, strict=True):
            found[place].append(_completion(output))
        return [tuple(items) for items in found]

    def _prompt(self, request: GenerationRequest) -> dict[str, Any]:
        text = self._template.apply_chat_template(
            [_chat_message(message) for message in request.messages],
            add_generation_prompt=True,
            tokenize=False,
        )
        # A template may write the beginning-of-text token that vLLM adds again (Gemma 3).
        begin = self._template.tokenizer.bos_token
        if begin and text.startswith(begin):
            text = text[len(begin) :]
        images = [self._image(ref) for item in request.messages for ref in item.images]
        prompt: dict[str, Any] = {"prompt": text + request.prefix}
        if images:
            prompt["multi_modal_data"] = {"image": images}
        return prompt

    def _image(self, ref: ImageRef) -> Any:
        """The image at the size of the one resize; the processor then leaves it as it is."""
        from PIL import Image

        image = self._store.open(ref)
        size = smart_resize(ref.width, ref.height, self._pixels.min, self._pixels.max)
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _settings(sampling: Sampling, stop: tuple[str, ...], seed: int) -> dict[str, Any]:
    return {
        "n": 1,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repetition_penalty,
        "max_tokens": sampling.max_tokens,
        "seed": seed % 2**63,
        "stop": list(stop) or None,
        "include_stop_str_in_output": True,
    }


def _chat_message(message: Message) -> dict[str, Any]:
    content: list[dict[str, str]] = [{"type": "image"} for _ in message.images]
    return {"role": message.role, "content": [*content, {"type": "text", "text": message.text}]}


def _completion(output: Any) -> Completion:
    """One ``vllm.RequestOutput`` with one completion."""
    drawn = output.outputs[0]
    tokens = len(drawn.token_ids)
    prompt_tokens = len(output.prompt_token_ids or ())
    if drawn.finish_reason not in {"stop", "length"}:
        error = f"vLLM ended the request: {drawn.finish_reason}"
        return Completion("", "error", None, prompt_tokens, tokens, error=error)
    by = drawn.stop_reason if isinstance(drawn.stop_reason, str) else None
    return Completion(drawn.text, drawn.finish_reason, by, prompt_tokens, tokens)
