"""Profiles hold runtime settings alone, and their README names every one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import search_path
from tests.unit.preflight.machines import command
from tests.workflow.runs import ROOT, Workdir, nano
from vlprm.cluster.request import WORDS

PROFILES = sorted(path.parent.name for path in ROOT.glob("profiles/*/config.yaml"))
SCIENCE = {"config", "configfile", "configfiles", "snakefile", "until", "omit-from"}
README = (ROOT / "profiles" / "README.md").read_text(encoding="utf-8")


def settings(name: str) -> dict[str, object]:
    text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded


def test_there_is_one_for_every_machine() -> None:
    assert PROFILES == ["local", "mini", "pbs", "slurm"]


@pytest.mark.parametrize("name", ["local", "pbs", "slurm"])
def test_no_science(name: str) -> None:
    assert not SCIENCE & set(settings(name))


def test_pbs_and_slurm_differ_in_the_dialect_alone() -> None:
    pbs, slurm = settings("pbs"), settings("slurm")
    command = "vlprm-cluster-submit-cmd"
    assert slurm.pop(command) == f"{pbs.pop(command)} --dialect slurm"
    assert pbs == slurm


@pytest.mark.parametrize("name", PROFILES)
def test_readme_names_every_setting(name: str) -> None:
    assert f"`{name}`" in README
    if name in ("pbs", "slurm"):
        for key in set(settings(name)) - {"printshellcmds", "show-failed-logs"}:
            assert key in README or key.startswith("vlprm-cluster-"), key


def test_readme_names_every_variable_and_resource() -> None:
    for word, variable in WORDS.items():
        assert f"`{word}`" in README
        assert f"`{variable}`" in README


@pytest.mark.parametrize("name", ["local", "pbs", "slurm"])
def test_linked_profiles_resolve_the_whole_workflow(tmp_path: Path, name: str) -> None:
    """``make profiles``, then ``--profile NAME`` from any folder; another link is left alone."""
    command(tmp_path / "bin", "apptainer", printed="apptainer version 1.4.5")  # none is started
    home = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    if name != "local":
        pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    taken = tmp_path / "config" / "snakemake" / "local"
    taken.mkdir(parents=True)
    shown = subprocess.run(
        ["make", "profiles"], cwd=ROOT, env=os.environ | home, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert f"kept      {taken}: something else is there" in shown.stdout
    workdir = Workdir(tmp_path / "work")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", f"vlprm-{name}", "--dry-run"),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(workdir.path)),
            *("--configfile", str(workdir.write_config(nano()))),
        ],
        cwd=tmp_path,
        env=os.environ | home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "This was a dry-run" in done.stdout
    assert not list(workdir.path.glob(".snakemake/cluster/**/*.ids"))


@pytest.mark.parametrize("name", PROFILES)
def test_a_complete_workflow_has_nothing_to_do_and_ends(
    nano_run: Workdir, tmp_path: Path, name: str
) -> None:
    """Snakemake leaves its executor as it is there: a thread that waits for it would wait on."""
    if name in ("pbs", "slurm"):
        pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    environment = nano_run.environment() | {"VLPRM_PREFLIGHT": "off"}  # it needs no scheduler
    environment["PATH"] = search_path(tmp_path / "bin")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", str(ROOT / "profiles" / name)),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(nano_run.path)),
            *("--configfile", str(nano_run.write_config(nano()))),
            *("--software-deployment-method", "env-modules"),
        ],
        cwd=nano_run.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Nothing to be done" in done.stdout
    assert ("Launch sidecar" in done.stdout) == (name in ("pbs", "slurm"))
    assert not list(nano_run.path.glob(".snakemake/tmp.*"))
