"""The same run on another machine: carried there as a list of commands, compared by sha256.

For a machine without network or Snakemake: the jobs of a configuration are written down here as a
plan (Snakemake's own commands), run there in the order of their files, and the run's manifest comes
back. What another processor changes is told from what another torch changes by running the plan
here with that torch too.

usage: python bench/other_machine.py                 the nano run with and without caps, compared
       python bench/other_machine.py plan CONFIGFILE PLAN.json
       python bench/other_machine.py run PLAN.json FOLDER [JOBS]    (VLPRM_CPU=native: without caps)
                              jobs that book GPUs get cards of their own; a failed job is told, and
                              what does not need it goes on
       python bench/other_machine.py diff RESULTS OTHER_RESULTS      largest numeric difference
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from vlprm.determinism import SWITCH, cpu_mode, settle_environment  # noqa: E402
from vlprm.io.run_manifest import NAME, collect, save  # noqa: E402
from vlprm.provenance import RunManifest  # noqa: E402


def plan(configfile: Path, out: Path) -> None:
    """Write every job's inputs, outputs and command, read off Snakemake's dry run."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--configfile", str(configfile), "--forceall",
         "--dry-run", "--printshellcmds", "--nocolor", "--cores", "1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    jobs = []
    for block in re.split(r"\n(?=(?:local)?rule \w+:\n)", done.stdout + done.stderr):
        command = re.search(r"(?m)^Shell command: (python -m vlprm\..*)$", block)
        if command:
            files = dict(re.findall(r"(?m)^    (input|output): (.*)$", block))
            cards = re.search(r"(?m)^    resources: .*\bgpu=(\d+)", block)
            jobs.append(
                {key: files.get(key, "").split(", ") if files.get(key) else [] for key in
                 ("input", "output")}
                | {"command": command[1], "gpus": int(cards[1]) if cards else 0}
            )  # fmt: skip
    out.write_text(json.dumps(jobs, indent=1) + "\n")
    print(json.dumps({"name": "plan", "jobs": len(jobs)}))


def run(planned: Path, folder: Path, at_a_time: int, lanes: int = 1) -> int:
    """Run a plan in ``folder``; print digests and the machine's facts; number of failed jobs."""
    jobs = json.loads(planned.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("models", "configs"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    settle_environment()
    started = time.monotonic()
    seconds, failed = _run_all(jobs, folder, at_a_time, _cards(jobs, lanes))
    results = next(path for path in (folder / "results").iterdir() if path.is_dir())
    manifest = collect(results)
    save(manifest, results / NAME)
    for stage, digest in stage_digests(manifest).items():
        print(f"{stage:14} {digest[:16]} {seconds.get(stage.replace('_', '-'), 0.0):8.1f} s")
    print(json.dumps({"name": "other_machine", "seconds": round(time.monotonic() - started, 1),
                      "failed": failed, "jobs": len(jobs), "cpu_mode": cpu_mode(), **facts(),
                      "platform": manifest.platform,
                      "stages": stage_digests(manifest)}))  # fmt: skip
    return len(failed)


def _cards(jobs: list[dict[str, Any]], lanes: int) -> list[str]:
    """The GPUs that jobs may take, by number, each for so many jobs; none where no job books one.

    A job of several cards needs lanes of different ones, so it runs with one lane only.
    """
    if not any(job["gpus"] for job in jobs):
        return []
    import torch

    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = shown.split(",") if shown else map(str, range(torch.cuda.device_count()))
    return [*names] * lanes


def _run_all(
    jobs: list[dict[str, Any]], folder: Path, at_a_time: int, cards: list[str]
) -> tuple[dict[str, float], list[str]]:
    """Seconds of each stage, and the stages of the jobs that failed."""
    made = {path for job in jobs for path in job["output"]}
    # writes are atomic: an output that exists is whole, so a stopped run goes on where it was
    waiting = {
        index: {path for path in set(job["input"]) & made if not (folder / path).exists()}
        for index, job in enumerate(jobs)
        if not all((folder / path).exists() for path in job["output"])
    }
    seconds, failed = dict[str, float](), list[str]()
    again = set(range(len(jobs)))  # a job may fail once: two that start on one card can collide
    with ThreadPoolExecutor(at_a_time) as pool:
        running: dict[Future[float], tuple[int, list[str]]] = {}
        while True:
            for index in [index for index, needs in waiting.items() if not needs]:
                if len(running) < at_a_time and jobs[index]["gpus"] <= len(cards):
                    del waiting[index]
                    own = [cards.pop(0) for _ in range(jobs[index]["gpus"])]
                    future = pool.submit(_job, jobs[index]["command"], folder, own)
                    running[future] = (index, own)
            if not running:
                return seconds, failed + ["never started"] * len(waiting)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                index, own = running.pop(future)
                cards += own
                stage = re.findall(r"-m vlprm\.cli (\S+)", jobs[index]["command"])[0]
                try:
                    seconds[stage] = seconds.get(stage, 0.0) + future.result()
                except RuntimeError as error:
                    print(error, flush=True)
                    if index in again:
                        again.discard(index)
                        waiting[index] = set()
                    else:
                        failed.append(stage)
                    continue
                done = set(jobs[index]["output"])
                waiting = {key: needs - done for key, needs in waiting.items()}


def _job(command: str, folder: Path, cards: list[str]) -> float:
    started = time.monotonic()
    log = re.search(r" > (\S+) 2>&1$", command)
    if log:
        (folder / log[1]).parent.mkdir(parents=True, exist_ok=True)
    own = {"CUDA_VISIBLE_DEVICES": ",".join(cards)} if cards else {}
    done = subprocess.run(
        ["bash", "-c", command.replace("python -m", f"{sys.executable} -m")],
        cwd=folder,
        check=False,
        env=os.environ | own | {"PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"},
    )
    if done.returncode:
        text = (folder / log[1]).read_text() if log else ""
        raise RuntimeError(f"{command[:200]}\nexited {done.returncode}\n{text[-3000:]}")
    return time.monotonic() - started


def stage_digests(manifest: RunManifest) -> dict[str, str]:
    """One digest per stage, over its outputs' paths and contents."""
    found: dict[str, list[str]] = {}
    for stage in manifest.stages.values():
        lines = [f"{path} {sha256}" for path, sha256 in stage.outputs.items()]
        found.setdefault(stage.stage, []).extend(lines)
    return {
        stage: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
        for stage, lines in sorted(found.items())
    }


def facts() -> dict[str, str]:
    """Processor, and what torch makes of it."""
    import torch

    text = Path("/proc/cpuinfo").read_text()
    field = {name: re.search(rf"(?m)^{name}\s*: (.*)$", text) for name in ("model name", "flags")}
    flags = field["flags"][1].split() if field["flags"] else []
    return {
        "processor": field["model name"][1] if field["model name"] else "unknown",
        "vectors": " ".join(flag for flag in flags if re.match(r"avx|fma|amx", flag)),
        "torch": torch.__version__,
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": next(iter(re.findall(r"Math Kernel Library Version (\S+)", torch.__config__.show())),
                    "none"),
    }  # fmt: skip


def diff(first: Path, second: Path) -> None:
    """For each kind of table or checkpoint: files that differ, and the largest difference."""
    kinds: dict[str, list[float]] = {}
    for path in sorted(first.rglob("*")):
        other = second / path.relative_to(first)
        if path.suffix in {".parquet", ".safetensors"} and other.is_file():
            kind = path.relative_to(first).parts[0] + path.suffix
            same = path.read_bytes() == other.read_bytes()
            kinds.setdefault(kind, []).append(0.0 if same else _largest(path, other))
    for kind, found in kinds.items():
        differing = [item for item in found if item]
        worst = max(differing, default=0.0)
        print(f"{kind:24} {len(differing)} of {len(found)} differ, largest {worst:.3g}")
    total = sum(bool(item) for found in kinds.values() for item in found)
    print(json.dumps({"name": "other_machine_diff", "value": total, "unit": "files that differ"}))


def _largest(first: Path, second: Path) -> float:
    """Largest absolute difference of two files' numbers; infinite where shapes or texts differ."""
    if first.suffix == ".safetensors":
        from safetensors.numpy import load_file

        one, two = load_file(first), load_file(second)
        return max(float(abs(one[name] - two[name]).max()) for name in one)
    import polars as pl

    left, right = pl.read_parquet(first), pl.read_parquet(second)
    if left.shape != right.shape:
        return float("inf")
    worst = 0.0
    for name, kind in left.schema.items():
        if kind.is_float():
            worst = max(worst, float((left[name] - right[name]).abs().max() or 0.0))  # type: ignore[arg-type]
        elif not left[name].equals(right[name]):
            return float("inf")
    return worst


def caps() -> None:
    """The nano run with and without capped instruction sets, and how far they are apart."""
    folder = ROOT / "build" / "other_machine"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    plan(ROOT / "tests" / "workflow" / "nano.yaml", folder / "plan.json")
    for mode in ("portable", "native"):
        command = [sys.executable, __file__, "run", str(folder / "plan.json"), str(folder / mode)]
        subprocess.run([*command, "2"], env=os.environ | {SWITCH: mode}, check=True)
    diff(folder / "portable" / "results" / "nano", folder / "native" / "results" / "nano")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            caps()
        case ["plan", configfile, out]:
            plan(Path(configfile), Path(out))
        case ["run", planned, folder, *jobs]:
            at_a_time = int(jobs[0]) if jobs else 1
            sys.exit(1 if run(Path(planned), Path(folder).resolve(), at_a_time) else 0)
        case ["diff", first, second]:
            diff(Path(first), Path(second))
        case _:
            sys.exit(__doc__)
