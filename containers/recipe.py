"""What an image is made of, for the scripts beside: roles, locks, pins; how a step is run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent
LOCKS = {"cpu": ["cpu", "torch-cpu"], "gpu": ["gpu"]}
ASKED = {
    "cpu": ["python3", "python3-venv", "libstdc++6"],
    # triton and torch.compile call the C and C++ compilers when a model first runs; the verbs
    # libraries are for NCCL between nodes
    "gpu": [
        *("python3", "python3-venv", "python3-dev", "gcc", "g++", "libc6-dev"),
        *("libibverbs1", "ibverbs-providers"),
    ],
    # the stage that compiles flash-attn
    "build": ["python3", "python3-venv", "python3-dev", "gcc", "g++", "libc6-dev"],
}
MOVED_ON = 3


class BuildError(Exception):
    """What is wrong, and the cure: one line on standard error, exit status ``status``."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def pins() -> dict[str, str]:
    """The plain assignments of pins.env."""
    text = (HERE / "pins.env").read_text(encoding="utf-8")
    return {k: v.strip("'\"") for k, v in re.findall(r"^(\w+)=([^\s$]+)$", text, re.M)}


PINS = pins()
EPOCH = int(PINS["SOURCE_DATE_EPOCH"])


def run(*command: str | Path, shown: str = "", **options: object) -> None:
    """Run a command; its failure is a BuildError that names it. Its own output stands above."""
    done = subprocess.run([str(part) for part in command], check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        name = shown or " ".join(map(str, command[:3]))
        raise BuildError(f"{name} failed with exit status {done.returncode}, see above")
