"""Commands before the first job: doctor, the plan of downloads, images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from vlprm.cli.arguments import ConfigArg, Out, app, parse
from vlprm.config.images import ContainerImage
from vlprm.config.plan import Plan
from vlprm.config.run import load_config
from vlprm.errors import UserError

ConfigFile = Annotated[
    Path | None,
    typer.Option(help="the run's configuration; default: the profile's, else config.yaml"),
]
Profile = Annotated[list[str] | None, typer.Option(help="Snakemake profile, as given to it")]
TargetDir = Annotated[Path, typer.Option(help="the run's folder (Snakemake's --directory)")]


@app.command()
def doctor(
    configfile: ConfigFile = None, profile: Profile = None, target_dir: TargetDir = Path()
) -> None:
    """Check all that a run needs before its first job: one line a check, exit status 2."""
    from vlprm.preflight.checks import examine, without_plan
    from vlprm.preflight.finding import failure, failures, ok, report
    from vlprm.preflight.machine import from_profile

    settings = _settings(profile)
    machine = from_profile(settings, checkout(), target_dir.resolve())
    file = _configfile(configfile, settings)
    try:
        plan = _plan(file, target_dir)
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


@app.command("fetch-plan")
def fetch_plan(
    configfile: ConfigFile = None,
    profile: Profile = None,
    target_dir: TargetDir = Path(),
    online: Annotated[bool, typer.Option(help="ask the Hub for sizes")] = False,
) -> None:
    """What `snakemake fetch` would fetch: sizes, what is there, what is missing."""
    from vlprm.preflight.downloads import downloads, plan_lines
    from vlprm.preflight.machine import from_profile

    settings = _settings(profile)
    plan = _plan(_configfile(configfile, settings), target_dir)
    found = downloads(plan, from_profile(settings, checkout(), target_dir.resolve()))
    if online:
        os.environ["HF_HUB_OFFLINE"] = "0"  # before the Hub's client is imported
        from vlprm.io.hub import size_gb

        found = [replace(item, gb=size_gb(item.hub)) if item.hub else item for item in found]
    for line in plan_lines(found):
        typer.echo(line)


@app.command("fetch-image")
def fetch_image(role: str, folder: Path, out: Out, config: ConfigArg) -> None:
    """Have a role's container image where Snakemake looks for it."""
    from vlprm.stages import fetch_image as stage

    stage.run(role, parse(ContainerImage, config), folder, out)


def _settings(profile: list[str] | None) -> dict[str, Any]:
    from vlprm.preflight.machine import read_profile

    return read_profile(profile or [])[0]


def checkout() -> Path:
    """The folder with rules, locks and the table of images: the checkout of this package."""
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


def plan_and_data(file: Path, target_dir: Path) -> tuple[Plan, dict[str, Any]]:
    """The plan of a configuration file, and its content as read.

    Raises UserError when it cannot be read, is wrong, or the folder is absent.
    """
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(
            f"cannot be read ({' '.join(str(error).split())})",
            where=str(file),
            cure="name a file by --configfile, e.g. configs/mini.yaml",
        ) from error
    if not isinstance(data, dict):
        raise UserError("holds no configuration", where=str(file), cure="see configs/mini.yaml")
    if not target_dir.is_dir():
        raise UserError("no such folder", where=str(target_dir), cure="make it, or leave it out")
    return Plan(load_config(data, str(file))), data
