"""Downloads from the Hugging Face Hub: a pinned revision, every file checked and listed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from vlprm.config.models import HubRef
from vlprm.errors import UserError
from vlprm.io.atomic import explained, write_text
from vlprm.io.manifest import sha256_of

log = logging.getLogger(__name__)
_TRIES = 4


@dataclass(frozen=True)
class _Stated:
    """A file as the Hub states it: bytes, and either its sha256 or its git blob id (sha1)."""

    size: int
    sha256: str | None
    blob: str | None


def fetch(config: HubRef, listing: Path) -> int:
    """Download into the listing's folder and write the listing; returns the number of files.

    A second call resumes: complete files stay, a file cut off goes on where it stopped. Raises
    UserError without access or network, on a disk that is full or read-only, and when a file is
    not the one the Hub states (the wrong file is removed).
    """
    folder = listing.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stated = _stated(config)
        _download(config, folder)
    except (OSError, OfflineModeIsEnabled) as error:  # requests' errors are OSErrors
        raise _said_plainly(error, config, folder) from error
    files = {name: _checked(folder / name, file) for name, file in sorted(stated.items())}
    _remove_former(folder, set(files))
    stated_by = {"repo": config.repo, "revision": config.revision, "files": files}
    write_text(listing, json.dumps(stated_by, indent=1, sort_keys=True) + "\n")
    return len(files)


def size_gb(config: HubRef) -> float:
    """Size of a revision in GB (1e9 bytes), from the Hub's metadata.

    Raises UserError without access or network.
    """
    try:
        return sum(file.size for file in _stated(config).values()) / 1e9
    except (OSError, OfflineModeIsEnabled) as error:
        raise _said_plainly(error, config, Path()) from error


def _endpoint() -> str | None:
    """The Hub's address where it is another than the public one: a mirror."""
    return os.environ.get("HF_ENDPOINT") or None


def _stated(config: HubRef) -> dict[str, _Stated]:
    info = HfApi(endpoint=_endpoint()).repo_info(
        config.repo, repo_type=config.repo_type, revision=config.revision, files_metadata=True
    )
    if info.sha != config.revision:
        raise UserError(
            f"the Hub answers with revision {info.sha}",
            where=f"{config.repo} at {config.revision}",
            cure="pin a commit hash that the repository has",
        )
    return {
        file.rfilename: _Stated(
            size=file.size or 0,
            sha256=str(file.lfs.sha256) if file.lfs is not None else None,
            blob=file.blob_id,
        )
        for file in info.siblings or []
    }


def _download(config: HubRef, folder: Path) -> None:
    """Fetch what is not there, and continue after a lost connection."""
    if "HF_HUB_DISABLE_XET" not in os.environ:
        # Xet starts a file over after a cut; plain HTTP goes on where it stopped
        constants.HF_HUB_DISABLE_XET = True
    for number in range(1, _TRIES + 1):
        try:
            snapshot_download(
                config.repo,
                repo_type=config.repo_type,
                revision=config.revision,
                local_dir=folder,
                endpoint=_endpoint(),
            )
        except OSError as error:
            if number == _TRIES or not _transient(error):
                raise
            log.warning("connection lost (%s): going on", type(error).__name__)
            time.sleep(2 ** (number - 1))
        else:
            return


def _transient(error: OSError) -> bool:
    status = _status(error)
    return status >= 500 if status else error.errno is None  # an error of the disk has a number


def _status(error: Exception) -> int | None:
    """HTTP status of an error of the Hub, if it has one."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _checked(path: Path, stated: _Stated) -> str:
    """The sha256 of a file that is what the Hub states; one that is not is removed."""
    if not path.is_file():
        raise UserError(
            "the download ended without this file",
            where=str(path),
            cure="run the same command again: it goes on where it stopped",
        )
    digest = sha256_of(path)
    if stated.sha256 is not None:
        right = digest == stated.sha256
    else:
        right = stated.blob is None or _git_blob(path) == stated.blob
    if not right:
        path.unlink()
        raise UserError(
            f"the file has not the {'sha256' if stated.sha256 else 'blob id'} that the Hub states; "
            "it was removed",
            where=str(path),
            cure="run the same command again; if it repeats, a proxy on the way changes files",
        )
    return digest


def _git_blob(path: Path) -> str:
    content = path.read_bytes()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _remove_former(folder: Path, names: set[str]) -> None:
    """Remove what a former revision had and this one has not, so that no loader picks it up.

    The Hub's client keeps a record beside every file that it fetched; other files stay.
    """
    records = folder / ".cache" / "huggingface" / "download"
    for record in sorted(records.rglob("*.metadata")):
        name = record.relative_to(records).as_posix().removesuffix(".metadata")
        if name not in names:
            (folder / name).unlink(missing_ok=True)
            record.unlink()


def _said_plainly(error: Exception, config: HubRef, folder: Path) -> Exception:
    """One line of cause and one of cure for what a download can run into."""
    where = f"{config.repo} at {config.revision[:12]}"
    page = f"https://huggingface.co/{'datasets/' * (config.repo_type == 'dataset')}{config.repo}"
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(
            "downloads are switched off",
            where=where,
            cure="fetch on a machine with network, with HF_HUB_OFFLINE=0",
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError("no such revision", where=where, cure=f"see {page}/commits")
    status = _status(error)
    if isinstance(error, GatedRepoError | RepositoryNotFoundError) or status in (401, 403):
        if get_token() is None:
            what = "the Hub asks for a token, and HF_TOKEN is not set"
            cure = f"accept the licence on {page}, then export HF_TOKEN=... and fetch again"
        else:
            what = "your token gives no access, or there is no such repository"
            cure = f"accept the licence on {page} with the account of HF_TOKEN; check the name"
        return UserError(what, where=where, cure=cure)
    known = explained(error, folder)
    if isinstance(error, OSError) and isinstance(known, UserError):
        return known
    reason = f"HTTP {status}" if status else type(error).__name__
    return UserError(
        f"download failed: {reason}, from {_endpoint() or 'https://huggingface.co'}",
        where=where,
        cure="check the network (a proxy? https_proxy), then run the same command again: "
        "it goes on where it stopped",
    )
