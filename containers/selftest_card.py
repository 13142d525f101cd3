"""The visible cards, asked of the driver's own library, before anything heavy is imported.

What the gpu image cannot work with is refused here, with both numbers and a cure: no driver's
library, no card, too old a driver, a card that flash-attn was not compiled for.
Standard library only.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

LIBCUDA = "libcuda.so.1"
DRIVER_ERRORS = {
    100: "no card is visible",
    803: "the driver's kernel module and its libcuda are of different versions",
    999: "unknown error; the device files may be missing",
}


class UnfitError(Exception):
    """Why this machine cannot run the GPU part, and the cure: one line."""


class Card(NamedTuple):
    """A visible card; ``capability`` is its compute capability, major and minor."""

    name: str
    capability: tuple[int, int]
    gib: float


def visible_cards() -> tuple[tuple[int, int], list[Card]]:
    """CUDA release that the driver supports, and the visible cards. Raises UnfitError."""
    try:
        cuda = ctypes.CDLL(LIBCUDA)
    except OSError as error:
        raise UnfitError(
            f"the driver's library is not found here ({error}) -> start with `apptainer exec --nv`"
            " or `docker run --gpus all`; in a chroot bind the driver's folder and name it in"
            " LD_LIBRARY_PATH"
        ) from error
    status = cuda.cuInit(0)
    number, count = ctypes.c_int(), ctypes.c_int()
    if status == 0:
        cuda.cuDriverGetVersion(ctypes.byref(number))
        status = cuda.cuDeviceGetCount(ctypes.byref(count))
    if status or count.value == 0:
        said = DRIVER_ERRORS.get(status or 100, "see cuInit in CUDA's driver API")
        shown = os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
        raise UnfitError(
            f"no card can be used (driver error {status or 100}: {said}; CUDA_VISIBLE_DEVICES is"
            f" {shown}) -> ask the scheduler for a GPU, and check nvidia-smi on the host"
        )
    release = (number.value // 1000, number.value % 1000 // 10)
    return release, [_card(cuda, place) for place in range(count.value)]


def _card(cuda: ctypes.CDLL, place: int) -> Card:
    device, value = ctypes.c_int(), ctypes.c_int()
    size, name = ctypes.c_size_t(), ctypes.create_string_buffer(100)
    cuda.cuDeviceGet(ctypes.byref(device), place)
    cuda.cuDeviceGetName(name, 100, device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    capability = []
    for attribute in (75, 76):  # compute capability, major and minor
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(value.value)
    return Card(name.value.decode(), (capability[0], capability[1]), size.value / 2**30)


def runs_on(architecture: str, capability: tuple[int, int]) -> bool:
    """Whether code compiled for ``80`` or ``90`` runs on a card: same major, minor not below."""
    major, minor = int(architecture[:-1]), int(architecture[-1])
    return major == capability[0] and minor <= capability[1]


def unfit(
    flash_attn: dict[str, Any] | None, release: tuple[int, int], cards: Sequence[Card]
) -> list[str]:
    """One line for each thing about driver and cards that the image cannot work with."""
    problems = []
    if release[0] < 12:
        problems.append(
            f"the driver supports CUDA {release[0]}.{release[1]}, this image needs 12"
            " -> driver 525 or later"
        )
    built = list(flash_attn["architectures"]) if flash_attn else []
    for place, card in enumerate(cards):
        if built and not any(runs_on(arch, card.capability) for arch in built):
            major, minor = card.capability
            problems.append(
                f"card {place} ({card.name}) has compute capability {major}.{minor}, flash-attn in"
                f" this image was compiled for {', '.join(f'{a[:-1]}.{a[-1]}' for a in built)}"
                f" -> FLASH_ATTN_CUDA_ARCHS='{';'.join([*built, f'{major}{minor}'])}'"
                " containers/build flash-attn, and build the image again"
            )
    return problems


def problems(flash_attn: dict[str, Any] | None) -> list[str]:
    """Print the visible cards; one line for each thing that the image cannot work with."""
    try:
        release, cards = visible_cards()
    except UnfitError as error:
        return [str(error)]
    for place, card in enumerate(cards):
        major, minor = card.capability
        print(f"card {place}: {card.name}, {card.gib:.0f} GiB, compute capability {major}.{minor}")
    print(f"driver: CUDA {release[0]}.{release[1]}")
    return unfit(flash_attn, release, cards)
