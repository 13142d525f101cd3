"""Downloads from the Hugging Face Hub: a pinned revision, every file listed with its sha256."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from vlprm.config.models import HubRef
from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.io.manifest import sha256_of


def fetch(config: HubRef, listing: Path) -> int:
    """Download into the listing's folder and write the listing; returns the number of files.

    A second call resumes: complete files stay. Raises UserError without access or network, and
    when a file's digest is not the one the Hub states.
    """
    folder = listing.parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        stated = _stated(config)
        snapshot_download(
            config.repo,
            repo_type=config.repo_type,
            revision=config.revision,
            local_dir=folder,
        )
    except (HfHubHTTPError, OfflineModeIsEnabled, ConnectionError) as error:
        raise UserError(
            f"download failed: {type(error).__name__}",
            where=f"{config.repo} at {config.revision}",
            cure="fetch on a machine with network (HF_HUB_OFFLINE=0), and set HF_TOKEN for a "
            "repository behind a licence",
        ) from error
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts and path != listing
    }
    for name, digest in stated.items():
        if files.get(name) != digest:
            raise UserError(
                f"{name} has not the sha256 that the Hub states",
                where=str(folder),
                cure="remove the file and fetch again",
            )
    stated_by = {"repo": config.repo, "revision": config.revision, "files": files}
    write_text(listing, json.dumps(stated_by, indent=1, sort_keys=True) + "\n")
    return len(files)


def _stated(config: HubRef) -> dict[str, str]:
    """sha256 by file name, for the files that the Hub keeps by digest (weights, archives)."""
    info = HfApi().repo_info(
        config.repo, repo_type=config.repo_type, revision=config.revision, files_metadata=True
    )
    return {
        file.rfilename: str(file.lfs.sha256) for file in info.siblings or [] if file.lfs is not None
    }
