"""Self-test of an image, run inside it: prints versions, refuses what differs from its description.

``python /opt/selftest.py [--lock NAME=SHA256 ...] [--without-flash-attn]
[--gpu (--checkpoint FOLDER | --without-vllm)]``. Compared are: every Python package and every
Debian package with /opt/vlprm-image.json, which was written from the locks; the locks' sha256 with
those given, where a checkout gives them. The role's libraries are imported. ``--gpu`` asks for a
card first (selftest_card.py) and ends with what only a card can show (selftest_gpu.py). Exit status
2 and one line a difference when anything differs. Standard library only.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import selftest_card
import selftest_gpu

DESCRIPTION = Path("/opt/vlprm-image.json")
IMPORTS = {
    "cpu": ["torch", "transformers", "polars", "pyarrow", "snakemake"],
    "gpu": ["torch", "transformers", "polars", "pyarrow", "accelerate", "deepspeed", "vllm"],
}


def installed() -> dict[str, str]:
    """Normalised project name to version, of everything this Python can import."""
    found = {}
    for distribution in importlib.metadata.distributions():
        found[re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()] = distribution.version
    return found


def debian_packages() -> dict[str, str]:
    """Name to version of the installed Debian packages."""
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {name: version for status, name, version in rows if status.startswith("ii")}


def differences(kind: str, wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """One line for every wanted package that is missing or has another version."""
    return [
        f"{kind} {name}: {found.get(name, 'missing')}, locked is {version}"
        for name, version in sorted(wanted.items())
        if found.get(name) != version
    ]


def imported(names: list[str]) -> list[str]:
    """Import each library, print its version; one line for every one that does not import."""
    failed = []
    for name in names:
        try:
            version = getattr(importlib.import_module(name), "__version__", "imported")
            print(f"{name:16} {version}")
        except Exception as error:  # a broken library may raise anything
            failed.append(f"import {name}: {type(error).__name__}: {error}")
    return failed


def flash_attention(image: dict[str, object], without: bool) -> tuple[list[str], list[str]]:
    """Libraries to import for flash-attn, and what is wrong with how it was left out."""
    if image["role"] == "cpu":
        return [], []
    built = image["flash_attn"]
    if isinstance(built, dict):
        print(f"flash-attn compiled for {' '.join(built['architectures'])}: {built['kernels']}")
        return ["flash_attn", "flash_attn_2_cuda"], []
    said = "flash-attn: LEFT OUT of this image; models load with sdpa attention only"
    if without:
        print(f"WARNING {said}")
        return [], []
    return [], [f"{said} -> build it in, or pass --without-flash-attn"]


def nvcc_release() -> list[str]:
    """DeepSpeed, imported beside a GPU, asks nvcc for its release: ask as it does."""
    import torch
    from deepspeed.ops.op_builder.builder import installed_cuda_version

    try:
        found = ".".join(map(str, installed_cuda_version()))
    except Exception as error:  # MissingCUDAException, or what the program at CUDA_HOME did
        return [f"nvcc for DeepSpeed: {type(error).__name__}: {error}"]
    if found != torch.version.cuda:
        return [f"nvcc for DeepSpeed: CUDA_HOME's says {found}, torch has {torch.version.cuda}"]
    return []


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lock", action="append", default=[], metavar="NAME=SHA256")
    parser.add_argument("--without-flash-attn", action="store_true")
    parser.add_argument("--gpu", action="store_true", help="and what a visible card must show")
    parser.add_argument(
        "--checkpoint", type=Path, help="a Qwen2.5-VL checkpoint for vLLM: models/mini/small"
    )
    parser.add_argument("--without-vllm", action="store_true", help="no checkpoint is at hand")
    given = parser.parse_args()
    if given.gpu and (given.checkpoint is None) != given.without_vllm:
        parser.error("--gpu takes either --checkpoint FOLDER or --without-vllm")
    if given.checkpoint and not (given.checkpoint / "config.json").is_file():
        parser.error(f"{given.checkpoint} holds no config.json -> a checkpoint's folder")
    return given


def refused(problems: list[str]) -> int:
    """One line a problem on standard error; the exit status."""
    sys.stderr.write("".join(f"self-test: {problem}\n" for problem in problems))
    return 2


def main() -> int:
    """Compare, with a home folder of its own: DeepSpeed, imported beside a card, writes there."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "HF_HUB_OFFLINE": "1"}
        return compare(arguments())


def compare(given: argparse.Namespace) -> int:
    """Print what is here; one line on standard error for each difference. The exit status."""
    image = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    if given.gpu:
        unfit = selftest_card.problems(image["flash_attn"])
        if unfit:
            return refused(unfit)
    wanted, found = dict(image["packages"]), installed()
    print(f"role {image['role']}, Debian {image['debian']}, Python {platform.python_version()}")
    libraries, problems = flash_attention(image, given.without_flash_attn)
    if not libraries:
        wanted.pop("flash-attn", None)
    if platform.python_version() != image["python"]:
        problems.append(f"Python {platform.python_version()}, described is {image['python']}")
    problems += differences("python package", wanted, found)
    problems += [f"python package {name}: in no lock" for name in sorted(set(found) - set(wanted))]
    problems += differences("debian package", image["debian_packages"], debian_packages())
    for name, sha256 in (pair.split("=", 1) for pair in given.lock):
        if image["locks"].get(name) != sha256:
            problems.append(f"{name}: the image was made from another version of it")
    problems += imported([*IMPORTS[image["role"]], *libraries])
    if image["role"] == "gpu":
        problems += nvcc_release()
    if given.gpu and not problems:
        problems += selftest_gpu.run(image["flash_attn"], given.checkpoint)
    if problems:
        return refused(problems)
    print(f"self-test: {len(wanted)} Python and {len(image['debian_packages'])} Debian packages ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
