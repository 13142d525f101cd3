"""Choose which kernels of flash-attn are compiled: ``flash_attn_kernels.py SOURCE CHOICE``.

CHOICE is ``all`` or ``DTYPE:WIDTH,WIDTH,...`` (``bf16:32,96,128``): a dtype, and head widths as
flash-attn rounds them up (the vision tower's 80 runs in 96). Every other file of kernels in
SOURCE/csrc/flash_attn/src is replaced by one that defines the same function and raises an error
naming what is missing. Compiling all 72 files for one architecture takes 6.3 hours of one core; the
models of this package use a quarter of them. Standard library only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FILE = re.compile(r"flash_(fwd|bwd|fwd_split)_hdim(\d+)_(fp16|bf16)(_causal)?_sm80\.cu")
TYPES = {"fp16": "cutlass::half_t", "bf16": "cutlass::bfloat16_t"}
FUNCTIONS = {
    "fwd": ("run_mha_fwd_", "Flash_fwd_params"),
    "fwd_split": ("run_mha_fwd_splitkv_dispatch", "Flash_fwd_params"),
    "bwd": ("run_mha_bwd_", "Flash_bwd_params"),
}


def chosen(choice: str) -> tuple[str, set[str]] | None:
    """Dtype and head widths; None for all. Exits with status 2 on anything else."""
    if choice == "all":
        return None
    match = re.fullmatch(r"(fp16|bf16):(\d+(?:,\d+)*)", choice)
    if match is None or not set(match[2].split(",")) <= {"32", "64", "96", "128", "192", "256"}:
        sys.stderr.write(f"flash_attn_kernels.py: {choice!r} -> all, or for example bf16:96,128\n")
        sys.exit(2)
    return match[1], set(match[2].split(","))


def left_out(kind: str, width: str, dtype: str, causal: bool) -> str:
    """A file that defines the function and raises."""
    function, parameters = FUNCTIONS[kind]
    flag = "true" if causal else "false"
    return f"""#include <c10/util/Exception.h>
#include <cutlass/numeric_types.h>
#include "namespace_config.h"
#include "flash.h"

namespace FLASH_NAMESPACE {{

template<>
void {function}<{TYPES[dtype]}, {width}, {flag}>({parameters} &, cudaStream_t) {{
    TORCH_CHECK(false, "flash-attn was compiled without {dtype} kernels of head width {width}"
                " -> compile it with FLASH_ATTN_KERNELS=all, or use attn_implementation sdpa");
}}

}} // namespace FLASH_NAMESPACE
"""


def main() -> None:
    folder, choice = Path(sys.argv[1], "csrc/flash_attn/src"), chosen(sys.argv[2])
    if choice is None:
        return
    dtype, widths = choice
    kept = 0
    for file in sorted(folder.iterdir()):
        match = FILE.fullmatch(file.name)
        if match is None:
            continue
        if match[3] == dtype and match[2] in widths:
            kept += 1
            continue
        text = left_out(match[1], match[2], match[3], match[4] is not None)
        if file.read_text(encoding="utf-8") != text:  # a build that goes on compiles nothing twice
            file.write_text(text, encoding="utf-8")
    print(f"flash-attn: {kept} of 72 files of kernels compiled ({sys.argv[2]})")


if __name__ == "__main__":
    main()
