"""Downloads against a real HTTP server: cut, killed, refused, corrupt, and then as if nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import reset_sessions

from tests.unit.io.hub_server import REVISION, HubServer
from vlprm.config.models import HubRef
from vlprm.errors import UserError
from vlprm.io import hub as hub_module

# larger than the client's 10 MiB pieces, so that a cut leaves a piece to go on from
WEIGHTS = hashlib.shake_256(b"weights").digest(24 * 2**20)
FILES = {"config.json": b'{"a": 1}\n', "model.safetensors": WEIGHTS, "sub/notes.txt": b"notes\n"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(dict(FILES), large={"model.safetensors"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        reset_sessions()  # a session keeps the offline switch that it was made under
        yield server
    reset_sessions()


def fetch(folder: Path, revision: str = REVISION) -> int:
    return hub_module.fetch(HubRef(repo="owner/name", revision=revision), folder / "fetch.json")


def refused(folder: Path, revision: str = REVISION) -> str:
    """What a refused download says: two lines, cause and cure, and no listing."""
    with pytest.raises(UserError) as raised:
        fetch(folder, revision)
    assert not (folder / "fetch.json").exists()
    assert str(raised.value).count("\n") == 1
    return str(raised.value)


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command that the rules call, in a process of its own."""
    command = [sys.executable, "-m", "vlprm.cli", "fetch", "--out", str(folder / "fetch.json")]
    config = json.dumps({"repo": "owner/name", "revision": REVISION})
    return subprocess.Popen(
        [*command, "--config", config],
        env=os.environ | {"HF_HOME": str(folder.parent), "HF_HUB_OFFLINE": "0"} | environment,
        text=True,
        stderr=subprocess.PIPE,
    )


def assert_whole(folder: Path) -> None:
    listing = json.loads((folder / "fetch.json").read_text())
    assert listing["revision"] == REVISION
    assert listing["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())


def test_all_files_of_the_pinned_revision(hub: HubServer, tmp_path: Path) -> None:
    assert fetch(tmp_path / "m") == len(FILES)
    assert_whole(tmp_path / "m")
    before = len(hub.requests)
    fetch(tmp_path / "m")
    assert_whole(tmp_path / "m")
    assert not [r for r in hub.requests[before:] if "/resolve/" in r[1]], "fetched again"


def test_size_before_the_download(hub: HubServer, tmp_path: Path) -> None:
    ref = HubRef(repo="owner/name", revision=REVISION)
    assert hub_module.size_gb(ref) == sum(map(len, FILES.values())) / 1e9
    assert not [r for r in hub.requests if "/resolve/" in r[1]]


def test_a_connection_cut_midway_goes_on_by_itself(hub: HubServer, tmp_path: Path) -> None:
    hub.cuts = 1
    fetch(tmp_path / "m")
    assert_whole(tmp_path / "m")
    first, second = hub.ranges("model.safetensors")
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) >= 10 * 2**20


def test_a_killed_process_goes_on_where_it_stopped(hub: HubServer, tmp_path: Path) -> None:
    hub.stall = hub.xet = True
    process = start(tmp_path / "m")
    assert hub.stalled.wait(60)
    partial = tmp_path / "m" / ".cache" / "huggingface" / "download"
    for _ in range(500):
        if any(path.stat().st_size >= 10 * 2**20 for path in partial.glob("*.incomplete")):
            break
        hub.released.wait(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "m" / "fetch.json").exists()
    hub.stall = hub.xet = False
    fetch(tmp_path / "m")
    assert_whole(tmp_path / "m")
    assert str(hub.ranges("model.safetensors")[-1]).startswith("bytes=1")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_are_refused_and_removed(hub: HubServer, tmp_path: Path, name: str) -> None:
    hub.corrupt = name
    assert f"{name}: the file has not the" in refused(tmp_path / "m")
    assert not (tmp_path / "m" / name).exists()
    hub.corrupt = None
    fetch(tmp_path / "m")
    assert_whole(tmp_path / "m")


def test_a_revision_that_is_not_there(hub: HubServer, tmp_path: Path) -> None:
    assert "no such revision" in refused(tmp_path / "m", revision="b" * 40)


def test_another_revision_leaves_no_file_of_the_former(hub: HubServer, tmp_path: Path) -> None:
    fetch(tmp_path / "m")
    (tmp_path / "m" / "own.txt").write_text("the user's")
    hub.revision = "b" * 40
    hub.files = {"config.json": b"{}\n", "part-1.safetensors": b"new"}
    fetch(tmp_path / "m", revision="b" * 40)
    there = {path.name for path in (tmp_path / "m").iterdir() if path.is_file()}
    assert there == {"config.json", "part-1.safetensors", "fetch.json", "own.txt"}


def test_a_missing_token_is_one_message(hub: HubServer, tmp_path: Path) -> None:
    hub.token = "right-token"
    process = start(tmp_path / "m")
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 2
    error, cure = printed.splitlines()
    assert error == (
        "error: owner/name at aaaaaaaaaaaa: the Hub asks for a token, and HF_TOKEN is not set"
    )
    assert "accept the licence on https://huggingface.co/owner/name" in cure


def test_a_token_without_access_is_not_shown(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "right-token"
    monkeypatch.setenv("HF_TOKEN", "hf_wrongtoken")
    said = refused(tmp_path / "m")
    assert "your token gives no access" in said
    assert "wrongtoken" not in said
    monkeypatch.setenv("HF_TOKEN", "right-token")
    fetch(tmp_path / "m")


def test_no_server(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = refused(tmp_path / "m")
    assert "download failed: ConnectionError, from http://127.0.0.1:9" in said


def test_a_server_in_trouble(hub: HubServer, tmp_path: Path) -> None:
    hub.status = 503
    assert "download failed: HTTP 503" in refused(tmp_path / "m")


def test_switched_off(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    reset_sessions()
    assert "HF_HUB_OFFLINE=0" in refused(tmp_path / "m")
    assert not hub.requests


def test_a_read_only_cache(hub: HubServer, read_only: Path) -> None:
    assert "read-only" in refused(read_only / "m")


def test_a_full_disk(hub: HubServer, small_disk: Path) -> None:
    said = refused(small_disk / "m")
    assert "No space left on device" in said
    assert "free some space" in said
