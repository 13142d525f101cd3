"""The machine a stage runs on, read without importing torch: processor, caps, threads, GPU."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from vlprm.determinism import cpu_mode, in_force
from vlprm.provenance import Platform

_WIDEST = {"avx512f": "avx512", "avx2": "avx2"}
PROC = Path("/proc")


def platform_of(gpus: int) -> Platform:
    """The platform of a stage that was given so many GPUs."""
    facts = _cpuinfo()
    gpu, driver = _gpu() if gpus else (None, None)
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = None
    return Platform(
        machine=platform.machine(),
        processor=facts.get("model name", "unknown"),
        cpu="portable" if cpu_mode() == "portable" else _family(facts),
        threads=int(in_force()["OMP_NUM_THREADS"]),
        torch=torch,
        gpu=gpu,
        driver=driver,
    )


def container_of_this_process(environment: Mapping[str, str] = os.environ) -> str | None:
    """Name of the container image (its file's name, not where it lies); None outside one."""
    image = environment.get("APPTAINER_CONTAINER") or environment.get("VLPRM_CONTAINER")
    return Path(image).name if image else None


def _cpuinfo() -> dict[str, str]:
    """Fields of the first processor; empty where the system has no such file."""
    info = PROC / "cpuinfo"
    if not info.is_file():
        return {}
    first = info.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _family(facts: Mapping[str, str]) -> str:
    flags = set(facts.get("flags", "").split())
    widest = next((name for flag, name in _WIDEST.items() if flag in flags), "baseline")
    return f"{facts.get('vendor_id', 'unknown')}-{facts.get('cpu family', '0')}-{widest}"


def _gpu() -> tuple[str | None, str | None]:
    """Model of the first GPU and major version of the NVIDIA driver, where there is one."""
    cards = sorted((PROC / "driver/nvidia/gpus").glob("*/information"))
    driver = PROC / "driver/nvidia/version"
    model = re.search(r"(?m)^Model:\s*(.+?)\s*$", cards[0].read_text()) if cards else None
    version = re.search(r"\b(\d+)\.\d+", driver.read_text()) if driver.is_file() else None
    return (model[1] if model else None), (version[1] if version else None)
