"""GPU measurements run inside the ``gpu`` image: there already, or through Apptainer with ``--nv``.

A measurement calls :func:`enter` first. On a machine that has no Apptainer but an unpacked image, a
chroot into it is "there already".
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from report import ROOT, commit

DESCRIPTION = Path("/opt/vlprm-image.json")
RESULTS = ROOT / "bench" / "results"


def enter() -> None:
    """Start this script again inside the image, unless there. Exits 2 without image or GPU."""
    on_cpu = re.search(r"--device[ =]cpu\b", " ".join(sys.argv))
    if DESCRIPTION.exists() or on_cpu:
        return
    from vlprm.config.containers import load_containers

    image = load_containers(ROOT / "containers" / "images.yaml")["gpu"]
    file = image.file(Path(os.environ.get("CONTAINER_PREFIX", ROOT / ".snakemake" / "singularity")))
    for there, what in (
        (shutil.which("apptainer"), "apptainer is not on PATH"),
        (shutil.which("nvidia-smi"), "this machine shows no GPU driver (nvidia-smi)"),
        (file.exists(), f"{file} is absent: containers/build install gpu"),
    ):
        if not there:
            sys.stderr.write(f"error: {Path(sys.argv[0]).stem}: {what}\n")
            sys.exit(2)
    command = ["apptainer", "exec", "--nv", "--cleanenv", "--bind", f"{ROOT}:{ROOT}"]
    command += ["--env", f"PYTHONPATH={ROOT}/src", str(file), "python", *sys.argv]
    sys.exit(subprocess.run(command, check=False).returncode)


def facts() -> dict[str, object]:
    """The card and what the image holds: stated with every figure."""
    import torch

    found: dict[str, object] = {"commit": commit(), "torch": torch.__version__}
    if torch.cuda.is_available():
        found["cards"] = [
            torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
        ]
    if DESCRIPTION.exists():
        image = json.loads(DESCRIPTION.read_text())
        found |= {"image": image["role"], "flash_attn": image["flash_attn"]}
    return found


def _file(name: str) -> Path:
    """``bench/results/NAME.json``; ``VLPRM_BENCH_RESULTS`` names another folder."""
    return Path(os.environ.get("VLPRM_BENCH_RESULTS", RESULTS)) / f"{name}.json"


def kept(name: str) -> dict[str, Any]:
    """What a measurement has found so far."""
    file = _file(name)
    return dict(json.loads(file.read_text())) if file.exists() else {}


def keep(name: str, found: dict[str, object]) -> None:
    """Add figures to a measurement's file."""
    file = _file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept(name) | found, indent=1) + "\n")
