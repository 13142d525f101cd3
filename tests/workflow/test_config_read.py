"""A wrong configuration, as `snakemake` and `vlprm doctor` tell it: alike, at once, status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.runs import ROOT, Workdir, nano

SYNTAX = {
    "a tab": ("run: x\nmodels:\n\ta: 1\n", "run.yaml:3:1: a tab in the indent"),
    "an indent": ("run: x\nmodels:\n    a: 1\n  b: 2\n", "run.yaml:4:3: an indent that fits no"),
    "no keys": ("- run\n", "run.yaml: holds a list"),
    "absent": (None, "run.yaml: no such file"),
    "incomplete": ("seed: 1\n", "run: missing"),
}


def snakemake(workdir: Workdir, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(workdir.path), "--cores", "1", *arguments),
    ]
    return subprocess.run(command, env=workdir.environment(), text=True, capture_output=True)


def doctor(workdir: Workdir, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vlprm.cli", "doctor", "--target-dir", str(workdir.path)]
    return subprocess.run(
        [*command, *arguments], env=workdir.environment(), text=True, capture_output=True
    )


@pytest.mark.parametrize("name", SYNTAX)
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    workdir = Workdir(tmp_path / "run")
    file = workdir.path / "run.yaml"
    text, said = SYNTAX[name]
    if text is not None:
        file.write_text(text)
    by_snakemake = snakemake(workdir, "--configfile", str(file))
    by_doctor = doctor(workdir, "--configfile", str(file))
    for done in (by_snakemake, by_doctor):
        assert done.returncode == 2, done.stderr
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert by_snakemake.stderr.splitlines()[-2].startswith(("error: ", "  "))
    assert by_snakemake.stderr.splitlines()[-1].strip().startswith("-> ")


def test_the_files_of_a_profile_are_read_first_too(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "config.yaml").write_text(f"configfile: {tmp_path}/nope.yaml\n")
    done = snakemake(workdir, "--profile", str(tmp_path / "profile"))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f"error: {tmp_path}/nope.yaml: no such file",
    )


def test_everything_at_once(tmp_path: Path) -> None:
    config = nano()
    config["policies"]["small"]["user_prompt"] = "policy_mini_v9"
    config["training"]["prm"]["deepspeed"] = "configs/none.json"
    config["evaluation"]["benchmarks"] = ["matrix", "matrix"]
    config["tables"]["curves"] = ["majorityy"]
    config["models"]["large"]["path"] = "models/none"
    config["seed"] = "tomorrow"
    workdir = Workdir(tmp_path / "run")
    file = workdir.write_config(config)
    wanted = (
        "policies.small.user_prompt: no prompt 'policy_mini_v9'",
        "training.prm.deepspeed: configs/none.json: no such file",
        "evaluation.benchmarks: names 'matrix' twice",
        "tables.curves: 'majorityy' is not one of",
        "seed: Input should be a valid integer, not 'tomorrow'",
        "models/none/model.safetensors (models.large)",
    )
    for done in (
        snakemake(workdir, "--configfile", str(file)),
        doctor(workdir, "--configfile", str(file)),
    ):
        assert done.returncode == 2
        said = done.stdout + done.stderr
        assert not [what for what in wanted if what not in said], said
        assert f"{file}:2: seed" in said


def test_a_file_without_its_run_is_not_merged_with_the_papers(tmp_path: Path) -> None:
    config = nano()
    del config["run"]
    workdir = Workdir(tmp_path / "run")
    (workdir.path / "config.yaml").symlink_to(ROOT / "config.yaml")
    done = snakemake(workdir, "--configfile", str(workdir.write_config(config)), "--dry-run")
    assert done.returncode == 2
    assert "run: missing" in done.stderr


def test_a_failed_jobs_message_comes_first_and_its_command_once(tmp_path: Path) -> None:
    config = nano()
    config["benchmarks"]["matrix"]["data"] = {
        "kind": "mathvista", "path": "bad.jsonl", "n": 2, "shard_size": 2,
    }  # fmt: skip
    workdir = Workdir(tmp_path / "run")
    (workdir.path / "bad.jsonl").write_text('{"question": \n')
    file = workdir.write_config(config)
    target = "results/nano/samples/matrix/000.parquet"
    done = snakemake(workdir, target, "--configfile", str(file))
    assert done.returncode == 1, "Snakemake's own status of a failed job"
    said = done.stderr
    assert said.count("python -m vlprm.cli prepare") == 1
    first = said.index("prepare failed: bad.jsonl:1: malformed JSON line")
    assert first < said.index("  -> write one JSON object a line") < said.index("Error in rule")
