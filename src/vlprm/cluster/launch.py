"""One training command on every GPU of every node: from a host list to torchrun.

``python -m vlprm.cluster.launch --nodes N --gpus G python -m vlprm.cli train ...`` runs the command
unchanged on one GPU or none, and under torchrun on several GPUs. On several nodes it works with the
agents that the job's wrapper has started there. ``--gpus`` counts per node.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from vlprm.cluster import gpu
from vlprm.cluster.dialects import run
from vlprm.cluster.registry import Job, Registry, write_whole
from vlprm.errors import UserError

AGENT_PATIENCE = 300
_PORTS = range(20_000, 30_000)


def main() -> int:
    """Replace this process by the command, or by torchrun around it."""
    parser = argparse.ArgumentParser(prog="vlprm.cluster.launch")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        # the first node by its own name: a scheduler's node names need not be host names
        names = [socket.gethostname(), *hosts()[1:]] if arguments.nodes > 1 else []
        argv = torchrun(arguments.command, names, 0, arguments.gpus, arguments.nodes)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if arguments.nodes > 1:
        _publish(arguments.command, names, arguments.gpus)
    sys.stdout.flush()
    return os.execvp(argv[0], argv)


def hosts() -> list[str]:
    """The nodes of this job, each once. The job started on the first one.

    From ``VLPRM_HOSTS``, PBS's node file or Slurm's node list; empty outside a job.
    """
    if given := os.environ.get("VLPRM_HOSTS"):
        return given.split(",")
    if file := os.environ.get("PBS_NODEFILE"):
        return list(dict.fromkeys(Path(file).read_text(encoding="utf-8").split()))
    if nodes := os.environ.get("SLURM_JOB_NODELIST"):
        done = run(["scontrol", "show", "hostnames", nodes])
        if done and done.returncode == 0:
            return done.stdout.split()
    return []


ALONE = ("--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1")
"""Processes of one node meet at its loopback address. torchrun's ``--standalone`` says
``localhost`` and the host's name, which an image without ``/etc/hosts`` resolves nowhere."""


def torchrun(
    command: list[str], names: list[str], rank: int, gpus: int, nodes: int | None = None
) -> list[str]:
    """The command line of one node: ``command`` starts with ``python``.

    Raises UserError when the job has fewer nodes than ``nodes``.
    """
    python, *rest = command
    nodes = len(names) if nodes is None else nodes
    if nodes > 1 and len(names) < nodes:
        raise UserError(
            f"{nodes} nodes asked, {len(names)} in this job",
            where="python -m vlprm.cluster.launch",
            cure="run it in a job of a profile that submits (profiles/pbs, profiles/slurm)",
        )
    if nodes <= 1 and gpus <= 1:
        return command
    several = [python, "-m", "torch.distributed.run", f"--nproc-per-node={max(1, gpus)}"]
    if nodes <= 1:
        return [*several, *ALONE, *rest]
    return [
        *several,
        *(f"--nnodes={nodes}", f"--node-rank={rank}", "--rdzv-backend=static"),
        *(f"--rdzv-endpoint={names[0]}:{port()}", f"--rdzv-id={port()}", *rest),
    ]


def port() -> int:
    """The port where the nodes meet: the same within a job, seldom that of another job."""
    told = os.environ.get("VLPRM_LAUNCH", "")
    return _PORTS[int(hashlib.sha256(told.encode()).hexdigest(), 16) % len(_PORTS)]


def _publish(command: list[str], names: list[str], gpus: int) -> None:
    """Tell the agents what to run; the image is the one this process runs in, if any."""
    fact = {
        "command": command,
        "hosts": names,
        "gpus": gpus,
        "cwd": str(Path.cwd()),
        "container": os.environ.get("APPTAINER_CONTAINER"),
        "python_path": os.environ.get("PYTHONPATH", ""),
    }
    write_whole(Path(os.environ["VLPRM_LAUNCH"]), json.dumps(fact))


class Agents:
    """Processes on the job's further nodes that wait for the command and run their part."""

    def __init__(self, registry: Registry, job: Job) -> None:
        self._registry, self._job = registry, job
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> str | None:
        """Start one on every further node. Returns what is wrong with a node's GPUs, or None."""
        script = str(self._registry.path("scripts", self._job.ticket, ".sh"))
        others = list(enumerate(hosts()))[1:]
        for rank, host in others:
            argv = [*_remotely(host, rank), "/bin/sh", script, "agent", str(rank)]
            self._processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
        deadline = time.monotonic() + AGENT_PATIENCE
        for rank, host in others:
            while (fact := self._registry.read("agents", f"{self._job.ticket}.{rank}")) is None:
                if time.monotonic() > deadline or self._processes[rank - 1].poll() is not None:
                    return f"no process could be started on node {host}"
                time.sleep(0.5)
            if fact["sick"]:
                return f"node {host}: {fact['sick']}"
        return None

    def stop(self) -> None:
        """End those that still wait when the job's own part is over."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()


def _remotely(host: str, rank: int) -> list[str]:
    if os.environ.get("SLURM_JOB_ID") and shutil.which("srun"):
        return ["srun", "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={host}"]
    if shutil.which("pbs_tmrsh"):
        return ["pbs_tmrsh", host]
    if shutil.which("pbsdsh"):
        return ["pbsdsh", "-n", str(rank)]
    return ["ssh", "-o", "BatchMode=yes", host]


def agent(registry: Registry, job: Job, rank: int) -> int:
    """On a further node: check its GPUs, wait for the command, run this node's part of it."""
    sick = gpu.sick(job.gpus) if job.gpus else None
    registry.write("agents", f"{job.ticket}.{rank}", {"sick": sick})
    while sick is None and registry.ended(job) is None:
        fact = registry.read("launch", job.ticket)
        if fact is None:
            time.sleep(0.5)
            continue
        os.environ["PYTHONPATH"] = fact["python_path"]
        argv = torchrun(fact["command"], fact["hosts"], rank, fact["gpus"])
        if fact["container"]:
            options = shlex.split(os.environ.get("VLPRM_APPTAINER_ARGS") or "--nv --cleanenv")
            argv = ["apptainer", "exec", "--home", fact["cwd"], *options, fact["container"], *argv]
        return subprocess.run(argv, cwd=fact["cwd"], check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
