"""A small byte-level BPE tokenizer with Qwen's special tokens, for the mini models.

The words of matrix puzzles and their prompts are single tokens; any other text falls back to
shorter pieces, down to bytes. ``+`` and ``-`` are single tokens, as in the real vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import ByteLevelBPETokenizer, Regex, pre_tokenizers
from transformers import Qwen2TokenizerFast

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
VOCABULARY = 640
"""Bytes and merges; the special tokens come on top."""
_QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(texts: Sequence[str], out_dir: Path) -> Qwen2TokenizerFast:
    """Learn merges from ``texts`` and save the tokenizer into ``out_dir``.

    The same texts give the same bytes.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    learner = ByteLevelBPETokenizer()
    # learn within the pieces that Qwen's tokenizer cuts, else words would not be single tokens
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner.train_from_iterator(
        texts, vocab_size=VOCABULARY, min_frequency=2, special_tokens=[], show_progress=False
    )
    learner.save_model(str(out_dir))
    tokenizer = Qwen2TokenizerFast(
        str(out_dir / "vocab.json"),
        str(out_dir / "merges.txt"),
        unk_token=None,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=32768,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(out_dir)
    settings = out_dir / "tokenizer_config.json"
    written = json.loads(settings.read_text())
    written["processor_class"] = "Qwen2_5_VLProcessor"
    settings.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    return tokenizer
