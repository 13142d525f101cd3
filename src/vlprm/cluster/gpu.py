"""Are the GPUs of a job healthy? Checked before the job's own command starts."""

from __future__ import annotations

import os
import re
import subprocess

from vlprm.cluster.command import ask

LIMIT = 60
FIELDS = "index,uuid,name,ecc.errors.uncorrected.volatile.total"


def sick(asked: int) -> str | None:
    """What is wrong with the assigned GPUs, in one line; None when they are healthy.

    ``VLPRM_GPU_CHECK`` replaces the check by the site's shell command: exit status 0 is healthy.
    ``VLPRM_GPU_CHECK_SECONDS`` limits both; a check that hangs means a sick GPU.
    """
    command = os.environ.get("VLPRM_GPU_CHECK")
    limit = float(os.environ.get("VLPRM_GPU_CHECK_SECONDS") or LIMIT)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    argv = ["/bin/sh", "-c", command] if command else _nvidia_smi(visible)
    try:
        done = ask(argv, limit)
    except FileNotFoundError:
        return "no nvidia-smi: this node has no NVIDIA driver"
    except subprocess.TimeoutExpired:
        return f"the GPU check did not answer in {limit:g} s"
    said = " ".join((done.stderr.strip() or done.stdout.strip()).split())[:200]
    if done.returncode:
        return f"the GPU check failed with exit status {done.returncode}: {said or 'no message'}"
    return None if command else _verdict(done.stdout, asked)


def _nvidia_smi(visible: str) -> list[str]:
    argv = ["nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"]
    return [*argv, "-i", visible] if re.search(r"\d", visible) else argv


def _verdict(table: str, asked: int) -> str | None:
    rows = [line for line in table.splitlines() if line.strip()]
    if len(rows) < asked:
        return f"{asked} GPUs asked, {len(rows)} found"
    for row in rows:
        cells = [cell.strip() for cell in row.split(",")]
        if re.search(r"unknown error|ERR!|GPU is lost", row, re.IGNORECASE):
            return f"a GPU answers with an error: {row.strip()}"
        if cells[-1].isdigit() and int(cells[-1]) > 0:
            return f"GPU {cells[0]} has {cells[-1]} uncorrected memory errors"
    return None
