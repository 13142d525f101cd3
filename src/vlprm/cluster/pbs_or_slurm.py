"""One question for every scheduler: where are these jobs?"""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from vlprm.cluster import qstat, squeue
from vlprm.cluster.dialects import NODES, SLURM
from vlprm.cluster.qstat import ENDED, UNKNOWN, Seen

CHUNK = 100


def query(dialect: str, ids: Iterable[str]) -> dict[str, Seen]:
    """Where jobs are, by short id, a hundred per query. Ids without an answer are missing.

    Slurm's qstat keeps no exit status and forgets jobs. Slurm itself is asked about the rest.
    """
    asked = list(dict.fromkeys(ids))
    found: dict[str, Seen] = {}
    for start in range(0, len(asked), CHUNK):
        part = asked[start : start + CHUNK]
        found |= squeue.query(part) if dialect == SLURM else qstat.query(dialect, part)
    if dialect == NODES and shutil.which("squeue"):
        bare = [
            name
            for name, seen in found.items()
            if seen.state == UNKNOWN or (seen.state, seen.exit) == (ENDED, None)
        ]
        better = squeue.query(bare)
        found |= {job_id: seen for job_id, seen in better.items() if seen.state != UNKNOWN}
    return found
