"""Qwen2.5-VL checkpoints of the real shapes with random weights, for machines that get no weights.

usage: python bench/random_checkpoint.py SHAPE FOLDER [--layers N] [--vision-layers N]
SHAPE: 3b, 7b, 32b (of the Hub's configurations), or tiny. Tokenizer and processor are the mini
models'; the vocabulary keeps its real size, so the output layer and the sampler do their real
work, and ids that no token has are never sampled. ``--layers`` cuts layers off; a figure from such
a checkpoint says so.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from report import ROOT

MINI = ROOT / "models" / "mini" / "small"
SHAPES = {  # width, layers, heads, key-value heads, MLP, tied embeddings, vision MLP
    "3b": (2048, 36, 16, 2, 11008, True, 3420),
    "7b": (3584, 28, 28, 4, 18944, False, 3420),
    "32b": (5120, 64, 40, 8, 27648, False, 3456),
    "tiny": (256, 2, 4, 2, 512, True, 320),
}
VOCABULARY = {"7b": 152064, "32b": 152064, "3b": 151936, "tiny": 512}


def configuration(shape: str, layers: int | None, vision_layers: int | None) -> dict[str, object]:
    """The checkpoint's config.json: text settings flat and nested, as the Hub's are."""
    width, depth, heads, kv_heads, mlp, tied, vision_mlp = SHAPES[shape]
    half = width // heads // 2
    side = half * 3 // 8
    rope = {"mrope_section": [half - 2 * side, side, side], "rope_type": "default"}
    count = layers or depth
    text = {
        "hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": count,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "rope_theta": 1e6,
        "max_position_embeddings": 128000, "tie_word_embeddings": tied,
        "vocab_size": VOCABULARY[shape], "rope_scaling": {**rope, "type": "default"},
    }  # fmt: skip
    tower = {
        "hidden_size": 1280,
        "depth": 32,
        "num_heads": 16,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }
    if shape == "tiny":
        tower = {"hidden_size": 160, "depth": 2, "num_heads": 2, "fullatt_block_indexes": [1]}
    if vision_layers:
        tower |= {"depth": vision_layers, "fullatt_block_indexes": [vision_layers - 1]}
    config: dict[str, object] = json.loads((MINI / "config.json").read_text())
    nested = dict(config["text_config"])  # type: ignore[call-overload]
    nested |= text | {"layer_types": ["full_attention"] * count}
    vision = dict(config["vision_config"])  # type: ignore[call-overload]
    vision |= tower | {
        "intermediate_size": vision_mlp,
        "out_hidden_size": width,
        "window_size": 112,
    }
    return (
        config | text | {"text_config": nested, "vision_config": vision, "torch_dtype": "bfloat16"}
    )


def write(
    shape: str, out: Path, layers: int | None = None, vision_layers: int | None = None,
    device: str = "cuda",
) -> int:  # fmt: skip
    """Write the checkpoint; its number of parameters. Equal arguments give equal weights."""
    out.mkdir(parents=True, exist_ok=True)
    for file in MINI.iterdir():
        if file.suffix in (".json", ".txt", ".jinja") and file.name != "recipe.json":
            shutil.copy(file, out)
    (out / "config.json").write_text(
        json.dumps(configuration(shape, layers, vision_layers), indent=1)
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(out))
    finally:
        torch.set_default_dtype(torch.float32)
    model.generation_config = model.generation_config.from_pretrained(MINI)
    model.save_pretrained(out, max_shard_size="100GB")
    written = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(
        json.dumps(written | configuration(shape, layers, vision_layers), indent=1)
    )
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int)
    parser.add_argument("--vision-layers", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    started = time.monotonic()
    count = write(given.shape, given.folder, given.layers, given.vision_layers, given.device)
    facts = {"name": "random_checkpoint", "shape": given.shape, "parameters": count}
    print(json.dumps(facts | {"seconds": round(time.monotonic() - started, 1)}))


if __name__ == "__main__":
    main()
