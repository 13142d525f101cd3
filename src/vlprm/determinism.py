"""Every setting that keeps a stage's bytes the same, in one place.

Rules, the command line, tests and measurements take the environment from here
(``settle_environment``, ``shell_exports``); ``families.qwen25vl.model.settle_torch`` applies
``TORCH``. What each setting buys, and what stays different, is measured in
``bench/determinism.md``.

Imports nothing heavy: the Snakefile and every command's start do it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal

from vlprm.errors import UserError

SWITCH = "VLPRM_CPU"
"""Environment variable: ``portable`` caps instruction sets; ``native`` leaves them to each library,
or to what the environment says."""
CPU_MODE: Literal["portable", "native"] = "portable"
"""What holds when ``VLPRM_CPU`` is not set. The one switch for the expected bytes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable, whom it reaches, and why."""

    name: str
    value: str
    reaches: str
    why: str
    given_stands: bool = False
    """A value that is already in the environment is kept."""
    cap: bool = False
    """Left out in ``native`` mode."""


ENVIRONMENT: tuple[Setting, ...] = (
    Setting("PYTHONHASHSEED", "0", "every stage", "order of sets and of hash tables of text"),
    Setting("MPLBACKEND", "Agg", "figures", "no display decides how a figure is drawn"),
    Setting("TOKENIZERS_PARALLELISM", "false", "torch stages", "no threads inside forked workers"),
    Setting(
        "OMP_NUM_THREADS",
        "1",
        "every stage",
        "a sum split over threads depends on their number",
        given_stands=True,
    ),
    Setting("MKL_DYNAMIC", "FALSE", "torch on a CPU", "the thread count never adapts to the load"),
    Setting(
        "HF_HUB_OFFLINE",
        "1",
        "every stage but fetch",
        "a model never changes because a hub answered",
        given_stands=True,
    ),
    Setting("ATEN_CPU_CAPABILITY", "avx2", "torch on a CPU", "torch's own kernels", cap=True),
    Setting("ONEDNN_MAX_CPU_ISA", "AVX2", "torch on a CPU", "oneDNN's kernels", cap=True),
    Setting(
        "MKL_CBWR",
        "COMPATIBLE",
        "torch on a CPU",
        "the only branch of MKL's matrix products that Intel promises on every maker's processors",
        cap=True,
    ),
    Setting("OPENBLAS_CORETYPE", "Haswell", "numpy, scipy", "OpenBLAS's kernels", cap=True),
    Setting(
        "NPY_DISABLE_CPU_FEATURES",
        "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL",
        "numpy",
        "numpy's own loops; the names of numpy 2.4 and of those before it",
        cap=True,
    ),
    Setting(
        "CUBLAS_WORKSPACE_CONFIG",
        ":4096:8",
        "torch on a GPU",
        "cuBLAS sums in one order; torch asks for it with deterministic algorithms",
    ),
    Setting("FLASH_ATTENTION_DETERMINISTIC", "1", "train on a GPU", "backward without atomic adds"),
    Setting("NCCL_ALGO", "Ring", "train on several GPUs", "one order of the sum over GPUs"),
    Setting(
        "VLLM_ENABLE_V1_MULTIPROCESSING",
        "0",
        "rollout, estimate, search with vLLM",
        "the scheduler runs in step with the requests",
    ),
)


THREADS = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Snakemake sets these to a rule's ``threads``, which is what a scheduler books. Rules set
them back (``shell_exports``): how many threads share a sum is no matter of the machine."""


@dataclass(frozen=True, slots=True)
class TorchSettings:
    """What is set inside torch, after its import."""

    deterministic_algorithms: bool
    """Training only: an operation without a deterministic form is an error (a warning on a GPU)."""
    cudnn_benchmark: bool
    """False: cuDNN does not choose an algorithm by timing it."""


TORCH = TorchSettings(deterministic_algorithms=True, cudnn_benchmark=False)


def cpu_mode(environment: Mapping[str, str] = os.environ) -> str:
    """``portable`` or ``native``: the switch, or what holds without it.

    Raises UserError for anything else.
    """
    mode = environment.get(SWITCH) or CPU_MODE
    if mode not in ("portable", "native"):
        raise UserError(
            f"{mode!r} is no mode",
            where=f"environment variable {SWITCH}",
            cure="portable (the default: instruction sets capped) or native",
        )
    return mode


def in_force(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings as they are to be, by name.

    In ``native`` mode caps are absent.
    """
    native = cpu_mode(environment) == "native"
    found = {}
    for setting in ENVIRONMENT:
        if not (setting.cap and native):
            given = environment.get(setting.name) if setting.given_stands else None
            found[setting.name] = given or setting.value
    return found


def settle_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Put the settings into ``environment``: before numpy and torch are imported.

    ``PYTHONHASHSEED`` only reaches processes started afterwards; the rules export it too.
    """
    environment.update(in_force(environment))


def settle_one(name: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Put one of the settings into ``environment``, for a library that is about to be imported."""
    environment[name] = in_force(environment)[name]


def shell_exports(environment: Mapping[str, str] = os.environ) -> str:
    """``export NAME=value; ...`` for a rule's shell prefix.

    Settings whose given value stands are left out, the command line fills them in; but threads are
    those stated here, whatever the rule books (``THREADS``).
    """
    wanted = in_force(environment) | {SWITCH: cpu_mode(environment)}
    for setting in ENVIRONMENT:
        if setting.name == "OMP_NUM_THREADS":
            wanted |= dict.fromkeys(THREADS, setting.value)
        elif setting.given_stands:
            del wanted[setting.name]
    return "".join(f"export {name}={shlex.quote(value)}; " for name, value in wanted.items())
