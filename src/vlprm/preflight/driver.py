"""Snakemake as it was started: does this call run jobs, and on what machine?"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlprm.config.plan import Plan
from vlprm.preflight.checks import SWITCH, before_first_job
from vlprm.preflight.machine import Machine, from_profile, read_profile

# options of `snakemake` under which it shows, cleans or plans, and starts no job
_IDLE = (
    "dryrun", "touch", "lint", "list_target_rules", "list_rules", "print_compilation",
    "containerize", "report", "generate_unit_tests", "dag", "rulegraph", "filegraph", "d3dag",
    "unlock", "cleanup_metadata", "conda_cleanup_envs", "conda_create_envs_only",
    "list_conda_envs", "cleanup_shadow", "container_cleanup_images", "list_changes",
    "list_input_changes", "list_params_changes", "list_untracked", "summary",
    "detailed_summary", "archive", "delete_all_output", "delete_temp_output",
)  # fmt: skip


def check_driver(workflow: Any, plan: Plan) -> None:
    """Called while the Snakefile is read: stop a run that cannot end well.

    Only in the process that the user started, only if it runs jobs, and not with
    ``VLPRM_PREFLIGHT=off``. ``workflow`` is Snakemake's (9.x). Raises UserError.
    """
    if not workflow.is_main_process or os.environ.get(SWITCH, "").lower() == "off":
        return
    options = _options()
    if options is None or any(getattr(options, name, None) for name in _IDLE):
        return
    machine = _machine(workflow, options)
    before_first_job(plan, machine, list(options.targets or ()))


def _options() -> Any | None:
    """The command line, read by Snakemake's own parser; None when it is called as a library."""
    program = Path(sys.argv[0])
    if program.name != "snakemake" and program.parent.name != "snakemake":
        return None
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()):  # it tells the profile's name again
        return parse_args(sys.argv[1:])[1]


def _machine(workflow: Any, options: Any) -> Machine:
    settings = _profiles(options.profile or ())
    deployment = workflow.deployment_settings
    settings["executor"] = options.executor
    settings["software-deployment-method"] = [
        item.name.lower() for item in deployment.deployment_method
    ]
    settings["apptainer-prefix"] = deployment.apptainer_prefix
    for key in ("submit", "status", "cancel", "sidecar"):
        command = getattr(options, f"cluster_generic_{key}_cmd", None)
        if isinstance(command, str):  # unset: a marker of its own
            settings[f"cluster-generic-{key}-cmd"] = command
    return from_profile(settings, checkout=Path(workflow.basedir), workdir=Path.cwd())


def _profiles(names: Sequence[str]) -> dict[str, Any]:
    return read_profile([str(name) for name in names])[0] if names else {}
