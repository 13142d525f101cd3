"""The rehearsal of a run: its own jobs on a handful of questions, then what the whole will take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from vlprm.cli.app import for_people
from vlprm.cli.preflight import ConfigFile, Profile, TargetDir, checkout, chosen_file, plan_and_data


@for_people(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def rehearse(
    context: typer.Context,
    configfile: ConfigFile = None,
    profile: Profile = None,
    target_dir: TargetDir = Path(),
    questions: Annotated[int, typer.Option(min=1, help="of every source and benchmark")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="optimizer steps of every training")] = 3,
) -> None:
    """Rehearse a run: all its jobs on few questions; then per rule time, memory, and GPU hours.

    Further options and targets go to Snakemake. Exit status: Snakemake's, 2 for a mistake.
    """
    from vlprm.config.checked import load_config
    from vlprm.config.plan import Plan
    from vlprm.config.rehearsal import derive
    from vlprm.config.times import Times
    from vlprm.preflight.rehearsed import measure, report_lines, write

    file = chosen_file(configfile, profile)
    full, data = plan_and_data(file, target_dir)
    given = derive(data, full.config, questions, steps)
    name = f"{file} rehearsed"
    plan = Plan(load_config(given, name))
    folder = target_dir.resolve() / plan.root
    if full.config.labels.examples.published:
        from vlprm.preflight.conversations import choose

        given = choose(given, full, plan, target_dir.resolve())
        plan = Plan(load_config(given, name))
    derived = write_config(given, folder / "config.yaml")
    times = Times(plan).rules()
    hours = sum(item.gpu_hours for item in times.values())
    typer.echo(
        f"{plan.config.run}: {sum(item.jobs for item in times.values())} jobs,"
        f" about {hours:.1f} GPU hours; configuration {derived}"
    )
    status = _snakemake(derived, profile or [], target_dir, context.args)
    report = measure(plan, full, target_dir.resolve())
    if report.rows:
        write(report, full.config.run, folder)
        for line in report_lines(report, full.config.run):
            typer.echo(line)
        typer.echo(f"report: {folder / 'rehearsal.md'}, {folder / 'rehearsal.csv'}")
    if status:
        typer.echo(f"the rehearsal failed (Snakemake's exit status {status})", err=True)
    raise typer.Exit(status)


def write_config(data: dict[str, object], path: Path) -> Path:
    """A complete configuration as YAML without aliases; left alone where it says the same."""
    from vlprm.io.atomic import write_text

    # a value for every mention: YAML's aliases would tie blocks together
    plain = json.loads(json.dumps(data))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    head = "# Written by `vlprm rehearse`: the run's configuration on few questions.\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != head + text:
        write_text(path, head + text)
    return path


def _snakemake(file: Path, profile: list[str], target_dir: Path, further: list[str]) -> int:
    """Run it in the foreground; Ctrl-C reaches it too, and it deletes its jobs by itself."""
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(checkout() / "Snakefile")),
        *("--directory", str(target_dir), "--configfile", str(file)),
        *(["--profile", *profile] if profile else ["--cores", "all", "--rerun-incomplete"]),
        *further,
    ]
    bin_dir = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{bin_dir}{os.pathsep}{os.environ.get('PATH', '')}"}
    with subprocess.Popen(command, env=environment) as running:
        while True:
            try:
                return running.wait()
            except KeyboardInterrupt:
                continue
