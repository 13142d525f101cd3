"""The same bytes twice on a GPU? The mini experiment's rollouts, estimates, training and scores.

The jobs of ``gpu_mini`` up to the scores, run in a second folder by other processes with compile
caches of their own, and compared with those of ``gpu_mini``, artefact by artefact, by sha256; where
a table differs, how far its numbers are apart. (``gpu_shape`` asks the same at a real shape: two
draws, two scorings, two trainings.)

usage: python bench/gpu_repeat.py                          after gpu_mini
       python bench/gpu_repeat.py run PLAN.json FOLDER [JOBS] [STAGE,...]       (in the image)
       python bench/gpu_repeat.py compare FOLDER FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gpu_mini

import other_machine
from gpu_image import enter, facts, keep
from report import ROOT, print_line

FOLDER = ROOT / "build" / "gpu_repeat"
STAGES = (
    "prepare", "rollout", "estimate", "judge", "label", "examples", "train", "score",
)  # fmt: skip


CACHES = ("VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


def run(planned: Path, folder: Path, at_a_time: int, stages: Sequence[str]) -> int:
    """The jobs of some stages of a plan; number of those that failed.

    What they compile they compile anew: a cache would hide what compiling leaves to chance.
    """
    jobs = [
        job
        for job in json.loads(planned.read_text())
        if any(f"-m vlprm.cli {stage} " in job["command"] for stage in stages)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {name: str(folder.resolve() / "caches" / name) for name in CACHES}
    part = folder / "plan.json"
    part.write_text(json.dumps(jobs))
    return other_machine.run(part, folder.resolve(), at_a_time, gpu_mini.LANES)


def compare(first: Path, second: Path) -> dict[str, dict[str, object]]:
    """For each stage: artefacts, those that differ, the largest difference of a number."""
    from vlprm.io.run_manifest import collect

    left, right = (
        collect(next(folder.joinpath("results").iterdir())) for folder in (first, second)
    )
    found: dict[str, dict[str, object]] = {}
    for name, stage in right.stages.items():
        artefacts, differ, largest = 0, 0, 0.0
        for path, sha256 in stage.outputs.items():
            artefacts += 1
            if left.stages[name].outputs[path] != sha256:
                differ += 1
                pair = [folder / path for folder in (first, second)]
                if pair[0].suffix in (".parquet", ".safetensors"):
                    largest = max(largest, other_machine._largest(*pair))
        row = found.setdefault(stage.stage, {"artefacts": 0, "differ": 0, "largest": 0.0})
        row["artefacts"] = int(str(row["artefacts"])) + artefacts
        row["differ"] = int(str(row["differ"])) + differ
        row["largest"] = max(float(str(row["largest"])), largest)
    return found


def main() -> int:
    match sys.argv[1:]:
        case ["run", planned, folder, *more]:
            stages = more[1].split(",") if more[1:] else STAGES
            return run(Path(planned), Path(folder), int(more[0]) if more else 8, stages)
        case ["compare", first, second]:
            stages = compare(Path(first), Path(second))
            print(json.dumps(stages))
            keep("gpu_repeat", {"stages": stages} | facts())
            asked = [stages[name] for name in ("rollout", "score", "train") if name in stages]
            differ = sum(int(str(stage["differ"])) for stage in asked)
            return 0 if print_line("gpu_repeat_differ", differ, "artefacts", at_most=0) else 1
        case []:
            planned, first = gpu_mini.FOLDER / "plan.json", gpu_mini.FOLDER / "run"
            if not first.exists():
                print(f"{first} is missing: make bench NAME=gpu_mini goes first", file=sys.stderr)
                return 2
            again = [sys.executable, __file__, "run", str(planned), str(FOLDER)]
            subprocess.run(again, check=True)
            sys.argv[1:] = ["compare", str(first), str(FOLDER)]
            return main()
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        enter()
    sys.exit(main())
