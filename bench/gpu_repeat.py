"""The same bytes twice on a GPU? ``rollout``, ``score`` and 20 training steps, at a real shape.

The configuration of ``gpu_config.py shape``, run in two folders by separate processes, artefact by
artefact compared by sha256; where a table differs, how far its numbers are apart.

usage: python bench/gpu_repeat.py [CHECKPOINT]   a folder (default: a random 3B, made first)
       python bench/gpu_repeat.py plan PLAN.json CHECKPOINT             (needs Snakemake)
       python bench/gpu_repeat.py run PLAN.json FOLDER [JOBS]           (in the image)
       python bench/gpu_repeat.py compare FOLDER FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from gpu_config import shape, write
from gpu_image import enter, facts, keep
from report import ROOT, print_line

FOLDER = ROOT / "build" / "gpu_repeat"


def plan(out: Path, checkpoint: Path) -> None:
    """Every job's command of the configuration."""
    import other_machine

    config = out.parent / "shape.yaml"
    write(shape(checkpoint), config)
    other_machine.plan(config, out)


def compare(first: Path, second: Path) -> dict[str, dict[str, object]]:
    """For each stage: artefacts, those that differ, the largest difference of a number."""
    from vlprm.io.run_manifest import collect

    import other_machine

    left, right = (
        collect(next(folder.joinpath("results").iterdir())) for folder in (first, second)
    )
    found: dict[str, dict[str, object]] = {}
    for name, stage in left.stages.items():
        row = found.setdefault(stage.stage, {"artefacts": 0, "differ": 0, "largest": 0.0})
        for path, sha256 in stage.outputs.items():
            row["artefacts"] = int(str(row["artefacts"])) + 1
            if right.stages[name].outputs[path] != sha256:
                row["differ"] = int(str(row["differ"])) + 1
                pair = [folder / path for folder in (first, second)]
                if pair[0].suffix in (".parquet", ".safetensors"):
                    far = other_machine._largest(*pair)
                    row["largest"] = max(float(str(row["largest"])), far)
    return found


def main() -> int:
    match sys.argv[1:]:
        case ["plan", out, checkpoint]:
            plan(Path(out), Path(checkpoint))
        case ["run", planned, folder, *jobs]:
            import other_machine

            at_a_time = int(jobs[0]) if jobs else 2
            return other_machine.run(Path(planned), Path(folder).resolve(), at_a_time)
        case ["compare", first, second]:
            stages = compare(Path(first), Path(second))
            print(json.dumps(stages))
            keep("gpu_repeat", {"stages": stages} | facts())
            asked = [stages[name] for name in ("rollout", "score", "train")]
            differ = sum(int(str(row["differ"])) for row in asked)
            return 0 if print_line("gpu_repeat_differ", differ, "artefacts", at_most=0) else 1
        case [] | [_]:
            checkpoint = Path(sys.argv[1]) if sys.argv[1:] else FOLDER / "3b"
            me = [sys.executable, __file__]
            planned = FOLDER / "plan.json"
            FOLDER.mkdir(parents=True, exist_ok=True)
            if not checkpoint.exists():
                make = [sys.executable, str(ROOT / "bench/random_checkpoint.py"), "3b"]
                subprocess.run([*make, str(checkpoint)], check=True)
            plan(planned, checkpoint.resolve())
            for name in ("first", "second"):
                subprocess.run([*me, "run", str(planned), str(FOLDER / name)], check=True)
            sys.argv[1:] = ["compare", str(FOLDER / "first"), str(FOLDER / "second")]
            return main()
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        enter()
    sys.exit(main())
