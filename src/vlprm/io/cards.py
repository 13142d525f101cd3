"""Memory in use on the cards of a job, asked of the driver's own library (NVML) without CUDA.

torch counts only its own allocations, but vLLM's workers, NCCL and CUDA contexts are on the card
too. NVML sees them all, costs microseconds per call, and takes no context. It is called through
ctypes: ``nvidia-smi`` would be a process every half second, and no package of the images declares
pynvml.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping


class _Memory(ctypes.Structure):
    """``nvmlMemory_t``: bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Cards:
    """The cards that a job sees (``CUDA_VISIBLE_DEVICES``), or all of the machine."""

    def __init__(self, nvml: ctypes.CDLL, handles: list[ctypes.c_void_p]) -> None:
        self._nvml, self._handles = nvml, handles

    @classmethod
    def visible(cls, environment: Mapping[str, str] = os.environ) -> Cards | None:
        """None without a driver or a card."""
        try:
            nvml = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        if nvml.nvmlInit_v2() != 0:
            return None
        count = ctypes.c_uint()
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        named = environment.get("CUDA_VISIBLE_DEVICES")
        names = named.split(",") if named is not None else list(map(str, range(count.value)))
        handles = []
        for name in names:
            handle = ctypes.c_void_p()
            if name.strip().isdigit():
                asked = nvml.nvmlDeviceGetHandleByIndex_v2
                failed = asked(ctypes.c_uint(int(name)), ctypes.byref(handle))
            else:
                asked = nvml.nvmlDeviceGetHandleByUUID
                failed = asked(ctypes.c_char_p(name.strip().encode()), ctypes.byref(handle))
            if not failed:
                handles.append(handle)
        return cls(nvml, handles) if handles else None

    def used(self) -> int:
        """Bytes in use on the fullest of them."""
        most = 0
        for handle in self._handles:
            memory = _Memory()
            if self._nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0:
                most = max(most, int(memory.used))
        return most
