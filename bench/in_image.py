"""Snakemake runs whose rules run in the images, and the proof that they did.

Used by the benchmarks beside it and by ``tests/workflow/test_container.py``.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
# What the driver's environment fixes (Makefile), handed into the image; --cleanenv drops the rest.
FIXED = {
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "Agg",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")},
}
# without the driver's own environment: no rule can take its Python from the host
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PROBE = """
rule probe:
    output: "probe.json"
    container: {reference!r}
    shell: "python -B {script} > {{output}}"
"""
FACTS = """\
import json, os, pathlib, platform
print(json.dumps({
    "python": platform.python_version(),
    "executable": os.path.realpath("/proc/self/exe"),
    "debian": pathlib.Path("/etc/debian_version").read_text().strip(),
    "described": pathlib.Path("/opt/vlprm-image.json").exists(),
    "image": os.environ.get("APPTAINER_CONTAINER"),
}))
"""


def environment() -> dict[str, str]:
    """The driver's environment, in which no rule could run on the host."""
    inside = {f"APPTAINERENV_{name}": value for name, value in FIXED.items()}
    # a root user without the right to raise its limits (as in many build machines) needs this
    drop = {"APPTAINER_DROP_CAPS": "CAP_SYS_RESOURCE"} if os.geteuid() == 0 else {}
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | inside | drop | FIXED | {"PATH": SYSTEM_PATH}


def arguments(prefix: Path) -> list[str]:
    """Snakemake's arguments for running every rule in its image; the package read-only."""
    binds = " ".join(f"--bind {CHECKOUT / name}:{CHECKOUT / name}:ro" for name in ("src", "models"))
    return [
        *("--software-deployment-method", "apptainer", "--apptainer-prefix", str(prefix)),
        f"--apptainer-args=--cleanenv {binds}",
    ]


def snakemake(workdir: Path, prefix: Path, snakefile: Path, *more: str) -> float:
    """Run Snakemake in ``workdir``; seconds. Raises RuntimeError with its last lines on failure."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    command += ["--directory", str(workdir), "--cores", "2", "--nocolor", *arguments(prefix), *more]
    started = time.monotonic()
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=False, cwd=workdir
    )
    if done.returncode:
        raise RuntimeError(f"snakemake exited {done.returncode}:\n{done.stderr[-6000:]}")
    return time.monotonic() - started


def run(workdir: Path, prefix: Path, configfile: Path) -> float:
    """Run the whole DAG of a configuration in a fresh ``workdir``; seconds of wall time."""
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir(parents=True)
    (workdir / "models").symlink_to(CHECKOUT / "models")
    return snakemake(workdir, prefix, CHECKOUT / "Snakefile", "--configfile", str(configfile))


def facts_inside(workdir: Path, prefix: Path, role: str) -> dict[str, object]:
    """What a rule sees in the role's image, through the same Snakemake arguments."""
    table = yaml.safe_load((CHECKOUT / "containers" / "images.yaml").read_text())["images"]
    probe = workdir / "probe"
    probe.mkdir(parents=True, exist_ok=True)
    (probe / "facts.py").write_text(FACTS)
    snakefile = probe / "Snakefile"
    reference = table[role]["reference"]
    snakefile.write_text(PROBE.format(reference=reference, script=probe / "facts.py"))
    snakemake(probe, prefix, snakefile)
    found: dict[str, object] = json.loads((probe / "probe.json").read_text())
    return found


def not_in_an_image(results: Path) -> list[str]:
    """Stages whose timing record names no container: they ran on the host."""
    bare = []
    for file in sorted(results.rglob("*.timing.json")):
        if not str(json.loads(file.read_text())["container"] or "").endswith(".simg"):
            bare.append(str(file.relative_to(results)))
    return bare


def differs_from_host(facts: dict[str, object]) -> bool:
    """Whether what a rule saw cannot have been seen on this host."""
    return (
        bool(facts["described"])
        and not Path("/opt/vlprm-image.json").exists()
        and facts["python"] != platform.python_version()
    )
