"""Snakemake as it was started: does this call run jobs, and on what machine?"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from vlprm.config.checked import ConfigError
from vlprm.config.plan import Plan
from vlprm.config.reader import read_config
from vlprm.errors import UserError
from vlprm.preflight.checks import SWITCH, before_first_job
from vlprm.preflight.failed_jobs import tell
from vlprm.preflight.finding import failures, report
from vlprm.preflight.inputs import check_named
from vlprm.preflight.machine import COMMANDS, EXECUTORS, Machine, from_profile, read_profile

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
    """Called while the Snakefile is read: stop a run that cannot succeed.

    It acts only in the process that the user started, only if that runs jobs, and not with
    ``VLPRM_PREFLIGHT=off``. ``workflow`` is Snakemake's (9.x). Raises UserError.
    """
    options = _of_a_run(workflow)
    if options is not None:
        before_first_job(plan, _machine(workflow, options), list(options.targets or ()))


def refuse(workflow: Any, error: UserError) -> NoReturn:
    """End Snakemake with one message and exit status 2, as a command does.

    For a run that would start jobs, the message also lists missing files.
    """
    text = f"error: {error}\n"
    if isinstance(error, ConfigError) and _of_a_run(workflow) is not None:
        for line in report(failures(check_named(error.file, Path.cwd()))):
            text += f"  {line}\n"
    sys.stderr.write(text)
    sys.exit(2)


def _of_a_run(workflow: Any) -> Any | None:
    """The options of a call that runs jobs and is to be checked; None for any other."""
    if not workflow.is_main_process or os.environ.get(SWITCH, "").lower() == "off":
        return None
    options = _options()
    if options is None or any(getattr(options, name, None) for name in _IDLE):
        return None
    return options


def check_readable(argv: Sequence[str]) -> None:
    """Before Snakemake reads its command line: end it where a configuration file is not YAML.

    ``argv`` is that of the process. Files are those of ``--configfile``, otherwise of the profile.
    Snakemake itself reports what is wrong with its command line.
    """
    if not _is_snakemake(argv[0]) or "subprocess" in argv:  # a job: its run was checked
        return
    # no abbreviations: Snakemake's own --config does not abbreviate --configfile
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[])
    parser.add_argument("--profile", nargs="+", default=os.environ.get("SNAKEMAKE_PROFILE"))
    try:
        given = parser.parse_known_args(argv[1:])[0]
        named = given.configfile or _profiles(_listed(given.profile)).get("configfile")
    except (argparse.ArgumentError, UserError):
        return
    try:
        for name in _listed(named):
            read_config(Path(name))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


def _listed(value: object) -> list[str]:
    """A setting that is one text or a list of them."""
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return [str(value)] if value else []


def _is_snakemake(program: str) -> bool:
    path = Path(program)
    return "snakemake" in (path.name, path.parent.name)


def _options() -> Any | None:
    """The command line, read by Snakemake's own parser; None when it is called as a library."""
    if not _is_snakemake(sys.argv[0]):
        return None
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()):  # it prints the profile's name again
        return parse_args(sys.argv[1:])[1]


def _machine(workflow: Any, options: Any) -> Machine:
    settings = _profiles(options.profile or ())
    deployment = workflow.deployment_settings
    settings["executor"] = options.executor
    settings["software-deployment-method"] = [
        item.name.lower() for item in deployment.deployment_method
    ]
    settings["apptainer-prefix"] = deployment.apptainer_prefix
    for key in (f"{name}-{word}-cmd" for name in EXECUTORS for word in COMMANDS):
        command = getattr(options, key.replace("-", "_"), None)
        if isinstance(command, str):  # unset: a marker object
            settings[key] = command
    return from_profile(settings, checkout=Path(workflow.basedir), workdir=Path.cwd())


def _profiles(names: Sequence[str]) -> dict[str, Any]:
    return read_profile([str(name) for name in names])[0] if names else {}


def speak_of_failures() -> None:
    """Make Snakemake print a failed job's message first and its command once."""
    from snakemake.logging import logger

    tell(logger)
