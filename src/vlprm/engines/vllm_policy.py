"""A policy over vLLM 0.10.1.1 (V1 engine): a chat VLM of a known family.

Each seed is a request of its own. A batch (one ``generate`` call) decides its own result: the
prefix cache is emptied before it, requests enter in order, and the schedule of the engine's
steps follows from the batch alone. See ``bench/determinism.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlprm.config.memory import VLLM_LONGEST, VLLM_SEQUENCES, VLLM_STEP_TOKENS
from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.determinism import settle_one
from vlprm.engines.failures import EngineDiedError
from vlprm.engines.vllm_front import Front, Prompt, SharedHashes
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.control_tokens import control_tokens
from vlprm.families.family import Images
from vlprm.protocols import Completion, GenerationRequest
from vlprm.records import Sampling

VERSION = "0.10.1.1"
IMAGES_PER_PROMPT = 16
HEAD_WIDTHS = frozenset(range(32, 257, 32))
"""Head widths of vLLM's FlashAttention (0.10.1.1, v1/attention/backends/flash_attn.py:57)."""
FLEX_BLOCKS = 4096
"""Blocks (of 16 tokens) of the key-value cache at any other width: vLLM then runs FlexAttention,
whose mask has an entry for every query and every token of the whole cache. The large mini model
(48) with a fifth of an 80 GB card got 6.1 million tokens of cache, and died of a 28 GB mask."""

COMPILATION = {"inductor_compile_config": {"triton.autotune_pointwise": False}}
"""What vLLM hands torch's compiler. By default that picks among forms of a kernel by timing them,
and forms of a sum over fewer than 256 numbers add in another order (torch 2.7.1,
_inductor/runtime/triton_heuristics.py: _persistent_reduction_configs): two engines that compiled
on their own drew other texts at the mini models' width."""


class VLLMPolicy:
    """``protocols.Policy`` over ``vllm.LLM``; needs the gpu image and a GPU.

    The policy's cards are the first ones the process sees: vLLM numbers them from 0 and cannot be
    told otherwise once CUDA is up. With several it starts one worker process per card itself.

    ``placement.memory`` is the share of a card that vLLM takes for weights, activations and
    key-value cache. It asks at its start that this share is free and counts only what it takes
    itself (v1/worker/gpu_worker.py:165-177, utils/__init__.py: memory_profiling), so a PRM may be
    loaded before or after it. Policy first is better: its share is then refused or taken at once,
    and nothing else may free memory while it measures. Not in the share: CUDA graphs (about
    1 GB), the driver's context, and draws (below 1 GB).

    Raises UserError where vLLM is absent, another version, does not start (too little memory),
    or ``placement`` names cards that are not the first ones.
    """

    def __init__(
        self,
        model_dir: Path,
        store: Images,
        model: ModelConfig,
        placement: Placement,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """``options``: further arguments of ``vllm.LLM``, for tests and measurements."""
        self._where = str(model_dir)
        family = FAMILIES[model.family]
        vllm = _vllm(placement)
        from transformers import AutoConfig, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
        shape = AutoConfig.from_pretrained(model_dir, local_files_only=True).get_text_config()
        # Gemma 3's config.json leaves the size of its vocabulary to transformers
        self._control = control_tokens(family.tokens, model_dir, tokenizer, int(shape.vocab_size))
        processor = dict(family.images.processor(model.pixels))
        arguments: dict[str, Any] = {
            "model": self._where,
            "dtype": model.dtype,
            "tensor_parallel_size": max(1, len(placement.devices)),
            "gpu_memory_utilization": placement.memory,
            "max_model_len": min(VLLM_LONGEST, int(shape.max_position_embeddings)),
            "max_num_batched_tokens": VLLM_STEP_TOKENS,
            "max_num_seqs": VLLM_SEQUENCES,
            "enable_prefix_caching": True,
            "enable_chunked_prefill": True,
            "limit_mm_per_prompt": {"image": IMAGES_PER_PROMPT, "video": 0},
            "mm_processor_kwargs": processor,
            # two caches of it that must agree are of no use within one process
            "mm_processor_cache_gb": 0,
            "logits_processors": ["vlprm.engines.vllm_draws:SeededDraws"],
            "additional_config": {"vlprm_barred": list(self._control.barred)},
            "compilation_config": COMPILATION,
            "seed": 0,
            "disable_log_stats": True,
        }
        width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
        if placement.devices and width not in HEAD_WIDTHS:
            arguments["num_gpu_blocks_override"] = FLEX_BLOCKS
        try:
            self._llm: Any = vllm.LLM(**{**arguments, **(options or {})})
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"vLLM did not start ({error})",
                where=self._where,
                cure="see its lines above; too little memory: book a larger card or more of them"
                " (models.*.gpus), or leave the model more of the card",
            ) from error
        self._engine: Any = self._llm.llm_engine
        core = self._engine.engine_core.engine_core
        if core.request_block_hasher is not None:
            core.request_block_hasher = SharedHashes(core.request_block_hasher)
        self._scheduler: Any = core.scheduler
        self._sequences = int(self._engine.vllm_config.scheduler_config.max_num_seqs)
        self._decode = tokenizer.backend_tokenizer.decode
        self._front = Front(
            tokenizer,
            self._input_processor,
            vllm.SamplingParams(max_tokens=1),
            self._control,
            store,
            family.images,
            model.pixels,
            int(self._engine.model_config.max_model_len),
        )

    def _input_processor(self) -> Any:
        from vllm.transformers_utils.tokenizer_group import init_tokenizer_from_configs
        from vllm.v1.engine.processor import Processor

        config = self._engine.vllm_config
        tokenizer = init_tokenizer_from_configs(
            model_config=config.model_config,
            scheduler_config=config.scheduler_config,
            lora_config=config.lora_config,
        )
        return Processor(vllm_config=config, tokenizer=tokenizer)

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """See ``protocols.Policy``. A prompt that does not fit is a completion with an error.

        Raises EngineDiedError, naming the requests that have no answer yet, when vLLM fails.
        """
        self._llm.reset_prefix_cache()
        found: list[dict[int, Completion]] = [{} for _ in requests]
        names: dict[str, tuple[int, int]] = {}
        coming: Iterator[Prompt] = self._front.prompts(requests)
        more = True
        while more or self._engine.has_unfinished_requests():
            # A step admits no more than this many, so its schedule is that of a full queue.
            while more and len(self._scheduler.waiting) < self._sequences:
                prompt = next(coming, None)
                more = prompt is not None
                if prompt is not None:
                    self._add(prompt, requests[prompt.place], sampling, found, names)
            if not self._engine.has_unfinished_requests():
                continue
            try:
                outputs = self._engine.step()
            except Exception as error:
                held = [
                    r.id
                    for r, done in zip(requests, found, strict=True)
                    if len(done) < len(r.seeds)
                ]
                raise EngineDiedError("vLLM", error, held) from error
            for output in outputs:
                if output.finished:
                    place, number = names.pop(output.request_id)
                    found[place][number] = self._completion(output)
        return [tuple(done[number] for number in sorted(done)) for done in found]

    def _add(
        self,
        prompt: Prompt,
        request: GenerationRequest,
        sampling: Sampling,
        found: list[dict[int, Completion]],
        names: dict[str, tuple[int, int]],
    ) -> None:
        """All seeds of a prompt enter the engine, as ``LLMEngine.add_request`` does for n > 1."""
        if prompt.error is not None:
            failed = Completion("", "error", None, 0, 0, error=prompt.error)
            found[prompt.place] = dict.fromkeys(range(len(request.seeds)), failed)
            return
        for number, seed in enumerate(request.seeds):
            name = f"{prompt.place}-{number}"
            names[name] = (prompt.place, number)
            made = prompt.request(name, self._settings(sampling, request.stop, seed))
            self._engine.output_processor.add_request(made, None, None, 0)
            self._engine.engine_core.add_request(made)

    def _settings(self, sampling: Sampling, stop: tuple[str, ...], seed: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=0.0,  # the draw is made in SeededDraws, with these settings
            extra_args={"vlprm_seed": seed, "vlprm_sampling": sampling.model_dump()},
            max_tokens=sampling.max_tokens,
            stop=list(stop) or None,
            stop_token_ids=sorted(self._control.ends),
            include_stop_str_in_output=True,
            # text is needed during decoding only to look for stop strings
            detokenize=bool(stop),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _completion(self, output: Any) -> Completion:
        """One ``vllm.RequestOutput`` with one completion."""
        drawn = output.outputs[0]
        ids = list(drawn.token_ids)
        prompt_tokens = len(output.prompt_token_ids or ())
        if drawn.finish_reason not in {"stop", "length"}:
            error = f"vLLM ended the request: {drawn.finish_reason}"
            return Completion("", "error", None, prompt_tokens, len(ids), error=error)
        by = drawn.stop_reason if isinstance(drawn.stop_reason, str) else None
        text = drawn.text if by is not None else self._text(ids)
        return Completion(text, drawn.finish_reason, by, prompt_tokens, len(ids))

    def _text(self, ids: list[int]) -> str:
        kept = ids[:-1] if ids and ids[-1] in self._control.ends else ids
        return self._decode(kept, skip_special_tokens=False)


def _vllm(placement: Placement) -> Any:
    """The module, at the version whose inner interfaces are used here, on the wanted cards."""
    settle_one("VLLM_ENABLE_V1_MULTIPROCESSING")
    if placement.devices != tuple(range(len(placement.devices))):
        raise UserError(
            f"vLLM was given cards {list(placement.devices)}: it uses the first ones it sees",
            where="the policy's placement",
            cure="give the policy the first cards and the PRM those after them",
        )
    try:
        import vllm
    except ImportError as error:
        raise UserError(
            f"vLLM is not installed here ({error})",
            where="models.*.engines.policy",
            cure="run the stage in its image (--sdm apptainer), or set policy: transformers",
        ) from error
    if vllm.__version__.split("+")[0] != VERSION:
        raise UserError(
            f"vLLM {vllm.__version__} has other inner interfaces than {VERSION}",
            where="models.*.engines.policy",
            cure="use the gpu image, or install the version of envs/gpu.in",
        )
    if not placement.devices:
        from vllm.platforms import current_platform

        if not current_platform.is_cpu():
            raise UserError(
                "the model is given no GPU, and this vLLM runs on nothing else",
                where="models.*.gpus",
                cure="set gpus: 1 (or more), or policy: transformers",
            )
    return vllm
