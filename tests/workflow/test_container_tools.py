"""The scripts of containers/ on small folders: digests repeat, mismatches are refused."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.workflow.runs import ROOT

EPOCH = 1_700_000_000


def load(name: str) -> ModuleType:
    folder = str(ROOT / "containers")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


oci, card, gpu = load("oci"), load("selftest_card"), load("selftest_gpu")
selftest = load("selftest")
recipe, images, daemonless = load("recipe"), load("images"), load("daemonless")
needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")


def tree(root: Path, names: list[str], time: int) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
        os.utime(root / name, (time, time))
    (root / "link").symlink_to(names[0])


@needs_zstd
def test_layer_and_digest_do_not_depend_on_when_or_in_which_order(tmp_path: Path) -> None:
    digests = []
    for run, names, time in (("a", ["x/1", "x/2", "y"], 1), ("b", ["y", "x/2", "x/1"], 86400)):
        root = tmp_path / run / "root"
        root.mkdir(parents=True)
        tree(root, sorted(names) if run == "a" else names, EPOCH + time)
        (root / "link").unlink()
        (root / "link").symlink_to("x/1")
        layer = oci.write_layer(tmp_path / run, "one", "key", root, {}, EPOCH)
        before = oci.listing(root)
        (root / "z").write_text("added")
        second = oci.write_layer(tmp_path / run, "two", "key", root, before, EPOCH)
        digests.append(oci.write_layout(tmp_path / run, "cpu", [layer, second], EPOCH))
        assert oci.Layer.load(tmp_path / run / "one.json") == layer
    assert digests[0] == digests[1]
    archives = [tmp_path / run / "cpu.oci.tar" for run in ("a", "b")]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
        stated = index["manifests"][0]["digest"].removeprefix("sha256:")
        raw = archive.extractfile(f"blobs/sha256/{stated}").read()  # type: ignore[union-attr]
        assert hashlib.sha256(raw).hexdigest() == stated
        for part in json.loads(raw)["layers"]:
            blob = archive.extractfile(f"blobs/sha256/{part['digest'][7:]}").read()  # type: ignore[union-attr]
            assert hashlib.sha256(blob).hexdigest() == part["digest"][7:]
            assert len(blob) == part["size"]


@needs_zstd
def test_a_layer_holds_only_what_is_new_and_removes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    tree(root, ["x/1", "y"], EPOCH)
    before = oci.listing(root)
    (root / "x/2").write_text("new")
    oci.write_layer(tmp_path, "two", "key", root, before, EPOCH)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    os.system(f"tar --zstd -xf {tmp_path}/two.tar.zst -C {unpacked}")
    assert sorted(p.name for p in unpacked.rglob("*")) == ["2", "x"]
    (root / "y").unlink()
    with pytest.raises(RuntimeError, match="layers only add"):
        oci.write_layer(tmp_path, "three", "key", root, oci.listing(root) | before, EPOCH)


def described(tmp_path: Path, **changes: Any) -> Path:
    found = {
        "role": "gpu",
        "python": selftest.platform.python_version(),
        "debian": "12.15",
        "flash_attn": None,
        "locks": {"envs/gpu.lock": "abc"},
        "packages": selftest.installed(),
        "debian_packages": {},
    } | changes
    file = tmp_path / "image.json"
    file.write_text(json.dumps(found))
    return file


CASES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "python": ({"python": "3.11.99"}, ["--without-flash-attn"], "described is 3.11.99"),
    "flash-attn": ({}, [], "LEFT OUT of this image"),
    "lock": ({}, ["--without-flash-attn", "--lock=envs/gpu.lock=abd"], "another version of it"),
    "debian": (
        {"debian_packages": {"libc6": "0"}}, ["--without-flash-attn"],
        "debian package libc6: 1, locked is 0",
    ),
}  # fmt: skip


def run_selftest(monkeypatch: pytest.MonkeyPatch, file: Path, *arguments: str) -> int:
    monkeypatch.setattr(selftest, "DESCRIPTION", file)
    monkeypatch.setattr(selftest, "IMPORTS", {"gpu": ["json"]})
    monkeypatch.setattr(selftest, "nvcc_release", list)
    monkeypatch.setattr(selftest, "debian_packages", lambda: {"libc6": "1"})
    monkeypatch.setattr(sys, "argv", ["selftest.py", *arguments])
    return int(selftest.main())


def test_selftest_passes_what_is_as_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = "--lock=envs/gpu.lock=abc"
    assert run_selftest(monkeypatch, described(tmp_path), "--without-flash-attn", lock) == 0
    assert "WARNING flash-attn: LEFT OUT" in capsys.readouterr().out


@pytest.mark.parametrize("case", CASES)
def test_selftest_refuses(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, arguments, said = CASES[case]
    assert run_selftest(monkeypatch, described(tmp_path, **changes), *arguments) == 2
    assert said in capsys.readouterr().err


def test_selftest_refuses_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = selftest.installed() | {"numpy": "0.1", "absent": "1"}
    del packages["pytest"]
    file = described(tmp_path, packages=packages)
    assert run_selftest(monkeypatch, file, "--without-flash-attn") == 2
    errors = capsys.readouterr().err
    assert f"numpy: {importlib.metadata.version('numpy')}, locked is 0.1" in errors
    assert "absent: missing, locked is 1" in errors
    assert "python package pytest: in no lock" in errors


def test_record_then_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, sif = tmp_path / "images.yaml", tmp_path / "cpu.sif"
    shutil.copy(ROOT / "containers" / "images.yaml", table)
    monkeypatch.setattr(images, "TABLE", table)
    sif.write_bytes(b"image")
    facts = {"digest": "sha256:" + "0" * 64, "sif_sha256": oci.sha256_of_file(sif)}
    (tmp_path / "facts.json").write_text(json.dumps(facts | {"sif_bytes": 5, "flash_attn": None}))
    images.record("cpu", tmp_path / "facts.json")
    text = table.read_text()
    assert text.startswith("# One table")
    row = yaml.safe_load(text)["images"]["cpu"]
    assert row["reference"] == f"docker://localhost/vlprm/cpu@sha256:{'0' * 64}"
    images.install("cpu", sif, tmp_path / "prefix")
    name = hashlib.md5(row["reference"].encode()).hexdigest()
    assert (tmp_path / "prefix" / f"{name}.simg").read_bytes() == b"image"
    sif.write_bytes(b"other")
    with pytest.raises(SystemExit, match=r"containers/images\.yaml says"):
        images.install("cpu", sif, tmp_path / "prefix")


def refused(monkeypatch: pytest.MonkeyPatch, root: Path, release: str, text: str) -> Any:
    (root / "etc").mkdir()
    (root / "etc" / "debian_version").write_text(f"{release}\n")
    monkeypatch.setattr(daemonless, "debian_lock", lambda _: text)
    with pytest.raises(recipe.BuildError) as caught:
        daemonless.check_debian(root, "cpu")
    return caught.value


def test_a_debian_package_of_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "containers" / "debian-cpu.lock").read_text()
    other = text.replace("python3.11=3.11.2", "python3.11=3.11.1")
    assert other != text
    error = refused(monkeypatch, tmp_path, recipe.PINS["DEBIAN_RELEASE"], other)
    assert error.status == 2
    assert "python3.11=3.11.1" in str(error)


def test_a_mirror_that_moved_on_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(monkeypatch, tmp_path, "12.99", "# Debian 12.99\n")
    assert error.status == recipe.MOVED_ON
    assert "pass --mirror with the snapshot archive" in str(error)


def test_a_root_that_is_still_mounted_is_not_removed(tmp_path: Path) -> None:
    job = daemonless.Build("cpu", Path("/"))
    job.root = Path("/proc")
    with pytest.raises(recipe.BuildError, match="still mounted"):
        job.restore()


def test_a_build_killed_while_it_restores_does_not_take_the_rest_for_a_whole_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = daemonless.Build("cpu", tmp_path)
    job.root.mkdir()
    job.state.write_text("digest of the last layer")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(daemonless.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        job.restore()
    assert not job.state.exists()
