"""What a run lacks is said before any job starts: one line each, by the real Snakemake."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.io.hub_server import REVISION, HubServer
from tests.unit.preflight.machines import command, only
from tests.workflow.runs import ROOT, Workdir, nano

QUEUES = "Queue Max Tot Ena Str\n----- --- --- --- ---\nworkq 0 0 yes yes"
cluster = pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None,
    reason="needs snakemake-executor-plugin-cluster-generic",
)


@pytest.fixture
def bin_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder with programs, besides this Python's."""
    return only(monkeypatch, tmp_path / "bin")


def stopped(workdir: Workdir, config: dict[str, Any], *arguments: str) -> str:
    """The one line that says why; asserts that nothing was planned, started or written."""
    done = workdir.run(config, *arguments, check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    assert "no job was started" in done.stdout
    assert "Building DAG" not in done.stdout
    assert not (workdir.path / "results").exists()
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  FAIL")]
    assert "  -> " in line, "the cure stands beside it"
    return line


def on_gpus() -> dict[str, Any]:
    config = nano()
    for model in config["models"].values():
        model["gpus"] = 1
    return config


def with_hub(**hub: object) -> dict[str, Any]:
    config = nano()
    config["models"]["small"] |= {"path": None}
    config["models"]["small"]["hub"] = {"repo": "owner/name", "revision": REVISION, **hub}
    return config


def pbs(tmp_path: Path, queue: str) -> tuple[str, ...]:
    profile = tmp_path / "pbs"
    profile.mkdir()
    settings = {
        "executor": "cluster-generic",
        "cluster-generic-submit-cmd": "qsub",
        "jobs": 2,
        "default-resources": [f"queue={queue}"],
    }
    (profile / "config.yaml").write_text(yaml.safe_dump(settings))
    return ("--profile", str(profile))


@cluster
def test_no_scheduler(tmp_path: Path, bin_dir: Path) -> None:
    line = stopped(Workdir(tmp_path / "run"), nano(), *pbs(tmp_path, "workq"))
    assert "not on PATH: qsub, qstat, qdel" in line


@cluster
def test_wrong_queue(tmp_path: Path, bin_dir: Path) -> None:
    for name in ("qsub", "qdel"):
        command(bin_dir, name)
    command(bin_dir, "qstat", printed=QUEUES)
    line = stopped(Workdir(tmp_path / "run"), nano(), *pbs(tmp_path, "wrokq"))
    assert "no such queue: wrokq  -> name one of workq" in line


def images(tmp_path: Path, bin_dir: Path) -> tuple[Path, dict[str, Path]]:
    """Files where Snakemake looks for the images of every role."""
    command(bin_dir, "apptainer", printed="apptainer version 1.4.5")
    folder = tmp_path / "images"
    folder.mkdir()
    table = yaml.safe_load((ROOT / "containers" / "images.yaml").read_text())["images"]
    files = {}
    for role, entry in table.items():
        name = hashlib.md5(entry["reference"].encode()).hexdigest()
        files[role] = folder / f"{name}.simg"
        files[role].write_bytes(b"an image")
        # as if they had been pulled so
        digest = hashlib.sha256(b"an image").hexdigest()
        files[role].with_name(f"{name}.simg.sha256").write_text(digest)
    return folder, files


def test_missing_image(tmp_path: Path, bin_dir: Path) -> None:
    folder, files = images(tmp_path, bin_dir)
    files["cpu"].unlink()
    workdir = Workdir(tmp_path / "run")
    options = ("--sdm", "apptainer", "--apptainer-prefix", str(folder))
    assert "container cpu" in stopped(workdir, nano(), *options)


def test_image_with_another_digest(tmp_path: Path, bin_dir: Path) -> None:
    folder, files = images(tmp_path, bin_dir)
    files["cpu"].write_bytes(b"another!")
    workdir = Workdir(tmp_path / "run")
    options = ("--sdm", "apptainer", "--apptainer-prefix", str(folder))
    line = stopped(workdir, nano(), *options)
    assert "container cpu" in line
    assert f"has sha256 {hashlib.sha256(b'another!').hexdigest()[:12]}" in line


@pytest.mark.parametrize(
    ("config", "roles"),
    [(nano, {"cpu"}), (on_gpus, {"cpu", "gpu"})],
    ids=["no model wants a GPU", "models want GPUs"],
)
def test_fetch_provides_the_images_of_the_run(
    tmp_path: Path, bin_dir: Path, config: Callable[[], dict[str, Any]], roles: set[str]
) -> None:
    folder, _ = images(tmp_path, bin_dir)
    workdir = Workdir(tmp_path / "run")
    workdir.run(config(), "--sdm", "apptainer", "--apptainer-prefix", str(folder), "fetch")
    listings = sorted((workdir.path / "resources" / "containers").glob("[a-z]*[a-z].json"))
    made = {file.stem: json.loads(file.read_text()) for file in listings if file.stem.isalpha()}
    assert set(made) == roles
    assert {item["sha256"] for item in made.values()} == {hashlib.sha256(b"an image").hexdigest()}


def test_no_gpu_on_the_node(tmp_path: Path, bin_dir: Path) -> None:
    assert "no nvidia-smi" in stopped(Workdir(tmp_path / "run"), on_gpus())


def test_full_disk(small_disk: Path) -> None:
    assert "GB free in" in stopped(Workdir(small_disk / "run"), nano())


def test_missing_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "HF_TOKEN is not set" in stopped(Workdir(tmp_path / "run"), with_hub(gated=True))


def test_read_only_cache(tmp_path: Path, read_only: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    (workdir.path / "resources").symlink_to(read_only)
    assert "Read-only file system" in stopped(workdir, with_hub())


def test_missing_data(tmp_path: Path) -> None:
    config = nano()
    config["benchmarks"]["matrix"]["data"] = {
        "kind": "mmmu", "path": "data/mmmu", "origin": "the Hub", "n": 5, "shard_size": 5,
    }  # fmt: skip
    assert "data/mmmu (benchmarks.matrix)" in stopped(Workdir(tmp_path / "run"), config)


def test_switched_off_and_in_a_dry_run(
    tmp_path: Path, bin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = Workdir(tmp_path / "run")
    samples = "results/nano/samples/matrix/000.parquet"
    workdir.run(on_gpus(), "--dry-run", samples)
    assert "no nvidia-smi" in stopped(workdir, on_gpus(), samples)
    monkeypatch.setenv("VLPRM_PREFLIGHT", "off")
    workdir.run(on_gpus(), samples)
    assert (workdir.path / samples).exists()


def test_fetch_lifts_the_network_switch_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = Workdir(tmp_path / "run")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with HubServer({"model.safetensors": b"weights"}, large={"model.safetensors"}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        workdir.run(with_hub(), "fetch")
    listing = json.loads((workdir.path / "resources/models/small/fetch.json").read_text())
    assert listing["files"] == {"model.safetensors": hashlib.sha256(b"weights").hexdigest()}
    assert "nothing to be done" in workdir.run(with_hub(), "fetch").stdout.lower()
