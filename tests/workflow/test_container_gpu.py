"""The self-test's GPU part without a card: what is refused, and what a figure catches."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workflow.runs import ROOT
from tests.workflow.test_container_tools import card, gpu, selftest

H100 = card.Card("NVIDIA H100 80GB HBM3", (9, 0), 79.1)
A100 = card.Card("NVIDIA A100-SXM4-40GB", (8, 0), 39.4)
BUILT = {"architectures": ["90"], "kernels": "bf16:32,96,128"}
# libcuda as a driver of CUDA 12.8 with two cards would answer, and with none
LIBCUDA = """
#include <stddef.h>
#include <string.h>
int cuInit(unsigned flags) { return COUNT ? 0 : 100; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int place) { *device = place; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
  strcpy(name, device ? "second" : "first"); return 0;
}
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = (size_t)80 << 30; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 + device : 0; return 0;
}
"""


@pytest.mark.parametrize(
    ("architecture", "capability", "runs"),
    [
        ("90", (9, 0), True), ("80", (8, 0), True), ("80", (8, 6), True), ("86", (8, 0), False),
        ("80", (9, 0), False), ("90", (8, 0), False), ("90", (10, 0), False),
        ("100", (10, 0), True),
    ],
)  # fmt: skip
def test_which_cards_run_what_was_compiled(
    architecture: str, capability: tuple[int, int], runs: bool
) -> None:
    assert card.runs_on(architecture, capability) == runs


def test_a_card_that_flash_attn_was_not_compiled_for_is_named_with_both_numbers() -> None:
    assert card.unfit(BUILT, (12, 6), [H100]) == []
    assert card.unfit(None, (12, 6), [A100]) == []
    (line,) = card.unfit(BUILT, (12, 6), [H100, A100])
    assert "card 1 (NVIDIA A100-SXM4-40GB) has compute capability 8.0" in line
    assert "compiled for 9.0 -> FLASH_ATTN_CUDA_ARCHS='90;80'" in line


def test_an_old_driver_is_refused() -> None:
    (line,) = card.unfit(BUILT, (11, 8), [H100])
    assert "supports CUDA 11.8, this image needs 12 -> driver 525" in line


def test_without_the_drivers_library_the_cure_is_said_before_anything_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(card, "LIBCUDA", "libcuda-is-not-here.so.1")
    monkeypatch.setattr(selftest, "imported", lambda _: pytest.fail("imported without a card"))
    (tmp_path / "image.json").write_text('{"role": "gpu", "flash_attn": null}')
    monkeypatch.setattr(selftest, "DESCRIPTION", tmp_path / "image.json")
    monkeypatch.setattr(sys, "argv", ["selftest.py", "--gpu", "--without-vllm"])
    assert selftest.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the driver's library is not found" in line
    assert "apptainer exec --nv" in line
    assert "LD_LIBRARY_PATH" in line


@pytest.mark.parametrize(
    "given",
    [["--gpu"], ["--gpu", "--without-vllm", "--checkpoint", str(ROOT / "models/mini/small")]],
)
def test_a_checkpoint_is_given_or_declined(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["selftest.py", *given])
    with pytest.raises(SystemExit) as left:
        selftest.arguments()
    assert left.value.code == 2


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is installed")
@pytest.mark.parametrize("count", [0, 2])
def test_cards_are_asked_of_the_driver(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, library = tmp_path / "libcuda.c", tmp_path / "libcuda.so.1"
    source.write_text(LIBCUDA)
    command = ["cc", "-shared", "-fPIC", f"-DCOUNT={count}", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    monkeypatch.setattr(card, "LIBCUDA", str(library))
    if count == 0:
        with pytest.raises(card.UnfitError, match="driver error 100: no card is visible"):
            card.visible_cards()
        return
    release, cards = card.visible_cards()
    assert release == (12, 8)
    assert cards == [card.Card("first", (8, 0), 80.0), card.Card("second", (9, 0), 80.0)]


def packed(scale: float = 1.0, masked: bool | None = None) -> Any:
    """Attention over packed sequences in bfloat16; wrong with another scale or mask."""

    def call(query: Any, key: Any, value: Any, bounds: Any, longest: int, causal: bool) -> Any:
        rows = [slice(*pair) for pair in pairwise(bounds.tolist())]
        mask = causal if masked is None else masked
        return torch.cat([gpu.attention(query[r] * scale, key[r], value[r], mask) for r in rows])

    return call


@pytest.mark.parametrize("tower", gpu.SHAPES)
def test_bfloat16_attention_is_within_the_tolerance_and_a_wrong_one_is_not(tower: str) -> None:
    shape = gpu.SHAPES[tower]
    assert max(gpu.attention_errors(packed(), shape, "cpu").values()) < gpu.ATTENTION_TOLERANCE
    for wrong in (packed(scale=1.1), packed(masked=not shape[3])):
        worst = max(gpu.attention_errors(wrong, shape, "cpu").values())
        assert worst > 2 * gpu.ATTENTION_TOLERANCE


def test_a_part_that_ends_its_process_is_told_by_the_line_that_says_why() -> None:
    output = (
        "INFO start\nmasked.cu:12: Assertion `totalElements <= srcSize` failed.\nCUDA error: x\n"
    )
    assert gpu.cause(output).startswith("masked.cu:12: Assertion")
    assert gpu.cause("Traceback\n  line\nselftest_card.UnfitError: too wide\nbye\n").endswith(
        "too wide"
    )
    assert gpu.cause("") == "it said nothing"


def test_the_stand_in_for_nvcc_answers_deepspeed_and_compiles_nothing(tmp_path: Path) -> None:
    nvcc = tmp_path / "nvcc"
    text = (ROOT / "containers" / "nvcc.sh").read_text(encoding="utf-8")
    nvcc.write_text(text.replace("@RELEASE@", "12.6"))
    nvcc.chmod(0o755)
    # as deepspeed 0.16.4, op_builder/builder.py:53-58 reads it
    words = subprocess.check_output([nvcc, "-V"], text=True).split()
    assert words[words.index("release") + 1].replace(",", "").split(".")[:2] == ["12", "6"]
    done = subprocess.run([nvcc, "-c", "kernel.cu"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds no CUDA compiler" in done.stderr
