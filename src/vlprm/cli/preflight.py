"""Commands before the first job: doctor, the plan of downloads."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlprm.cli.app import for_people
from vlprm.errors import UserError

if TYPE_CHECKING:
    from vlprm.config.plan import Plan

ConfigFile = Annotated[
    Path | None,
    typer.Option(help="the run's configuration; default: the profile's, else config.yaml"),
]
Profile = Annotated[list[str] | None, typer.Option(help="Snakemake profile, as given to it")]
TargetDir = Annotated[Path, typer.Option(help="the run's folder (Snakemake's --directory)")]


@for_people()
def doctor(
    configfile: ConfigFile = None, profile: Profile = None, target_dir: TargetDir = Path()
) -> None:
    """Check all that a run needs before its first job: one line per check; exit status 0 or 2."""
    from vlprm.config.checked import ConfigError
    from vlprm.preflight.checks import examine, without_plan
    from vlprm.preflight.finding import failure, failures, ok, report
    from vlprm.preflight.machine import from_profile

    settings = _settings(profile)
    machine = from_profile(settings, checkout(), target_dir.resolve())
    file = _configfile(configfile, settings)
    try:
        plan = _plan(file, target_dir)
    except ConfigError as error:
        wrong = [(item.says(error.file.name), item.cure) for item in error.problems]
        found = [failure("configuration", what, cure) for what, cure in wrong]
        found += without_plan(machine, error.file)
    except UserError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        found = [failure("configuration", what, error.cure or "correct it"), *without_plan(machine)]
    else:
        found = [ok("configuration", f"{file}, run {plan.config.run}"), *examine(plan, machine)]
    for line in report(found):
        typer.echo(line)
    failed = failures(found)
    typer.echo(f"{len(failed)} of {len(found)} checks failed" if failed else "ready")
    raise typer.Exit(2 if failed else 0)


@for_people("fetch-plan")
def fetch_plan(
    configfile: ConfigFile = None,
    profile: Profile = None,
    target_dir: TargetDir = Path(),
    online: Annotated[bool, typer.Option(help="ask the Hub for sizes")] = False,
) -> None:
    """What `snakemake fetch` would fetch, and the files that you put there: what is missing."""
    from vlprm.preflight.downloads import by_hand_lines, downloads, plan_lines
    from vlprm.preflight.machine import from_profile

    settings = _settings(profile)
    file = _configfile(configfile, settings)
    plan, data = plan_and_data(file, target_dir, with_files=False)
    found = downloads(plan, from_profile(settings, checkout(), target_dir.resolve()))
    if online:
        os.environ["HF_HUB_OFFLINE"] = "0"  # before the Hub's client is imported
        from vlprm.io.hub import size_gb

        found = [replace(item, gb=size_gb(item.hub)) if item.hub else item for item in found]
    for line in [*plan_lines(found), *by_hand_lines(data, target_dir)]:
        typer.echo(line)


def _settings(profile: list[str] | None) -> dict[str, Any]:
    from vlprm.preflight.machine import read_profile

    return read_profile(profile or [])[0]


def checkout() -> Path:
    """The folder with rules, locks and the table of containers: the checkout of this package."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "Snakefile").is_file() else Path.cwd()


def chosen_file(given: Path | None, profile: list[str] | None) -> Path:
    """The run's configuration: as given, else the profile's, else ``config.yaml``."""
    return _configfile(given, _settings(profile))


def _configfile(given: Path | None, settings: dict[str, Any]) -> Path:
    if given is not None:
        return given
    named = settings.get("configfile")
    named = named[0] if isinstance(named, list) and named else named
    return Path(str(named)) if named else Path("config.yaml")


def _plan(file: Path, target_dir: Path) -> Plan:
    return plan_and_data(file, target_dir)[0]


def plan_and_data(
    file: Path, target_dir: Path, *, with_files: bool = True
) -> tuple[Plan, dict[str, Any]]:
    """The plan of a configuration file, and its content as read.

    Raises UserError when it cannot be read, is wrong, or the folder is absent.
    """
    from vlprm.config.checked import load_config
    from vlprm.config.plan import Plan
    from vlprm.config.reader import read_config

    if not target_dir.is_dir():
        raise UserError("no such folder", where=str(target_dir), cure="make it, or leave it out")
    read = read_config(file)
    return Plan(load_config(read, folder=target_dir if with_files else None), read), read.data
