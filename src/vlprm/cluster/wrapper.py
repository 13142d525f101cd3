"""What the scheduler starts on a node: check the GPUs, run the jobscript, record the end.

A job on sick GPUs submits itself again *while it still holds them*, so that the scheduler cannot
hand out the same ones. It exits with status 99 once the new job runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from vlprm.cluster import gpu, launch, pbs_or_slurm
from vlprm.cluster.endings import UNHEALTHY
from vlprm.cluster.qstat import ENDED, RUNNING
from vlprm.cluster.registry import Job, Registry, short
from vlprm.cluster.stopping import Processes, remove
from vlprm.cluster.submit import send
from vlprm.errors import UserError

HOPS = 3
HOLD = 300
# what a stage reads, passed through Apptainer's --cleanenv as well
_INSIDE = re.compile(
    r"PYTHONHASHSEED|MPLBACKEND|TOKENIZERS_PARALLELISM|CUDA_VISIBLE_DEVICES|(HF|VLPRM|NCCL)_\w+"
)
_TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU)
"""How a scheduler tells a job to end."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def main() -> int:
    """``wrapper SPEC`` runs a job; ``wrapper SPEC agent RANK`` serves one on a further node."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job, jobscript = Job(**spec["job"]), Path(spec["jobscript"])
    registry = Registry()
    _environment(job, registry)
    if sys.argv[2:3] == ["agent"]:
        return launch.agent(registry, job, int(sys.argv[3]))
    number = os.environ.get("PBS_JOBID") or os.environ.get("SLURM_JOB_ID") or f"pid{os.getpid()}"
    if not _first(registry, job, number):
        _say(f"job {number} does nothing: its submission was answered twice")
        return 0
    registry.path("ended", job.ticket).unlink(missing_ok=True)  # of a node that was lost
    _say(f"job {number} ({job.name}) on {socket.gethostname()}, hop {job.hop}")
    began = time.monotonic()
    agents = launch.Agents(registry, job) if job.nodes > 1 else None
    try:
        sick = gpu.sick(job.gpus) if job.gpus else None
        if agents:
            sick = agents.start() or sick
        if sick:
            return _leave(registry, job, jobscript, sick)
        return _work(registry, job, jobscript, began)
    finally:
        if agents:
            agents.stop()
        _keep_log(Path(job.log))


def _work(registry: Registry, job: Job, jobscript: Path, began: float) -> int:
    """Run the jobscript. A job that is told to end has failed and leaves nothing that counts."""
    got: list[int] = []
    processes = Processes(jobscript)

    def told(number: int, _: FrameType | None) -> None:
        got.append(number)
        processes.stop_bookkeeping()

    for number in _TOLD:
        signal.signal(number, told)
    code = processes.wait()
    if code < 0:
        # every process gets the signal, and the shell may have ended before this one has its turn
        got += [number for number in _TOLD if number == -code and not got]
    killed = code < 0 or bool(got)
    code = 128 + got[0] if got else 128 - code if code < 0 else code
    facts = {
        "seconds": round(time.monotonic() - began, 1),
        "signal": signal.Signals(got[0]).name if got else None,
    }
    if killed:
        processes.stop_bookkeeping()
        remove(job.outputs)
    _end(registry, job, code, **facts)
    if killed:  # also what the rule writes while it ends; the scheduler may cut this short
        processes.finish()
        remove(job.outputs)
    return code


def _leave(registry: Registry, job: Job, jobscript: Path, sick: str) -> int:
    """Have the job run elsewhere, hold the sick GPUs until it does, then give them back."""
    host = socket.gethostname()
    _say(f"GPU health check on {host}: {sick}")
    if job.hop >= HOPS:
        why = f"GPU health check failed on {HOPS + 1} allocations, last on {host}: {sick}"
        _end(registry, job, UNHEALTHY, why=why)
        return UNHEALTHY
    elsewhere = replace(
        job,
        hop=job.hop + 1,
        id="",
        ticket=f"{job.ticket.rsplit('.', 1)[0]}.{secrets.token_hex(4)}",
    )
    try:
        elsewhere = send(registry, elsewhere, jobscript)
    except UserError as error:
        why = f"GPU health check failed on {host}: {sick}; and it could not be resubmitted: "
        _end(registry, job, UNHEALTHY, why=why + " ".join(str(error).split()))
        return UNHEALTHY
    registry.write("moved", job.ticket, {"id": elsewhere.id, "host": host, "why": sick})
    _say(f"submitted again as job {elsewhere.id}; holding these GPUs until it runs")
    deadline = time.monotonic() + float(os.environ.get("VLPRM_HOLD_SECONDS") or HOLD)
    while time.monotonic() < deadline:
        seen = pbs_or_slurm.query(elsewhere.dialect, [elsewhere.id]).get(short(elsewhere.id))
        if registry.read("started", elsewhere.ticket) or (seen and seen.state in (RUNNING, ENDED)):
            break
        time.sleep(2)
    return UNHEALTHY


def _environment(job: Job, registry: Registry) -> None:
    os.environ["VLPRM_LAUNCH"] = str(registry.path("launch", job.ticket))
    if job.nodes > 1:
        os.environ["VLPRM_HOSTS"] = ",".join(launch.hosts())
    inside = {name: value for name, value in os.environ.items() if _INSIDE.fullmatch(name)}
    also = re.findall(r"\w+", os.environ.get("VLPRM_PASS", ""))
    inside |= {name: os.environ[name] for name in also if name in os.environ}
    inside |= dict.fromkeys(_THREADS, str(job.threads))
    for name, value in inside.items():
        os.environ.setdefault(f"APPTAINERENV_{name}", value)


def _first(registry: Registry, job: Job, number: str) -> bool:
    """Is this the only job of its ticket? (After a dead node, a requeued job keeps its id.)"""
    path = registry.path("started", job.ticket)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump({"id": number, "host": socket.gethostname(), "time": time.time()}, file)
    except FileExistsError:
        known = registry.read("started", job.ticket)
        return known is None or short(str(known["id"])) == short(number)
    return True


def _end(registry: Registry, job: Job, code: int, **facts: object) -> None:
    fact = {"exit": code, "host": socket.gethostname(), "time": time.time(), **facts}
    registry.write("ended", job.ticket, fact)


def _keep_log(log: Path) -> None:
    """Make sure that the log's folder exists: PBS copies the log there when this process ends.

    Slurm writes the log in place. If somebody removed it meanwhile, its content is restored.
    """
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        printed = os.fstat(sys.stdout.fileno())
        if stat.S_ISREG(printed.st_mode) and printed.st_nlink == 0 and not log.exists():
            sys.stdout.flush()
            shutil.copyfile(f"/proc/self/fd/{sys.stdout.fileno()}", log)


def _say(text: str) -> None:
    sys.stdout.write(f"vlprm: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
