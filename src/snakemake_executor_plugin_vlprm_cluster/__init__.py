"""Snakemake's executor ``vlprm-cluster``: cluster-generic, which ends, and takes no for an answer.

Snakemake finds it by the name of this package. Its settings are those of cluster-generic, and it
mends two things there: a run with nothing to do ends, and a refused submission is not tried again.
"""

from __future__ import annotations

import threading
from dataclasses import field, make_dataclass
from typing import Any, Optional

from snakemake.exceptions import WorkflowError

MISSING: ImportError | None = None
try:
    from snakemake_executor_plugin_cluster_generic import (
        Executor as Generic,
    )
    from snakemake_executor_plugin_cluster_generic import (
        ExecutorSettings,
        common_settings,
    )
except ImportError as error:
    # every snakemake imports every plugin, also where it submits no job: say it when one is wanted
    from snakemake.api import ExecutorSettingsBase
    from snakemake.executors.local import Executor as Generic
    from snakemake.executors.local import common_settings

    MISSING = error
    ExecutorSettings = make_dataclass(
        "ExecutorSettings",
        [
            (f"{word}_cmd", Optional[str], field(default=None, metadata={"help": "a command"}))  # noqa: UP045
            for word in ("submit", "status", "cancel", "sidecar")
        ],
        bases=(ExecutorSettingsBase,),
    )

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

_REFUSED = "Error submitting jobscript (exit code 2)"
"""How cluster-generic tells the exit status with which our submit command refuses for good."""


class Executor(Generic):
    """The generic executor for the commands ``vlprm-cluster-*``."""

    def __post_init__(self) -> None:
        """Start the sidecar; WorkflowError where cluster-generic is not installed."""
        if MISSING is not None:
            raise WorkflowError(
                f"executor vlprm-cluster: {MISSING}\n  -> "
                "python -m pip install --no-deps --require-hashes -r envs/cluster.lock"
            )
        super().__post_init__()

    def _launch_sidecar(self) -> None:
        """Start the sidecar, and have its threads end with the run, whatever its way out.

        They wait for ``shutdown``, which Snakemake leaves out where there is nothing to be done
        and where it fails between making the executor and the first job.
        """
        super()._launch_sidecar()
        threading.Thread(target=self._end_with_main, name="sidecar_end", daemon=True).start()

    def _end_with_main(self) -> None:
        threading.main_thread().join()
        self.wait = False

    def report_job_error(self, job_info: Any, msg: str | None = None, **kwargs: Any) -> None:
        """Tell Snakemake of a failed job; one that was refused has no attempt left."""
        if msg and msg.startswith(_REFUSED):
            job_info.job.attempt = job_info.job.restart_times + 1
        super().report_job_error(job_info, msg=msg, **kwargs)
