"""A real Slurm of two nodes on one machine: munged, slurmctld and two slurmd on loopback.

From Debian's packages slurm-wlm, slurm-wlm-torque (qsub, qstat, qdel) and munge; needs root. The
two nodes have 4 believed cores, 60 GB of believed memory and 2 GPUs of paper each.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

NODES = ("n1", "n2")
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "qsub", "qstat", "qdel")
_SBIN = "/usr/sbin:/sbin"
CONF = """\
ClusterName=vlprm
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={work}/run/munge.sock
SlurmUser=root
SlurmctldPort={ports[0]}
StateSaveLocation={work}/state
SlurmdSpoolDir={work}/spool.%n
SlurmctldPidFile={work}/run/slurmctld.pid
SlurmdPidFile={work}/run/slurmd.%n.pid
SlurmctldLogFile={work}/log/slurmctld.log
SlurmdLogFile={work}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=2
KillWait=2
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {shape}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {shape}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
SlurmdParameters=config_overrides
"""
SHAPE = (
    "CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=60000 "
    "Gres=gpu:2"
)


def why_not() -> str | None:
    """Why there can be no Slurm here; None when there can."""
    if os.geteuid() != 0:
        return "starting Slurm's daemons needs root"
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm slurm-wlm-torque munge"
    return None


class Slurm:
    """The daemons, their configuration and the environment that clients need."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.environment = {"SLURM_CONF": str(work / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Write the configuration, start the daemons, wait for both nodes; RuntimeError if not."""
        for name in ("run", "log", "state", "munge", *(f"spool.{node}" for node in NODES)):
            (self.work / name).mkdir(parents=True, exist_ok=True)
        host = socket.gethostname().split(".")[0]
        conf = CONF.format(work=self.work, host=host, ports=_free_ports(3), shape=SHAPE)
        (self.work / "slurm.conf").write_text(conf)
        gpus = [self.work / f"gpu{number}" for number in range(2)]
        for gpu in gpus:
            gpu.touch()
        (self.work / "gres.conf").write_text(
            "".join(f"NodeName={n} Name=gpu File={self.work}/gpu[0-1]\n" for n in NODES)
        )
        self._munge()
        self._daemon(self._found("slurmctld"), "-D")
        for node in NODES:
            self._daemon(self._found("slurmd"), "-D", "-N", node)
        self._wait(lambda: self.client("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * 2)

    def stop(self) -> None:
        """Delete what still runs, then end every daemon that this object started."""
        if self._daemons:
            self.client("scancel", "--full", "-u", "root", check=False)
            time.sleep(1)
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
        self._daemons = []

    def client(self, *argv: str, check: bool = True) -> str:
        """What a client command of this Slurm prints."""
        done = subprocess.run(
            argv, env=os.environ | self.environment, capture_output=True, text=True, timeout=60
        )
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.stdout}{done.stderr}")
        return done.stdout

    def _munge(self) -> None:
        folder = self.work / "munge"
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        for path in (folder, key):
            shutil.chown(path, "munge")
        shutil.chown(self.work / "run", "munge")
        # pytest's folders are closed to other users; munged runs as its own
        for parent in [self.work, *self.work.parents]:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        (self.work / "run").chmod(0o755)
        socket_file = self.work / "run" / "munge.sock"
        as_munge = ["--reuid", "munge", "--regid", "munge", "--clear-groups"]
        self._daemon(
            *(*as_munge, self._found("munged"), "--foreground", "--force"),
            *(f"--key-file={key}", f"--socket={socket_file}", f"--seed-file={folder}/seed"),
            *(f"--pid-file={folder}/pid", f"--log-file={folder}/log"),
        )
        self._wait(socket_file.exists)

    def _daemon(self, *argv: str) -> None:
        with (self.work / "log" / "daemons.log").open("ab") as log:
            process = subprocess.Popen(
                # ends with this process, however that ends
                ["setpriv", "--pdeathsig", "TERM", *argv],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._daemons.append(process)

    def _found(self, name: str) -> str:
        return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}") or name

    def _wait(self, ready: object, seconds: float = 40) -> None:
        assert callable(ready)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if ready():
                    return
            except RuntimeError:
                pass
            time.sleep(0.3)
        logs = [path.read_text(errors="replace")[-1500:] for path in self.work.glob("log/*")]
        raise RuntimeError("Slurm did not start:\n" + "\n".join(logs))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
