"""Before the first batch: can this job's cards hold its model? Numbers and cure where not."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from vlprm.config import memory
from vlprm.config.memory import GIB, Need
from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.family import Role

DRIVER = Path("/proc/driver/nvidia/version")
"""There where the machine has NVIDIA's driver loaded, inside a container too."""
_NO_LIBRARY = " (no libcuda.so.1)"
_IMAGE = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")


def check_ready(model: ModelConfig, model_dir: Path, placement: Placement, role: Role) -> None:
    """Is this the checkpoint of its family, and do the cards of its placement hold it in its role?

    vLLM takes its whole share at its start (0.10.1.1, v1/worker/gpu_worker.py: init_device), so
    all of it must be free; the other engines need what their shapes say. Raises UserError for a
    checkpoint of another family, when torch sees no card or too few, when the model cannot be
    split, does not fit its share, or when others hold the memory.
    """
    FAMILIES[model.family].check_checkpoint(model_dir)
    if not placement.devices:
        return
    check_cards(max(placement.devices) + 1)
    need = _need(model, model_dir, len(placement.devices), role)
    import torch

    for number in placement.devices:
        free, total = torch.cuda.mem_get_info(number)
        card = f"{torch.cuda.get_device_name(number)} (cuda:{number}, {total / GIB:.1f} GiB)"
        share = placement.memory * total
        if need > share:
            raise UserError(
                f"needs {need / GIB:.1f} GiB of each card, its share of {card} is"
                f" {share / GIB:.1f} GiB ({placement.memory:g})",
                where=str(model_dir),
                cure="`vlprm doctor` says what fits: a smaller models.*.batch_tokens, more gpus,"
                " or no card shared with another model",
            )
        whole = role == "policy" and model.engines.policy == "vllm"
        wanted = share if whole else need
        if free < wanted:
            raise UserError(
                f"needs {wanted / GIB:.1f} GiB of {card}, of which {free / GIB:.1f} GiB are free",
                where=str(model_dir),
                cure="another process holds the rest (nvidia-smi names it): end it, wait for it,"
                " or run where jobs have their cards to themselves",
            )


def check_cards(wanted: int) -> None:
    """Raise UserError unless torch sees so many cards; says what is missing of the way to them."""
    import torch

    where = "models.*.gpus"
    if torch.version.cuda is None:
        raise UserError(
            f"GPUs are asked for, and this environment's torch ({torch.__version__}) is built for"
            " the CPU",
            where=where,
            cure="run the stage in its image (--sdm apptainer), or set gpus: 0",
        )
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if there >= wanted:
        return
    if there:
        raise UserError(
            f"{wanted} GPUs are asked for, this job sees {there}",
            where=where,
            cure="book as many (a profile's `resources: [gpu=N]` bounds them), or set gpus"
            f" to {there}",
        )
    what, cure = _why_none()
    raise UserError(f"GPUs are asked for, and {what}", where=where, cure=cure)


def _why_none() -> tuple[str, str]:
    """What is missing where torch sees no card, and its cure."""
    inside = any(name in os.environ for name in _IMAGE)
    if not _libcuda():
        if not DRIVER.is_file():
            return "this node has no NVIDIA driver", "run on a GPU node, or set gpus: 0"
        if inside:
            return (
                "the container does not see the driver's libraries that the node has" + _NO_LIBRARY,
                'start it with --nv: `apptainer-args: "--nv"` in the profile',
            )
        return (
            f"the driver is loaded, but its libraries are not found{_NO_LIBRARY}",
            "add their folder to LD_LIBRARY_PATH, or reinstall the driver's libraries",
        )
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        shown = os.environ["CUDA_VISIBLE_DEVICES"]
        return (
            f"the job was given none that works (CUDA_VISIBLE_DEVICES={shown!r})",
            "ask the scheduler for a card (resource gpu of the rule), or unset the variable",
        )
    import torch

    try:
        torch.cuda.init()
    except RuntimeError as error:
        said = " ".join(str(error).split())
        return (
            f"the driver gives none: {said}",
            "reload the driver, take a newer one, or choose another node",
        )
    return "the driver shows none", "run on a GPU node, or set gpus: 0"


def _libcuda() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _need(model: ModelConfig, model_dir: Path, cards: int, role: Role) -> int:
    """Bytes on each card; of the weights' files alone for a model whose shapes are not known.

    Raises UserError for a model that its engine cannot split so.
    """
    shapes = FAMILIES[model.family].read_shapes(model_dir)
    if shapes is None:
        return sum(file.stat().st_size for file in model_dir.glob("*.safetensors")) // cards
    engine = str(getattr(model.engines, role))
    why = shapes.splits(cards, engine) if cards > 1 else None
    if why:
        raise UserError(
            f"{cards} cards, and {why}", where=str(model_dir), cure="another number of gpus"
        )
    need: Need
    if engine == "vllm":
        need = memory.vllm_policy(shapes, model.dtype, 1, cards)
    elif role == "policy":
        need = memory.transformers_policy(shapes, model.dtype, model.batch_tokens)
    else:
        need = memory.scorer(shapes, model.dtype, model.batch_tokens, cards)
    return need.total
