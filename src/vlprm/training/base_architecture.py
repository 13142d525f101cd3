"""The mini base models' architecture: the real classes, small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2TokenizerFast,
    Qwen2VLImageProcessor,
)

from vlprm.config.base_model import BaseModelConfig
from vlprm.families.qwen25vl.resize import FACTOR


def build_model(
    config: BaseModelConfig, tokenizer: Qwen2TokenizerFast
) -> Qwen2_5_VLForConditionalGeneration:
    """Random weights from ``config.seed``; draws happen on the CPU, so any device starts alike."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
    text, vision = config.text, config.vision
    half = text.width // text.heads // 2
    side = half * 3 // 8
    settings: dict[str, Any] = {
        # flat text settings, as in the Hub's checkpoints: vLLM reads hf_config.vocab_size
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": text.width,
        "intermediate_size": text.mlp,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "num_key_value_heads": config.key_value_heads,
        "max_position_embeddings": 32768,
        "rope_theta": 1e4,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "initializer_range": config.initial_std,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "rope_scaling": {
            "type": "mrope",
            "rope_type": "default",
            "mrope_section": [half - 2 * side, side, side],
        },
    }
    tower = {
        "depth": vision.layers,
        "hidden_size": vision.width,
        "intermediate_size": vision.mlp,
        "num_heads": vision.heads,
        "out_hidden_size": text.width,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [vision.layers - 1],
        "in_channels": 3,
        "in_chans": 3,
        "tokens_per_second": 2,
        "hidden_act": "silu",
        "initializer_range": config.initial_std,
    }
    settings |= {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }
    torch.manual_seed(config.seed)
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**settings, vision_config=tower))
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    return model


def save_processor(out_dir: Path) -> None:
    """The image and video processor settings that ``AutoProcessor`` reads."""
    Qwen2VLImageProcessor(
        min_pixels=FACTOR**2, max_pixels=1280 * FACTOR**2, patch_size=14, merge_size=2
    ).save_pretrained(out_dir)
    file = out_dir / "preprocessor_config.json"
    image = json.loads(file.read_text())
    image |= {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    video = {key: value for key, value in image.items() if key != "image_processor_type"}
    video["video_processor_type"] = "Qwen2VLVideoProcessor"
    for name, settings in (("preprocessor_config", image), ("video_preprocessor_config", video)):
        text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
        (out_dir / f"{name}.json").write_text(text)
