"""Layers and an OCI image layout whose digest depends on file contents alone.

Entries are sorted, owners numeric, no time is newer than the epoch; layers are compressed by zstd
(level 3, one thread), so a digest also depends on zstd's version: 1.5.4, Debian 12's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
_ENVIRONMENT = [
    "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
    "LC_ALL=C.UTF-8",
    "PYTHONNOUSERSITE=1",
]
_GPU_ENVIRONMENT = ["CUDA_HOME=/usr/local/cuda"]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A compressed layer on disk. ``digest`` is of the file, ``diff_id`` of the tar inside it."""

    name: str
    key: str
    file: Path
    digest: str
    diff_id: str
    size: int

    @classmethod
    def load(cls, path: Path) -> Layer | None:
        """The layer that ``path`` describes; None where there is none."""
        if not path.exists():
            return None
        data = json.loads(path.read_text())
        return cls(**data | {"file": path.with_name(data["file"])})

    def save(self, path: Path) -> None:
        """Describe the layer beside its file."""
        path.write_text(json.dumps(dataclasses.asdict(self) | {"file": self.file.name}))


def sha256_of_file(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below the root with its change time and size; nothing of what is mounted there."""
    found, device = {}, root.lstat().st_dev
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name).lstat().st_dev == device]
        for name in [*folders, *files]:
            path = Path(folder, name)
            status = path.lstat()
            found[str(path.relative_to(root))] = (status.st_ctime_ns, status.st_size)
    return found


def write_layer(
    work: Path, name: str, key: str, root: Path, before: dict[str, tuple[int, int]], epoch: int
) -> Layer:
    """Pack what is new or changed since ``before``; times newer than the epoch become the epoch.

    Raises RuntimeError when a path of a lower layer is gone: layers only add.
    """
    now = listing(root)
    gone = sorted(set(before) - set(now))
    if gone:
        raise RuntimeError(f"layer {name} removes {gone[:5]}: layers only add")
    changed = sorted(path for path, status in now.items() if before.get(path) != status)
    for path in changed:
        full = root / path
        if full.lstat().st_mtime > epoch:
            os.utime(full, (epoch, epoch), follow_symlinks=False)
    file = work / f"{name}.tar.zst"
    diff_id = _pack(root, changed, file)
    layer = Layer(name, key, file, sha256_of_file(file), diff_id, file.stat().st_size)
    layer.save(work / f"{name}.json")
    return layer


def _pack(root: Path, paths: list[str], file: Path) -> str:
    """Write the compressed tar; return the sha256 of the tar itself."""
    names = file.with_suffix(".names")
    names.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
    digest, partial = hashlib.sha256(), file.with_suffix(".partial")
    tar = [
        *("tar", "-cf", "-", "-C", str(root), "--no-recursion", "--format=gnu", "--numeric-owner"),
        *("--null", "--verbatim-files-from", f"--files-from={names}"),
    ]
    with (
        partial.open("wb") as out,
        subprocess.Popen(tar, stdout=subprocess.PIPE) as packer,
        subprocess.Popen(
            ["zstd", "-3", "-T1", "-q"], stdin=subprocess.PIPE, stdout=out
        ) as compressor,
    ):
        assert packer.stdout is not None
        assert compressor.stdin is not None
        while chunk := packer.stdout.read(1 << 20):
            digest.update(chunk)
            compressor.stdin.write(chunk)
        compressor.stdin.close()
    names.unlink()
    if packer.returncode or compressor.returncode:
        raise RuntimeError(f"could not write {file}")
    partial.rename(file)
    return digest.hexdigest()


def write_layout(work: Path, role: str, layers: list[Layer], epoch: int) -> str:
    """Write ``ROLE.oci.tar``, an OCI layout; return its manifest's digest, ``sha256:...``."""
    layout = work / "oci"
    shutil.rmtree(layout, ignore_errors=True)
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: object, kind: str) -> dict[str, object]:
        raw = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(raw).hexdigest()
        (blobs / digest).write_bytes(raw)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(raw)}

    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {
            "Env": [*_ENVIRONMENT, *(_GPU_ENVIRONMENT if role == "gpu" else [])],
            "Labels": {"org.opencontainers.image.title": f"vlprm-{role}"},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
        "history": [{"created": created, "created_by": layer.name} for layer in layers],
    }
    described = []
    for layer in layers:
        (blobs / layer.digest).hardlink_to(layer.file)
        described.append(
            {"mediaType": _LAYER, "digest": f"sha256:{layer.digest}", "size": layer.size}
        )
    manifest = blob(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": blob(config, _CONFIG),
            "layers": described,
        },
        _MANIFEST,
    )
    annotations = {"org.opencontainers.image.ref.name": role}
    index = {"schemaVersion": 2, "manifests": [manifest | {"annotations": annotations}]}
    (layout / "index.json").write_text(json.dumps(index, sort_keys=True, separators=(",", ":")))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    # plain names: Apptainer refuses an archive whose entries begin with "./"
    subprocess.run(
        [
            *("tar", "--sort=name", f"--mtime=@{epoch}", "--owner=0", "--group=0"),
            *("--numeric-owner", "--mode=u=rwX,go=rX", "--hard-dereference"),
            *("-cf", str(work / f"{role}.oci.tar"), "-C", str(layout)),
            *("blobs", "index.json", "oci-layout"),
        ],
        check=True,
    )
    shutil.rmtree(layout)
    return str(manifest["digest"])
